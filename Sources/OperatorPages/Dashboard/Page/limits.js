// What is paused, and the limits with what waits for them.

import { byID, make, none, show, state, table } from "./elements.js";
import { pauseButton, subjectNamed } from "./flow-actions.js";
import { ago, atMost, count, known, lasted, plain } from "./format.js";
import { paged } from "./pages.js";

export const page = paged({
  name: "limits", label: "Limits", path: "/api/v1/limits", seconds: 3,
  filter: () => ({ all: byID("limits-which").value || null }),
  cursor: { parameter: "after", of: ({ limits }) => limits.at(-1).key },
  first: "First", next: "Next",
});

const head = [["Type or key", "lead"], ["Limit", "lead"], ["Tokens", "number brief"],
  ["Waiting", "number brief"], ["Queued", "number minor"], ["Running", "number brief"], [""]];

/** Words for a rule, one a line. */
function ruleOf({ rule }) {
  if (!rule) return "no limit";
  const parts = [
    known(rule.rate) ? `${count(rule.rate)}/s, burst ${count(rule.burst)}` : null,
    known(rule.cap) ? `${count(rule.cap)} at a time` : null,
    rule.is_strict ? "in strict order" : null,
  ].filter(known);
  return parts.map((part, index) => index ? make("span", { class: "why" }, part) : part);
}

const row = (limit) => ({
  key: limit.key,
  cells: [
    [make("b", { class: "text" }, make("bdi", {}, plain(limit.key))),
      known(limit.paused_by) ? make("span", { class: "why" }, state("warn", "❙❙ paused"),
        ` by ${plain(limit.paused_by)}, ${ago(limit.paused_at)}`) : null],
    ruleOf(limit),
    known(limit.tokens) ? count(Math.floor(limit.tokens * 10) / 10) : "–",
    limit.waiting ? make("b", {}, atMost(limit.waiting, 10000)) : "0",
    atMost(limit.queued, 10000), atMost(limit.running, 10000),
    known(limit.paused_by) ? "" : make("div", { class: "acts" },
      pauseButton(true, limit.key, subjectNamed(limit.key))),
  ],
});

export function draw() {
  page.draw(({ limits }, isLater) => limits.length ? table(head, limits.map(row), "Limits")
    : none(isLater ? "There are no more." : byID("limits-which").value
      ? "There are no limits that have been used. Types get theirs with amity types apply."
      : "No limit keeps a task waiting, and none is paused."));
  drawPauses(page.feed.value?.flow?.pauses ?? []);
}

function drawPauses(pauses) {
  byID("pauses").hidden = !pauses.length;
  show(byID("pauses"), pauses.map((pause) => {
    const name = pause.kind === "key" ? pause.name : `${pause.kind} ${pause.name}`;
    return make("div", { class: "pause", "data-key": name },
      make("p", {}, state("warn", "❙❙ "), make("bdi", {}, make("b", {}, plain(name))),
        ` is paused by ${plain(pause.paused_by)} for ${lasted(pause.paused_at)}`),
      pauseButton(false, name, { kind: pause.kind, name: pause.name }));
  }));
  const names = [...new Set((page.feed.value?.flow?.limits ?? [])
    .flatMap(({ type, key }) => [type, key]))]
    // What is shown otherwise than it is would name another key.
    .filter((name) => plain(name) === name);
  show(byID("pause-names"), names.map((name) => make("option", { value: name })));
}

/** - changed: is called when another page has come. */
export function start(changed) {
  page.start(changed);
  byID("limits-which").addEventListener("change", () => page.restart(changed));
}
