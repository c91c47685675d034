// A task's own page. Its id stands in the page's address, so that a link leads here.

import { byID, foreign, make, none, show } from "./elements.js";
import { feed, pull } from "./feeds.js";
import { count, duration, known, plain, when } from "./format.js";
import { actsOf } from "./task-actions.js";
import { attemptOf, isFinal, progressOf, queueOf, stateOf } from "./task-words.js";

/** Of the task that is looked at; without a path while none is. */
export const taskFeed = feed(null, 3);

/** The id in the page's address; null where there is none. */
function wantedByAddress() {
  const match = /^#task=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]).trim() : null;
  } catch { return null; }
}

export const isOpen = () => wantedByAddress() !== null;

const addressOfTask = (id) => `#task=${encodeURIComponent(id)}`;

export function drawTask() {
  const { path, value, error } = taskFeed;
  if (!path) return;
  if (error?.status === 404) {
    taskFeed.path = null;
    show(byID("found-parts"), none("No task has this id. Tasks that have ended are deleted after "
      + "TASK_RETENTION_DAYS."));
  } else if (value) {
    show(byID("found-parts"), article(value));
  } else {
    show(byID("found-parts"), none(error ? `Not known: ${plain(error.message)}` : "Looking …"));
  }
}

function article(task) {
  return make("article", { class: "explanation", "data-key": task.id },
    make("div", { class: "title" }, make("p", {}, stateOf(task)), actsOf(task)),
    make("dl", { class: "facts" }, factsOf(task).map(fact)),
    make("ol", { class: "timeline", "aria-label": "What has happened" },
      timeline(task).map(({ at, text, level }) => make("li", { "data-level": level },
        make("time", { datetime: at }, when(at)), make("span", {}, text)))));
}

const fact = ([title, value]) => make("div", {}, make("dt", {}, title), make("dd", {}, value));

function factsOf(task) {
  return [
    ["Type", plain(task.type)], ["Queue", queueOf(task)], ["Attempt", attemptOf(task)],
    ["Run", count(task.run)],
    ["Progress", known(task.progress) ? progressOf(task) : null],
    ["Worker", known(task.worker) ? foreign(task.worker) : null],
    ["Time limit of a run", duration(task.timeout_seconds)],
    ["Knowledge base", known(task.kb_id) ? foreign(task.kb_id) : null],
    ["Batch", known(task.batch_id)
      ? make("a", { href: `/flow#batch=${task.batch_id}` }, foreign(task.batch_id)) : null],
    ["Workers that it ended", task.crashes ? count(task.crashes) : null],
  ].filter(([, value]) => value);
}

/** What is known of its past and its future, in order. */
function timeline(task) {
  const { state, worker } = task;
  const hasRun = state === "processing" || isFinal(task);
  const ends = { completed: "ok", failed: "bad" };
  const events = [
    { at: task.created_at, text: "made" },
    ...(task.errors ?? []).map(({ run, code, at }) =>
      ({ at, text: [`run ${run} failed: `, make("code", {}, plain(code))], level: "bad" })),
    { at: task.started_at, text: [hasRun ? `run ${task.run} began` : "the last run began",
      known(worker) ? ` on ${plain(worker)}` : ""].join("") },
    { at: task.cancel_asked_at, text: "cancellation asked for", level: "warn" },
    { at: task.finished_at, text: state, level: ends[state] },
    { at: task.due_at, text: "the next run" },
    { at: known(task.finished_at) ? null : task.deadline, text: "deadline" },
  ].filter(({ at }) => known(at));
  // What is equal to the second stays in this order.
  const second = ({ at }) => Math.floor(Date.parse(at) / 1000);
  return events.sort((one, other) => second(one) - second(other));
}

/** Shows the task that the address names, or all of them. */
function open(changed) {
  const id = wantedByAddress();
  byID("found").hidden = id === null;
  byID("all").hidden = id !== null;
  byID("said").textContent = "";
  Object.assign(taskFeed, { value: null, error: null, due: 0,
    path: id === null ? null : `/api/v1/tasks/${encodeURIComponent(id)}` });
  byID("search-id").value = id ?? "";
  changed();
  if (id === null) return;
  show(byID("found-title"), "Task ", foreign(id));
  scrollTo(0, 0);
  byID("found-title").focus({ preventScroll: true });
  pull(taskFeed, changed);
}

/** - changed: is called when another task is looked at, and when it has come. */
export function start(changed) {
  byID("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = byID("search-id").value.trim();
    if (!id) return;
    if (addressOfTask(id) === location.hash) open(changed);
    else location.hash = addressOfTask(id);
  });
  addEventListener("hashchange", () => open(changed));
  open(changed);
}
