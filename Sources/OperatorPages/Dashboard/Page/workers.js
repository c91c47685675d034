// The workers, and the intake of the one that serves this page.

import { isMeant } from "./confirm.js";
import { byID, make, none, say, show, state, table } from "./elements.js";
import { allWorkers, feeds, isLiving, nameOf, post, reasonOf } from "./feeds.js";
import { ago, count, duration, known, lasted, plural } from "./format.js";
import { freshLoss, isPause, pauseOf, problemName } from "./problems.js";
import { memory, processors, resources } from "./resources.js";

const head = [["State", "lead"], ["Worker", "lead"], ["Version", "short minor"],
  ["Up", "short minor"], ["Busy", "number"], ["In flight", "number"], ["Done", "number"],
  ["Retried", "number minor"], ["Dead", "number"], ["CPU", "number minor"],
  ["Memory", "number minor"], ["Last delivery", "number minor"]];

const states = {
  ready: ["ok", "● ready"], "not-ready": ["bad", "▲ not ready"], draining: ["warn", "◐ draining"],
  stopped: [null, "○ stopped"], lost: ["bad", "✕ lost"],
};

export function drawWorkers() {
  drawIntake();
  if (!feeds.workers.value) {
    if (feeds.workers.error) show(byID("workers"), none("Not known."));
    return;
  }
  const workers = allWorkers();
  const isCurrent = (worker) => isLiving(worker)
    || worker.state === "lost" && worker.heartbeat_age_seconds < freshLoss;
  const current = workers.filter(isCurrent);
  const former = workers.filter((worker) => !isCurrent(worker));
  const hasQueues = new Set(workers.map((worker) => worker.queue)).size > 1;
  const rows = (some) => some.map((worker) => rowOf(worker, hasQueues));
  show(byID("workers"),
    current.length
      ? table(head, rows(current), "Workers")
      : none(workers.length ? "None runs." : "None has ever reported."),
    former.length ? make("details", { "data-key": "former" },
      make("summary", {}, `${plural(former.length, "worker")} stopped or lost before`),
      table(head, rows(former), "Workers that stopped or were lost")) : null);
}

function rowOf(worker, hasQueues) {
  const isGone = !isLiving(worker);
  const isPaused = worker.state === "not-ready" && isPause(worker.reasons);
  const [level, text] = isPaused ? ["warn", "◇ paused"]
    : states[worker.state] ?? ["warn", worker.state];
  const reasons = isPaused ? [] : worker.reasons.filter((reason) => reason !== worker.state);
  const why = isGone ? `${duration(Math.round(worker.heartbeat_age_seconds))} ago`
    : [...reasons, ...(worker.problems ?? []).map(problemName), pauseOf(worker)]
      .filter(known).join(", ");
  const { threads } = worker.settings;
  const busy = [`${worker.busy_threads} of ${threads}`, make("meter",
    { min: 0, max: threads, value: worker.busy_threads, "aria-hidden": "true" })];
  return {
    key: worker.boot_id,
    style: worker.state === "stopped" ? "gone" : null,
    cells: [
      [state(level, text), why ? make("span", { class: "why" }, why) : null],
      [make("span", { class: "id whole" }, nameOf(worker)),
        isServing(worker) ? make("span", { class: "tag" }, "serves this page") : null,
        hasQueues ? make("span", { class: "why" }, worker.queue) : null,
        isGone ? null : resources(worker)],
      worker.version,
      isGone ? "–" : lasted(worker.started_at),
      isGone ? "–" : busy,
      count(worker.in_flight), count(worker.done), count(worker.retried), count(worker.dead),
      isGone ? "–" : processors(worker),
      isGone ? "–" : memory(worker),
      ago(worker.last_delivery_at),
    ],
  };
}

// MARK: Pause and resume

const isServing = (worker) => feeds.worker.value !== null && isLiving(worker)
  && nameOf(worker) === nameOf(feeds.worker.value);

/** Only the worker that answers can be reached from here; the others have pages of their own. */
function drawIntake() {
  const worker = feeds.worker.value;
  byID("intake").hidden = !worker;
  if (!worker) return;
  say("intake", worker.is_paused ? "Resume this worker" : "Pause this worker");
  byID("intake").title = `${nameOf(worker)}, which serves this page; no other worker`;
}

const isPauseMeant = (worker) => isMeant({
  title: "Pause this worker?", yes: "Pause",
  text: [`${nameOf(worker)}, which serves this page, finishes what it has begun and takes no more `,
    "messages until it is resumed. Other workers go on."],
});

async function switchIntake(changed) {
  const worker = feeds.worker.value;
  const isPausing = !worker.is_paused;
  if (isPausing && !await isPauseMeant(worker)) return;
  byID("intake").disabled = true;
  try {
    const answer = await post(`/api/v1/worker/${isPausing ? "pause" : "resume"}`);
    say("intake-said", answer.isFine ? "" : `It failed: ${reasonOf(answer)}`);
    if (answer.isFine) feeds.worker.value = answer.value;
  } catch (error) {
    say("intake-said", `Not known to be done: ${error.message}.`);
  }
  byID("intake").disabled = false;
  changed();
}

export function start(changed) {
  byID("intake").addEventListener("click", () => switchIntake(changed));
}
