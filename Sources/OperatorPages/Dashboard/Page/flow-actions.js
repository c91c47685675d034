// What is done to limits, schedules and batches: each action is asked for by a button, and meant.

import { isMeant } from "./confirm.js";
import { byID, foreign, make } from "./elements.js";
import { post, reasonOf } from "./feeds.js";
import { known, plain } from "./format.js";
import { tell } from "./said.js";

const button = (title, what, data) => make("button", { type: "button",
  "aria-label": plain(`${title} ${what}`), "data-what": what,
  ...Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value])),
}, title);

/** What a name means: a pool is told by what stands in front of it, a key by its colon. */
export const subjectNamed = (name) => name.startsWith("pool/")
  ? { kind: "pool", name: name.slice(5) } : { kind: name.includes(":") ? "key" : "type", name };

/** Pauses a type, a key or a pool, or resumes it. */
export const pauseButton = (isOn, what, subject) => button(isOn ? "Pause" : "Resume", what,
  { order: isOn ? "pause" : "resume", ...subject });

export const scheduleButtons = (name, isPaused) => make("div", { class: "acts" },
  button("Run now", name, { order: "run", schedule: name }),
  button(isPaused ? "Resume" : "Pause", name,
    { order: isPaused ? "resume" : "pause", schedule: name }));

export const cancelButton = (id) => button("Cancel", `batch ${id}`, { order: "cancel", batch: id });

/** What is asked, and what is said when it is done. */
function wordsOf({ order, schedule, what }) {
  const name = foreign(what);
  const questions = {
    pause: known(schedule)
      ? { title: "Pause the schedule?", yes: "Pause", done: "It makes no tasks until resumed.",
        text: [name, " makes no tasks until it is resumed; what it misses does not come."] }
      : { title: "Pause?", yes: "Pause", done: "No more of it begins until it is resumed.",
        text: ["No task of ", name, " begins until it is resumed. What runs goes on."] },
    resume: { title: "Resume?", yes: "Resume", done: "It goes on.", text: [name, " goes on."] },
    run: { title: "Run it now?", yes: "Run now", done: "Its task is made.",
      text: ["Makes a task of ", name, " now. Its times stay as they are."] },
    cancel: { title: "Cancel the batch?", yes: "Cancel the batch", no: "Keep it",
      done: "The batch is cancelled.", text: ["Ends ", name, " and all of its tasks that have not "
        + "ended. Workers that run some are told to stop."] },
  };
  return questions[order];
}

function pathOf({ order, schedule, batch }) {
  if (known(schedule)) return `/api/v1/schedules/${encodeURIComponent(schedule)}/${order}`;
  return known(batch) ? `/api/v1/batches/${batch}/${order}` : `/api/v1/limits/${order}`;
}

async function give(asked, changed) {
  const { done, ...question } = wordsOf(asked);
  if (!await isMeant(question)) return;
  tell("Asking …");
  try {
    const body = known(asked.kind) ? { [asked.kind]: asked.name } : undefined;
    const answer = await post(pathOf(asked), body);
    tell(!answer.isFine ? `It failed: ${reasonOf(answer)}`
      : answer.value.is_duplicate ? "None is made: its last task has not ended, and is unique."
        : done);
  } catch (error) {
    tell(`Not known to be done: ${error.message}.`);
  }
  changed();
}

/** - changed: is called after each action. */
export function start(changed) {
  byID("main").addEventListener("click", (event) => {
    const pressed = event.target.closest("button[data-order]");
    // As it is now: while the question stands, the button may become another.
    if (pressed) give({ ...pressed.dataset }, changed);
  });
  byID("pause").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byID("pause-name").value.trim();
    if (!name) return;
    byID("pause-name").value = "";
    give({ order: "pause", what: name, ...subjectNamed(name) }, changed);
  });
}
