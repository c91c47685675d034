// Words for tasks, as all parts of the pages use them.

import { foreign, make, state } from "./elements.js";
import { known, plain } from "./format.js";

const states = {
  scheduled: [null, "◔ scheduled"], blocked: [null, "◌ blocked"], waiting: [null, "◌ waiting"],
  queued: [null, "◌ queued"], processing: ["ok", "● running"], completed: ["ok", "✓ completed"],
  failed: ["bad", "✕ failed"], cancelled: [null, "○ cancelled"],
};

/** A sign and a word. */
export const signOf = (name) => states[name]?.[1] ?? plain(name);

export const isFinal = (task) => ["completed", "failed", "cancelled"].includes(task.state);
export const isRetryable = (task) => ["failed", "cancelled"].includes(task.state);
export const isStopping = (task) => task.state === "processing" && task.is_cancel_asked;

export function stateOf(task) {
  if (isStopping(task)) return state("warn", "◐ stopping");
  return state(...states[task.state] ?? ["warn", plain(task.state)]);
}

export const queueOf = ({ pool, priority }) => `${plain(pool)}, ${plain(priority)}`;

export const attemptOf = (task) => `${task.attempt} of ${task.max_attempts}`;

/** A bar with its number; it is read out once. */
export function progressOf({ progress }) {
  if (!known(progress)) return "–";
  return [`${progress} %`, make("progress", { max: 100, value: progress, "aria-hidden": "true" })];
}

/** Its type, and its id as a link to its own page. */
export const nameOfTask = (task) => [make("b", {}, plain(task.type)),
  make("a", { class: "why", href: `#task=${task.id}` }, foreign(task.id))];

const alertTexts = { task_queue_depth: "Many tasks wait", task_wait: "Tasks wait long" };

export const taskAlertText = ({ name, queue: label }) =>
  plain(`${alertTexts[name] ?? name} in ${label.replace(/\.(\w+)$/, ", $1")}`);
