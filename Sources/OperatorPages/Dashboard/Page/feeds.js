// What is asked of the worker, how often, and what it last answered.

import { setClock } from "./format.js";

/** No answer, with status 0, or one that says no. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The answer with its JSON. Throws `Refused` where there is none. */
export async function ask(path, options, timeout = 10000) {
  let response, text;
  try {
    response = await fetch(path, {
      cache: "no-store", redirect: "error", signal: AbortSignal.timeout(timeout), ...options,
    });
    text = await response.text();
  } catch (error) {
    throw new Refused(0, error.name === "TimeoutError" ? "no answer in time" : "no answer");
  }
  setClock(response.headers.get("Date"));
  let value = null;
  try { value = JSON.parse(text); } catch { /* A proxy's answer. */ }
  if (value === null && response.ok && response.status !== 204) {
    throw new Refused(0, "an answer that is none of Amity's");
  }
  return { status: response.status, isFine: response.ok, value };
}

export async function get(path) {
  const answer = await ask(path);
  if (answer.isFine) return answer.value;
  throw new Refused(answer.status, reasonOf(answer));
}

/** Asks for something to be done. */
export function post(path, body) {
  return ask(path, {
    method: "POST", body: body && JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Amity-Request": "dashboard" },
  }, 20000);
}

export const reasonOf = ({ status, value }) => value?.error?.message ?? `it answered ${status}`;

const all = [];

/** What `poll` asks for every so many seconds. */
export function feed(path, seconds, read = get) {
  const made = {
    path, every: seconds * 1000, read, value: null, at: null, error: null, due: 0, isBusy: false,
  };
  all.push(made);
  return made;
}

export const feeds = {
  // A worker that is not ready says so with an error's status and its reasons.
  health: feed("/health/ready", 3, async (path) => (await ask(path)).value),
  worker: feed("/api/v1/worker", 3),
  workers: feed("/api/v1/stats/workers", 3),
  queues: feed("/api/v1/stats/queues", 3),
  history: feed("/api/v1/stats/history", 15),
  taskAlerts: feed("/api/v1/stats/task-alerts", 15),
};

/** When the worker last answered; and while it does not, since when and why. */
export const contact = { last: null, silence: null };

/** Whether the session has ended. */
export const isOut = () => all.some((feed) => feed.error?.status === 401);

/** Those that are answered with a reason why there is nothing. */
export const failing = () => all.filter((feed) => feed.error && feed.read === get
  && feed !== feeds.worker && ![0, 401, 404].includes(feed.error.status));

/** Asks now, and calls `changed` after it. */
export async function pull(feed, changed) {
  if (feed.isBusy) return;
  feed.isBusy = true;
  const { path } = feed;
  try {
    const value = await feed.read(path);
    // Meanwhile another page of it may be wanted.
    if (path === feed.path) Object.assign(feed, { value, at: new Date(), error: null });
  } catch (error) {
    if (path === feed.path) feed.error = error;
  }
  feed.isBusy = false;
  feed.due = path === feed.path ? performance.now() + feed.every : 0;
  if (feed.error?.status === 0) {
    contact.silence ??= { since: new Date(), why: feed.error.message };
  } else {
    contact.silence = null;
    contact.last = new Date();
  }
  changed();
}

/** Asks each of `wanted()` when it is due, while the page is seen. */
export function poll(wanted, changed) {
  const turn = () => {
    if (document.hidden) return;
    for (const feed of wanted()) {
      if (performance.now() >= feed.due) pull(feed, changed);
    }
  };
  document.addEventListener("visibilitychange", turn);
  setInterval(turn, 1000);
  turn();
}

// MARK: What the answers are about

export const nameOf = ({ host, process_id: process }) => `${host}:${process}`;
export const isLiving = ({ state }) => state !== "stopped" && state !== "lost";
/** Of the queue that this worker consumes. */
export const isMine = (thing) => !feeds.history.value || thing.queue === feeds.history.value.queue;
/** Whether there are tables of tasks. */
export const hasTasks = () => Boolean(feeds.taskAlerts.value?.alerts);
export const allWorkers = () => feeds.workers.value?.workers ?? [];
export const ownQueue = () => (feeds.queues.value?.queues ?? []).find(isMine);
