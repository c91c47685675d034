// What is done to tasks: each action is asked for by a button, and meant.

import { isMeant } from "./confirm.js";
import { byID, foreign, make } from "./elements.js";
import { post, reasonOf } from "./feeds.js";
import { known, plain, plural } from "./format.js";
import { tell } from "./said.js";
import { isFinal, isRetryable, isStopping } from "./task-words.js";

/** The buttons for what a task's state lets. */
export function actsOf(task) {
  const what = `${task.type} ${task.id}`;
  const acts = [
    isRetryable(task) ? button("retry", "Retry", { what, id: task.id }) : null,
    isFinal(task) || isStopping(task) ? null
      : button("cancel", "Cancel", { what, id: task.id }),
  ].filter(known);
  return acts.length ? make("div", { class: "acts" }, acts) : "";
}

export const retryAll = ({ type, code, count }) => button("retry", "Retry all",
  { what: `${plural(count, "task")} of ${type} with ${code}`, type, code });

const button = (verb, title, { what, id, type, code }) => make("button", {
  type: "button", "aria-label": plain(`${title} ${what}`), "data-verb": verb, "data-id": id,
  "data-type": type, "data-code": code, "data-what": what,
}, title);

function isOrderMeant(verb, what) {
  if (verb === "retry") {
    return isMeant({
      title: "Retry?", yes: "Retry",
      text: ["Begins ", foreign(what), " anew, with a fresh budget of attempts."],
    });
  }
  return isMeant({
    title: "Cancel the task?", yes: "Cancel the task", no: "Keep it",
    text: ["Ends ", foreign(what), ". A worker that runs it is told to stop. It can be retried."],
  });
}

function resultOf(verb, answer) {
  const { isFine, value } = answer;
  if (!isFine) return `It failed: ${reasonOf(answer)}`;
  if (known(value.retried)) {
    const result = `${plural(value.retried, "task")} retried.`;
    return value.is_complete ? result : `${result} There may be more: ask again.`;
  }
  if (verb === "retry") return "The task begins anew.";
  return value.state === "processing" ? "Its worker is told to stop." : "The task is cancelled.";
}

async function order({ verb, id, type, code, what }, changed) {
  if (!await isOrderMeant(verb, what)) return;
  tell(verb === "retry" ? "Retrying …" : "Cancelling …");
  try {
    const path = known(id) ? `/api/v1/tasks/${id}/${verb}` : "/api/v1/tasks/retry";
    tell(resultOf(verb, await post(path, known(id) ? undefined : { type, code })));
  } catch (error) {
    tell(`Not known to be done: ${error.message}.`);
  }
  changed();
}

/** - changed: is called after each action. */
export function start(changed) {
  byID("main").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-verb]");
    if (button) order(button.dataset, changed);
  });
}
