// Dead letters by code, and what is done to them.

import { isMeant } from "./confirm.js";
import { byID, foreign, linkTo, make, none, show, table } from "./elements.js";
import { feeds, get, ownQueue, post, pull, reasonOf } from "./feeds.js";
import { count, known, plain, plural, when } from "./format.js";

const deadLetters = { value: null, error: null, total: undefined, isBusy: false };

/** Reads them again. */
export async function look() {
  if (deadLetters.isBusy) return;
  deadLetters.isBusy = true;
  deadLetters.total = ownQueue()?.dead_letters;
  byID("look").disabled = true;
  try {
    deadLetters.value = await get("/api/v1/dead-letters");
    deadLetters.error = null;
  } catch (error) {
    deadLetters.error = error;
  }
  deadLetters.isBusy = false;
  byID("look").disabled = false;
  draw();
}

/** Reads them again when there are more or fewer of them. */
export function lookIfChanged() {
  const total = ownQueue()?.dead_letters;
  if (known(total) && total !== deadLetters.total) look();
}

function draw() {
  if (deadLetters.error) {
    show(byID("dead-letters"), none(`They cannot be read: ${plain(deadLetters.error.message)}`));
    return;
  }
  const { groups, is_complete: isComplete, remarks } = deadLetters.value;
  const notes = remarks.map((remark) => none(plain(remark)));
  if (!groups.length && isComplete) notes.unshift(none("None."));
  if (groups.length && !isComplete && !remarks.length) {
    notes.unshift(none("There are more codes than these."));
  }
  show(byID("dead-letters"), groups.map(groupOf), notes);
  place(groups.length > 0);
}

/** Above the charts while there are any. After an order it stays where its result was read. */
function place(hasAny) {
  const section = byID("dead"), charts = byID("hour"), main = byID("main");
  if (hasAny && section.nextElementSibling !== charts) main.insertBefore(section, charts);
  if (!hasAny && section !== main.lastElementChild && !byID("dead-letters-said").textContent) {
    main.append(section);
  }
}

function groupOf(group) {
  const title = group.code || "no code";
  const all = plural(group.count, "dead letter");
  const times = new Set([group.first_failure_at, group.last_failure_at].filter(Boolean).map(when));
  const shown = group.letters.length;
  const summary = shown === group.count ? `Show ${plural(shown, "dead letter")}`
    : `Show the oldest ${count(shown)} of ${count(group.count)}`;
  return make("article", { class: "group", "data-key": group.code },
    make("header", {},
      make("h3", {}, `${count(group.count)} × `, make("code", {}, plain(title))),
      make("p", {}, plain(group.reason), times.size ? `, at ${[...times].join(" to ")}` : ""),
      acts({ code: group.code }, `all ${all} of ${title}`, `${all} of ${title}`)),
    make("details", { "data-key": "dead-letters" },
      make("summary", {}, summary), deadLetterTable(group.letters, `Dead letters of ${title}`)));
}

const head = [["Last failed"], ["Conversation"], ["User"], ["Attempts", "number"],
  ["Replays", "number"], ["Bytes", "number"], ["Worker", "minor"], [""]];

/** Dead letters with what can be done to each; under their codes where `hasCodes`. */
export function deadLetterTable(some, label, hasCodes = false) {
  const titles = hasCodes ? [head[0], ["Code"], ...head.slice(1)] : head;
  return table(titles, some.map((deadLetter) => rowOf(deadLetter, hasCodes)), label);
}

function rowOf(deadLetter, hasCodes) {
  const id = deadLetter.conversation_id;
  const what = `the dead letter of ${id ?? deadLetter.id.slice(0, 12)}`;
  return {
    key: deadLetter.id,
    cells: [
      deadLetter.last_failure_at ? when(deadLetter.last_failure_at) : "unknown",
      ...(hasCodes ? [make("code", {}, plain(deadLetter.code))] : []),
      known(id) ? linkTo(id) : ["none (dead letter ", foreign(deadLetter.id.slice(0, 12)), ")"],
      known(deadLetter.user_id) ? linkTo(deadLetter.user_id) : "–",
      count(deadLetter.attempts), count(deadLetter.replays), count(deadLetter.body_bytes),
      make("span", { class: "id" }, deadLetter.worker || "–"),
      acts({ id: deadLetter.id }, what, what),
    ],
  };
}

/** - selection: of all dead letters with a code, or of one by its id. */
function acts({ code, id }, label, what) {
  const button = (verb, title, style) => make("button", {
    type: "button", class: style, "aria-label": `${title} ${plain(label)}`,
    "data-verb": verb, "data-code": code, "data-id": id, "data-what": plain(what),
  }, title);
  return make("div", { class: "acts" },
    button("retry", "Retry"), button("purge", "Purge", "danger"));
}

// MARK: What is done

function isOrderMeant(verb, what) {
  const isPurge = verb === "purge";
  return isMeant({
    title: isPurge ? "Purge for good?" : "Retry?", yes: isPurge ? "Purge" : "Retry",
    word: isPurge ? "purge" : null,
    text: [isPurge ? "Removes " : "Puts ", foreign(what), isPurge
      ? " from the dead-letter queue. It cannot be undone."
      : " back on the queue, with a fresh budget of attempts. A conversation counts once."],
  });
}

async function order({ verb, code, id, what }, changed) {
  if (!await isOrderMeant(verb, what)) return;
  const said = byID("dead-letters-said");
  said.textContent = verb === "purge" ? "Purging …" : "Retrying …";
  try {
    const selection = known(id) ? { ids: [id] } : { code };
    said.textContent = resultOf(verb, await post(`/api/v1/dead-letters/${verb}`, selection));
  } catch (error) {
    said.textContent = `Not known to be done: ${error.message}. Look again.`;
  }
  await look();
  pull(feeds.queues, changed);
}

function resultOf(verb, answer) {
  const { isFine, value } = answer;
  const done = verb === "purge" ? value?.purged : value?.retried;
  const result = known(done)
    ? `${plural(done, "dead letter")} ${verb === "purge" ? "purged" : "retried"}.` : "";
  if (!isFine) return `${result} It failed: ${reasonOf(answer)}`.trim();
  return value.is_complete === false ? `${result} There are more: ask again.` : result;
}

/** - changed: is called after each order. */
export function start(changed) {
  byID("look").addEventListener("click", look);
  byID("main").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-verb]");
    if (button) order(button.dataset, changed);
  });
  look();
}
