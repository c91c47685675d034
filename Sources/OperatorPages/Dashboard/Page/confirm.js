// Asks whether something is meant.

import { byID, show } from "./elements.js";

/**
 * - title, text: what is asked; text may be elements.
 * - yes: what the button says that does it; no: the one that does nothing.
 * - word: what has to be typed before, where it cannot be undone.
 */
export function isMeant({ title, text, yes, no = "Cancel", word }) {
  const dialog = byID("ask"), input = byID("ask-input"), button = byID("ask-yes");
  byID("ask-title").textContent = title;
  show(byID("ask-text"), text);
  byID("ask-word").hidden = !word;
  input.value = "";
  button.textContent = yes;
  byID("ask-no").textContent = no;
  button.className = word ? "danger" : "";
  const check = () => { button.disabled = Boolean(word) && input.value.trim() !== word; };
  input.oninput = check;
  check();
  dialog.showModal();
  (word ? input : button).focus();
  return new Promise((answered) => {
    // Not by the event of its closing: that of the last question may still be on its way.
    const decide = (isYes) => {
      dialog.close();
      answered(isYes);
    };
    byID("ask-no").onclick = () => decide(false);
    button.onclick = () => decide(true);
    dialog.oncancel = () => decide(false);
    input.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      // Else it also presses the button behind, which has the focus then.
      event.preventDefault();
      if (!button.disabled) decide(true);
    };
  });
}
