// Light, dark, or as the reader's machine has it.

import { byID } from "./elements.js";

const themes = ["auto", "light", "dark"];

function stored() {
  try {
    const theme = localStorage.getItem("amity-theme");
    return themes.includes(theme) ? theme : "auto";
  } catch { return "auto"; }
}

function set(theme) {
  document.documentElement.dataset.theme = theme;
  byID("theme").textContent = `Theme: ${theme}`;
  try { localStorage.setItem("amity-theme", theme); } catch { /* For this page only. */ }
}

export function start() {
  set(stored());
  byID("theme").addEventListener("click", () => {
    const next = themes.indexOf(document.documentElement.dataset.theme) + 1;
    set(themes[next % themes.length]);
  });
}
