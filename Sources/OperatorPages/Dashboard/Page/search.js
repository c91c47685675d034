// All that is known of one conversation or user. Its id stands in the page's address, so that a
// link leads here.

import { addressOf, byID, foreign, make, none, show } from "./elements.js";
import { allFailures, failureTable } from "./failures.js";
import { get } from "./feeds.js";
import { plain } from "./format.js";
import { explained } from "./explanation.js";
import { deadLetterTable } from "./dead-letters.js";

/** What is looked for; null where nothing is. */
let wanted = null;

function wantedByAddress() {
  const match = /^#find=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]) : null;
  } catch { return null; }
}

async function find() {
  const id = wantedByAddress();
  const isNew = id !== wanted;
  wanted = id;
  byID("found").hidden = id === null;
  if (id === null) return;
  byID("search-id").value = id;
  if (isNew) {
    show(byID("found-title"), "About ", foreign(id));
    show(byID("found-parts"), none("Looking …"));
    byID("found").scrollIntoView({ block: "start" });
    byID("found-title").focus({ preventScroll: true });
  }
  const name = encodeURIComponent(id);
  const parts = await Promise.allSettled([
    get(`/api/v1/conversations/${name}/explanation`), get(`/api/v1/users/${name}/dead-letters`),
  ]);
  if (wanted === id) draw(id, ...parts);
}

function draw(id, explanation, ofUser) {
  const failures = allFailures().filter((failure) => failure.conversation === id);
  const deadLetters = ofUser.value?.letters ?? [];
  const isConversation = explanation.value
    && (explanation.value.state !== "unknown" || explanation.value.dead_letters.length > 0);
  const reasons = [explanation, ofUser].filter((part) => part.status === "rejected")
    .map((part) => part.reason.message);
  const parts = [
    isConversation ? explained(explanation.value) : null,
    deadLetters.length ? part("Dead letters of this user",
      deadLetterTable(deadLetters, "Its dead letters", true)) : null,
    failures.length ? part("Recent failures", failureTable(failures, "Its recent failures")) : null,
    ...[...new Set(reasons)].map((reason) => none(`Not all can be read: ${plain(reason)}`)),
  ];
  if (!parts.some(Boolean)) {
    parts.push(none("No conversation has this id, and no user with it has a dead letter."));
  }
  show(byID("found-parts"), parts);
}

const part = (title, content) =>
  make("div", { "data-key": title }, make("h3", {}, title), content);

/** Asks anew for what is shown, as after an order. */
export function refresh() {
  if (wanted !== null) find();
}

export function start() {
  byID("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = byID("search-id").value.trim();
    if (!id) return;
    if (addressOf(id) === location.hash) refresh();
    else location.hash = addressOf(id);
  });
  byID("found-close").addEventListener("click", () => {
    history.pushState(null, "", location.pathname);
    byID("search-id").value = "";
    find();
    byID("search-id").focus();
  });
  addEventListener("hashchange", find);
  addEventListener("popstate", find);
  find();
}
