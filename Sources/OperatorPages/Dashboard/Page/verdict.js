// The banner, which names the worst cause, and the bar above it.

import { byID, make, say, show } from "./elements.js";
import { allWorkers, contact, failing, feeds, isLiving, isOut, ownQueue } from "./feeds.js";
import { clock, count, plural, rate, zonedClock } from "./format.js";
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

function drawBar() {
  const { silence, last } = contact;
  document.body.classList.toggle("stale", Boolean(silence || isOut() || failing().length));
  const parts = isOut()
    ? ["Your session has ended. ", make("a", { href: "/login" }, "Log in again")]
    : silence ? [`This worker has not answered since ${clock(silence.since)} (${silence.why}).`,
      last ? ` What you see is from ${clock(last)}.` : ""] : [];
  show(byID("banner"), parts);
  byID("banner").hidden = !parts.length;
  say("as-of", silence || isOut() || !last ? "" : `as of ${zonedClock(last)}`);
  say("queue", feeds.history.value?.queue ?? "");
}
