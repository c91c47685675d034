// Words and bars for batches, as all parts of the pages use them.

import { make, state, vector } from "./elements.js";
import { atMost, count, plain } from "./format.js";

const words = {
  open: [null, "◔ open"], running: ["ok", "● running"], finished: ["ok", "✓ finished"],
  cancelled: [null, "○ cancelled"],
};

/** Which tasks count together, with the sign and the word for them. */
const kinds = [
  ["completed", "✓", "completed", ["completed"]], ["running", "●", "running", ["processing"]],
  ["failed", "✕", "failed", ["failed"]], ["cancelled", "○", "cancelled", ["cancelled"]],
  ["waiting", "◌", "waiting", ["scheduled", "blocked", "waiting", "queued"]],
];

/** Of states by name: how many of each kind there are. */
export const kindsOf = (states) => kinds.map(([kind, sign, word, names]) => ({
  kind, sign, word, count: names.reduce((sum, name) => sum + (states[name] ?? 0), 0),
})).filter(({ count: some }) => some);

export const statusOf = ({ status }) => state(...words[status] ?? [null, plain(status)]);

/** Whether something of it can be cancelled. */
export const isLiving = ({ status }) => status === "open" || status === "running";

/** A bar by kinds, and the same in words, which are read out. */
export function progressOf(batch) {
  if (!batch.total) return "no tasks yet";
  const parts = kindsOf(batch.states);
  // An attribute of style would need the policy's leave: boxes of an SVG need none.
  let from = 0;
  const boxes = parts.map(({ kind, count: some }) => {
    const width = 100 * some / parts.reduce((sum, part) => sum + part.count, 0);
    from += width;
    return { kind, x: from - width, width };
  });
  return [stripes(boxes), make("span", { class: "why" },
    parts.map(({ sign, word, count: some }) => `${sign} ${count(some)} ${word}`).join(" · "))];
}

const stripes = (boxes) => vector("svg", { class: "stripes", viewBox: "0 0 100 6",
  preserveAspectRatio: "none", "aria-hidden": "true" },
boxes.map(({ kind, x, width }) =>
  vector("rect", { "data-kind": kind, x, y: 0, width, height: 6 })));

export const totalOf = (batch) => atMost(batch.is_complete ? batch.total : batch.total + 1, 10000);

/** How much of it has ended, in percent. */
export function percentOf({ states, total, is_complete: isComplete }) {
  if (!total || !isComplete) return "–";
  const ended = ["completed", "failed", "cancelled"]
    .reduce((sum, name) => sum + (states[name] ?? 0), 0);
  return `${Math.floor(100 * ended / total)} %`;
}
