// Schedules: when they made their last task and what became of it, and when the next one comes.

import { byID, foreign, make, none, state, table } from "./elements.js";
import { scheduleButtons } from "./flow-actions.js";
import { ago, known, now, plain, until, when } from "./format.js";
import { paged } from "./pages.js";
import { stateOf } from "./task-words.js";

export const page = paged({
  name: "schedules", label: "Schedules", path: "/api/v1/schedules", seconds: 5,
  cursor: { parameter: "after", of: ({ schedules }) => schedules.at(-1).name },
  first: "First", next: "Next",
});

/** Later than that, no process seems to make its tasks. */
const lateSeconds = 60;

const head = [["Schedule", "lead"], ["Times", "lead"], ["Next", "number"], ["Last", "number"],
  ["Outcome"], [""]];

function nextOf(schedule) {
  if (known(schedule.paused_by)) {
    return [state("warn", "❙❙ paused"), make("span", { class: "why" },
      `by ${plain(schedule.paused_by)}, ${ago(schedule.paused_at)}`)];
  }
  if (!known(schedule.next_at)) return "never";
  const late = (now() - Date.parse(schedule.next_at)) / 1000;
  return [late > lateSeconds ? state("bad", `! ${ago(schedule.next_at)}`)
    : until(schedule.next_at), make("span", { class: "why" }, when(schedule.next_at))];
}

function outcomeOf(schedule) {
  const link = known(schedule.last_task) ? make("a", { class: "why",
    href: `/tasks#task=${schedule.last_task}` }, foreign(schedule.last_task)) : null;
  if (known(schedule.last_error)) {
    return [state("bad", "✕ no task made"),
      make("span", { class: "why" }, plain(schedule.last_error)), link];
  }
  if (!link) return "–";
  return [known(schedule.last_state) ? stateOf({ state: schedule.last_state })
    : "ended, and deleted", link];
}

const row = (schedule) => ({
  key: schedule.name,
  cells: [
    [make("b", {}, plain(schedule.name)), make("span", { class: "why" }, plain(schedule.type))],
    [make("code", {}, plain(schedule.cron)),
      make("span", { class: "why" }, plain(schedule.time_zone))],
    nextOf(schedule), known(schedule.last_at) ? ago(schedule.last_at) : "never",
    outcomeOf(schedule), scheduleButtons(schedule.name, known(schedule.paused_by)),
  ],
});

export function draw() {
  page.draw(({ schedules }, isLater) => schedules.length
    ? table(head, schedules.map(row), "Schedules")
    : none(isLater ? "There are no more."
      : "There are no schedules. amity schedules apply makes some."));
}

export const start = page.start;
