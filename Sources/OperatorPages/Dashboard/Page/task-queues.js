// What waits, runs and ends, by pool and priority; what failed, by type and code.

import { byID, make, none, show, state, table } from "./elements.js";
import { ago, count, duration, known, lasted, plain } from "./format.js";
import { retryAll } from "./task-actions.js";
import { taskAlertText } from "./task-words.js";

const queueHead = [["Pool", "lead"], ["Priority", "lead"], ["Waiting", "number brief"],
  ["Oldest", "number brief"], ["Running", "number brief"], ["Done/min", "number brief"],
  ["Failed/min", "number brief"]];

export function drawQueues(overview, alerts) {
  const has = (queue, name) => alerts.some((alert) =>
    alert.name === name && alert.queue === `${queue.pool}.${queue.priority}`);
  const marked = (isAlert, text) => isAlert ? state("warn", `! ${text}`) : text;
  const rows = overview.queues.map((queue) => ({
    key: `${queue.pool} ${queue.priority}`,
    cells: [
      plain(queue.pool), plain(queue.priority),
      marked(has(queue, "task_queue_depth"), count(queue.waiting)),
      marked(has(queue, "task_wait"), duration(queue.oldest_seconds)),
      count(queue.running), aMinute(queue.completed_per_minute),
      queue.failed_per_minute
        ? state("bad", aMinute(queue.failed_per_minute)) : aMinute(queue.failed_per_minute),
    ],
  }));
  show(byID("queues"), rows.length ? table(queueHead, rows, "Queues")
    : none("No task waits or runs, and none has ended in the last minute."));
  byID("alerts").hidden = !alerts.length;
  show(byID("alerts"), alerts.map((alert) => make("p", {},
    state("warn", `! ${taskAlertText(alert)}`), ` for ${lasted(alert.since)}`)));
}

const aMinute = (value) => count(value < 10 ? value : Math.round(value));

const failedHead = [["Type", "lead"], ["Code", "lead"], ["Tasks", "number"],
  ["Last", "number"], [""]];

export function drawFailed({ failures, is_complete: isComplete }) {
  const rows = failures.map(({ type, code, count: times, last_failed_at: last }) => ({
    key: `${type} ${code}`,
    cells: [
      plain(type), make("code", {}, plain(code ?? "no code")), count(times), ago(last),
      make("div", { class: "acts" },
        make("button", { type: "button", "data-show-type": type, "data-show-code": code,
          "aria-label": plain(`Show ${type} with ${code ?? "no code"}`) }, "Show"),
        known(code) ? retryAll({ type, code, count: times }) : null),
    ],
  }));
  show(byID("failed"), rows.length ? table(failedHead, rows, "Failed tasks") : none("None."),
    isComplete ? null : none("Of the latest 1,000 failed tasks; there are more."));
}
