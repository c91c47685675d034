// How a conversation's score came about, or why it has none yet: what `amity explain` says.

import { linkTo, make, state } from "./elements.js";
import { deadLetterTable } from "./dead-letters.js";
import { count, known, plain, when } from "./format.js";

const states = {
  scored: ["ok", "✓ scored"], skipped: [null, "○ skipped"], unknown: ["warn", "! unknown"],
  queued: ["warn", "◐ queued"], processing: ["warn", "◐ in another worker's hands"],
  delayed: ["warn", "◐ will be tried again"], dead: ["bad", "✕ failed for good"],
};

export function explained(explanation) {
  const { because, score, dead_letters: deadLetters } = explanation;
  const [level, text] = states[explanation.state] ?? ["warn", plain(explanation.state)];
  return make("article", { class: "explanation", "data-key": "explanation" },
    make("p", {}, state(level, text)),
    make("dl", { class: "facts" }, factsOf(explanation).map(fact)),
    score ? scoreTable(score) : null,
    because.length ? make("ul", {}, because.map((reason) => make("li", {}, plain(reason)))) : null,
    deadLetters.length ? deadLetterTable(deadLetters, "Its dead letters", true) : null);
}

const fact = ([title, value]) => make("div", {}, make("dt", {}, title), make("dd", {}, value));

function factsOf(explanation) {
  const { user_id: user, error_code: code, error_details: details, paid } = explanation;
  const facts = [
    ["User", known(user) ? linkTo(user) : null],
    ["Created", known(explanation.created_at) ? when(explanation.created_at) : null],
    ["Scored", known(explanation.processed_at) ? when(explanation.processed_at) : null],
    ["Attempts", known(explanation.status) ? count(explanation.attempts) : null],
    ["Next attempt", explanation.state === "delayed" && known(explanation.next_attempt_at)
      ? when(explanation.next_attempt_at) : null],
    ["Error", known(code) ? [code, details].filter(known).map(plain).join(": ") : null],
    ["Paid for so far", paid ? paidParts(paid) : null],
  ];
  return facts.filter(([, value]) => value);
}

const paidParts = ({ questions, emotion, memories }) => [
  known(questions) ? `${count(questions)} questions` : null, emotion,
  known(memories) ? `${count(memories)} memories` : null,
].filter(known).map(plain).join(", ");

// MARK: The score

function scoreTable(score) {
  const row = (name, note, value, points) => make("tr", {},
    make("th", { scope: "row" }, name, note ? make("span", { class: "why" }, note) : null),
    make("td", { class: "number" }, value), make("td", { class: "number" }, points));
  const title = (text, style) => make("th", { scope: "col", class: style }, text);
  const { change, change_by_weights: byWeights, level_before: levelBefore } = score;
  const level = known(levelBefore) && levelBefore !== score.level_after
    ? `${levelBefore} → ${score.level_after}` : score.level_after;
  return make("table", { class: "score", "aria-label": "Its score, part by part" },
    make("thead", {}, make("tr", {},
      title("Part"), title("Value", "number"), title("Points", "number"))),
    make("tbody", {},
      score.parts.map((part) =>
        row(part.name, sourceOf(part, score.sources), plain(part.value), count(part.points))),
      row("change", change === 0 ? "never less than 0" : byWeights === change ? null
        : `by today's weights it would be ${count(byWeights)}`, "", make("b", {}, count(change))),
      known(score.score_before) || known(level) ? row("friendship", level && plain(level), "",
        `${count(score.score_before)} → ${count(score.score_after)}`) : null));
}

function sourceOf({ name, source, turns }, sources) {
  if (!known(source)) return "not recorded";
  if (source === "log") return "the log";
  const isMemory = name === "memories";
  const failure = isMemory ? sources?.memory_service_failure : sources?.llm_failure;
  if (source === "llm") return plain(["llm", sources?.model].filter(known).join(", "));
  const ids = (turns ?? []).join(", ");
  const counted = ids ? `: ${turns.length === 1 ? "turn" : "turns"} ${ids}` : "";
  const service = isMemory ? "memory service" : "llm";
  return known(failure)
    ? plain(`${source}${counted}, because the ${service} gave none: ${failure}`)
    : plain(source + counted);
}
