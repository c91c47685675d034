// The banner, which names the worst cause.

import { drawBar } from "./bar.js";
import { byID, make, say, show } from "./elements.js";
import { allWorkers, contact, feeds, hasTasks, isLiving, isOut, ownQueue } from "./feeds.js";
import { count, plural, rate } from "./format.js";
import { problems } from "./problems.js";

const marks = { ok: "✓", warn: "!", bad: "✕", unknown: "" };

export function drawVerdict() {
  const hasContact = !contact.silence && !isOut();
  const found = hasContact ? problems() : [];
  const hasLooked = [feeds.health, feeds.workers, feeds.queues].every((feed) => feed.value);
  const level = !hasContact ? "bad" : found[0]?.level ?? (hasLooked ? "ok" : "unknown");
  const title = isOut() ? "Logged out" : contact.silence ? "No contact"
    : found[0]?.title ?? (level === "ok" ? "All is well" : "Looking …");
  byID("verdict").dataset.level = level;
  say("verdict-title", `${marks[level]} ${title}`.trim());
  say("verdict-detail", level === "ok" ? summary() : "");
  show(byID("problems"), found.map((one, index) => entry(one, index === 0)));
  document.title = !hasContact ? "✕ Amity" : found.length ? `(${found.length}) Amity` : "Amity";
  say("queue", feeds.history.value?.queue ?? "");
  byID("pages").hidden = !hasTasks();
  drawBar();
}

function summary() {
  const living = allWorkers().filter(isLiving);
  const queue = ownQueue();
  return `${plural(living.length, "worker")} ready, ${count(queue?.ready)} waiting, `
    + `${rate(queue?.done_per_second)} done`;
}

/** The first one's title is the banner's. */
function entry(problem, isFirst) {
  const { level, what, title, detail, link } = problem;
  const text = isFirst ? detail : detail ? `${title}: ${detail}` : title;
  return make("li", { "data-level": level, "data-key": `${what} ${title}`, hidden: !text },
    make("b", {}, what),
    link ? make("a", { href: link }, text || title) : make("span", {}, text));
}
