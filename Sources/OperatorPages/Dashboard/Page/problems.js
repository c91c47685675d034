// What is wrong, the worst first. A problem is { level, what, title, detail, link }: its title
// names the cause in a few words, its detail has the figures and what to do.

import { allWorkers, failing, feeds, isLiving, isMine, nameOf, ownQueue } from "./feeds.js";
import { clock, count, duration, known, lasted, plain, plural, since } from "./format.js";
import { taskAlertText } from "./task-words.js";

/** Longer than two looks at the queue are apart at most. */
const oldLook = 150;
/** Seconds after which a worker that was lost is history. */
export const freshLoss = 900;
/** Seconds over which a rising age counts, and from which on it is worth a word. */
const rising = { span: 120, least: 60 };

export function problems() {
  const found = [];
  const add = (level, what, title, detail, link) =>
    found.push({ level, what, title, detail: detail ?? "", link });
  judgeFigures(add);
  judgeServingWorker(add);
  judgeCauses(add);
  for (const queue of feeds.queues.value?.queues ?? []) judgeQueue(queue, add);
  if (!found.length) judgeRisingAge(add);
  judgeWorkers(add);
  for (const alert of feeds.taskAlerts.value?.alerts ?? []) {
    add("warn", "tasks", taskAlertText(alert), `for ${lasted(alert.since)}`, "/tasks");
  }
  const rank = ({ level, what }) => (level === "warn" ? ranks.length : 0) + ranks.indexOf(what);
  return found.sort((one, other) => rank(one) - rank(other));
}

/** A cause comes before what follows from it. */
const ranks = ["cause", "broker", "queue", "alert", "workers", "worker", "this one", "figures",
  "tasks", "dead letters"];

/** Whether a readiness that is lost is only an operator's pause. */
export const isPause = (reasons) =>
  reasons?.length === 1 && reasons[0] === "intake is switched off";

function judgeFigures(add) {
  const reasons = new Set(failing().map((feed) => feed.error.message));
  const last = failing().map((feed) => feed.at).find(known);
  const age = last ? `Not renewed since ${clock(last)}` : "None so far";
  // A worker may well do its work while its figures cannot be read.
  const level = feeds.health.value?.status === "ready" ? "warn" : "bad";
  for (const reason of reasons) {
    add(level, "figures", "The figures cannot be read", `${age}: ${plain(reason)}`);
  }
}

function judgeServingWorker(add) {
  const health = feeds.health.value;
  if (!health || health.status === "ready") return;
  // Else it is among the workers.
  const name = feeds.worker.value && nameOf(feeds.worker.value);
  const isTold = (worker) => nameOf(worker) === name && worker.state === "not-ready";
  if (!feeds.workers.error && allWorkers().some(isTold)) return;
  const reasons = health.reasons ?? [];
  const text = reasons.join(", ") || health.status || "no reason given";
  if (text === "draining") add("warn", "this one", "The worker that serves this page drains");
  else if (isPause(reasons)) add("warn", "this one", "The worker that serves this page is paused");
  else add("bad", "this one", "The worker that serves this page is not ready", text);
}

// MARK: Links

/** What workers' links suffer from; an outage is one entry, not one a worker. */
function causes() {
  // Without a database the registry says nothing new, and this worker speaks for itself.
  const told = feeds.workers.error
    ? [["this one", feeds.health.value?.problems]]
    : allWorkers().filter((worker) => isMine(worker) && isLiving(worker))
      .map((worker) => [nameOf(worker), worker.problems]);
  const found = new Map();
  for (const [who, problems] of told) {
    for (const problem of problems ?? []) {
      const { link, subject, kind, code } = problem;
      const key = JSON.stringify([link, subject, kind, code]);
      const shared = found.get(key) ?? { ...problem, workers: [] };
      if (problem.since < shared.since) shared.since = problem.since;
      shared.workers.push(who);
      found.set(key, shared);
    }
  }
  return [...found.values()];
}

export const problemName = ({ link, subject, kind, code }) =>
  plain(`${link} ${subject ? `${subject} ` : ""}${kind} (${code})`);

/** The subject of a sentence about a link. */
const linkNames = {
  "broker-consumer": "The broker", "broker-publisher": "The broker",
  database: "The database", "chat-model": "The chat model", "memory-service": "The memory service",
  host: "A worker",
};
const kindNames = {
  away: "does not answer", refused: "refuses the workers", schema: "has not the schema Amity needs",
  blocked: "takes no messages", missing: "lacks a queue", "not-taken": "does not take a message",
  "bad-answer": "gives no usable answer", short: "is short of",
};

function judgeCauses(add) {
  for (const cause of causes()) {
    // Without these two nothing is scored; the rest hurts later.
    const isBad = ["broker-consumer", "database"].includes(cause.link) && cause.kind !== "blocked";
    const what = cause.kind === "short" ? ` ${cause.subject?.split(" ")[0]}` : "";
    const title =
      `${linkNames[cause.link] ?? cause.link} ${kindNames[cause.kind] ?? cause.kind}${what}`;
    const workers = cause.workers.length > 2
      ? `${cause.workers.length} workers` : cause.workers.join(", ");
    const advice = [cause.text, cause.remedy].filter(known).map((text) => `: ${plain(text)}`);
    add(isBad ? "bad" : "warn", "cause", plain(title),
      `${problemName(cause)}, ${workers}, for ${lasted(cause.since)}${advice.join("")}`);
  }
}

// MARK: Queues

const alertTexts = {
  queue_depth: ({ value, threshold }) => ["queue", `${plural(value, "message")} wait`,
    known(threshold) ? `alert from ${count(threshold)}` : null],
  oldest_age: ({ value, threshold }) => [
    "queue", `A conversation has waited for ${duration(value)}`,
    known(threshold) ? `alert from ${duration(threshold)}` : null],
  dead_letters: ({ value, threshold }) => ["dead letters", plural(value, "dead letter"),
    known(threshold) ? `alert from ${count(threshold)}` : null, "#dead-letters-title"],
  no_consumers: () => ["queue", "No worker takes messages from the queue"],
  foreign_consumers: ({ value }, queue) => [
    "queue", `${plural(value, "consumer")} of the queue ${value === 1 ? "is" : "are"} not Amity's`,
    (queue.foreign_consumers ?? []).map(plain).join(", ") || null],
  broker_alarm: () => ["broker", "The broker is short of memory or disk",
    "it takes no messages: retries and dead letters wait"],
  stalled: () => ["queue", "Messages wait, and consumers settle none"],
};
const badAlerts = new Set(["no_consumers", "stalled"]);

function judgeQueue(queue, add) {
  const age = Math.round(since(queue.observed_at));
  if (age > oldLook) {
    // A queue that is no longer used gets no new figures.
    if (isMine(queue)) {
      add("bad", "queue", "The queue's figures are old", `no look at it for ${duration(age)}`);
    }
    return;
  }
  for (const alert of queue.alerts) {
    const [what, title, detail, link] =
      alertTexts[alert.name]?.(alert, queue) ?? ["alert", plain(alert.name)];
    const details = [detail, isMine(queue) ? null : queue.queue, `for ${lasted(alert.since)}`];
    add(badAlerts.has(alert.name) ? "bad" : "warn", what, title,
      details.filter(known).join(", "), link);
  }
}

/** The oldest message grows older while nothing runs: what no alert has a threshold for yet. */
function judgeRisingAge(add) {
  const { step_seconds: step, points } = feeds.history.value ?? {};
  const age = ownQueue()?.oldest_age_seconds;
  if (!points || !known(age) || age < rising.least || ownQueue().unacked) return;
  const recent = points.slice(-Math.ceil(rising.span / step));
  const ages = recent.map((point) => point.oldest_age_seconds).filter(known);
  const isRising = ages.length > 2
    && ages.every((value, index) => !index || value > ages[index - 1]);
  const isIdle = recent.every(({ done, retried, dead }) => !(done || retried || dead));
  if (isRising && isIdle) {
    add("warn", "queue", "The oldest conversation gets older, and nothing runs",
      `it has waited for ${duration(age)}; amity explain says what for`);
  }
}

// MARK: Workers

/** By what a worker is paused, since when, and how that ends; null where it is not. */
export function pauseOf(worker) {
  if (!worker.paused) return null;
  const { by, since } = worker.paused;
  const wayBack = by === "SIGUSR1" || by === "HTTP"
    ? `, until kill -USR2 ${worker.process_id} on ${worker.host}` : "";
  return `paused by ${plain(by)} for ${lasted(since)}${wayBack}`;
}

function judgeWorkers(add) {
  if (!feeds.workers.value) return;
  const workers = allWorkers();
  if (!workers.some((worker) => isMine(worker) && isLiving(worker))) {
    add("bad", "workers", "No worker runs on this queue");
  }
  judgeUnready(workers, add);
  for (const worker of workers) {
    if (worker.state === "lost" && worker.heartbeat_age_seconds < freshLoss) {
      add("warn", "worker", `${nameOf(worker)} was lost`,
        `${duration(Math.round(worker.heartbeat_age_seconds))} ago, with `
          + `${plural(worker.in_flight, "message")} in hand`);
    }
  }
}

/** One entry for all that are not ready for the same reasons. */
function judgeUnready(workers, add) {
  const groups = new Map();
  for (const worker of workers) {
    if (worker.state !== "not-ready") continue;
    const key = worker.reasons.join(", ");
    groups.set(key, [...groups.get(key) ?? [], worker]);
  }
  for (const [reasons, group] of groups) {
    const isMeant = isPause(group[0].reasons);
    const state = isMeant ? "paused" : "not ready";
    const title = group.length > 1 ? `${group.length} workers are ${state}`
      : `${nameOf(group[0])} is ${state}`;
    const details = [isMeant ? null : reasons, ...group.map(pauseOf)];
    add(isMeant ? "warn" : "bad", "worker", title, details.filter(known).join("; "));
  }
}
