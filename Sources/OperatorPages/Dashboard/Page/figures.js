// The figures of now: four that matter most, the others in a line below.

import { byID, make, show } from "./elements.js";
import { ownQueue } from "./feeds.js";
import { count, duration, known, rate, unknown } from "./format.js";

export function drawFigures() {
  const queue = ownQueue();
  const has = (alert) => (queue?.alerts ?? []).some((one) => one.name === alert);
  // Rates need two looks at the queue, and the first minute to be of one.
  const soon = (value) => known(value) ? null : "after a minute";
  show(byID("figures"),
    large("Waiting", count(queue?.ready), { level: has("queue_depth") && "warn" }),
    large("Done", rate(queue?.done_per_second),
      { note: soon(queue?.done_per_second), level: has("stalled") && "bad" }),
    large("Oldest waiting", duration(queue?.oldest_age_seconds),
      { level: has("oldest_age") && "warn" }),
    large("Dead letters", count(queue?.dead_letters),
      { level: has("dead_letters") && "warn" }));
  show(byID("more"),
    small("In hand", count(queue?.unacked)),
    small("To be retried", ...retries(queue)),
    small("Coming in", rate(queue?.arrival_per_second), soon(queue?.arrival_per_second)),
    small("Empty in", ...timeToEmpty(queue)),
    small("Consumers", count(queue?.consumers), null,
      has("no_consumers") ? "bad" : has("foreign_consumers") && "warn"));
}

const large = (title, value, { note, level }) => make("div", { "data-level": level },
  make("dt", {}, title), make("dd", {}, value, note && make("small", {}, note)));

const small = (title, value, note, level) => make("div", { "data-level": level },
  make("dt", {}, title), make("dd", {}, value, note && make("small", {}, ` ${note}`)));

function retries(queue) {
  if (!queue || !known(queue.ready)) return [unknown];
  const delays = queue.retrying.filter((one) => one.messages);
  const sum = delays.reduce((total, one) => total + one.messages, 0);
  const note = delays.map((one) => `${count(one.messages)} for ${duration(one.delay_seconds)}`);
  return [count(sum), note.length ? `(${note.join(", ")})` : null];
}

function timeToEmpty(queue) {
  if (known(queue?.seconds_to_empty)) return [duration(queue.seconds_to_empty)];
  return known(queue?.drain_per_second)
    ? [unknown, "it does not shrink"] : [unknown, "after a minute"];
}
