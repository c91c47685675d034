// A batch's own view, with the picture of which of its tasks needs which. Its id stands in the
// page's address, so that a link leads here.

import { isLiving, percentOf, progressOf, statusOf, totalOf } from "./batch-words.js";
import { byID, foreign, make, none, show } from "./elements.js";
import { feed, pull } from "./feeds.js";
import { cancelButton } from "./flow-actions.js";
import { known, plain, when } from "./format.js";
import { picture } from "./graph.js";

/** Of the batch that is looked at; without a path while none is. */
export const pictureFeed = feed(null, 3);

/** The id in the page's address; null where there is none. */
function wantedByAddress() {
  const match = /^#batch=(.+)$/.exec(location.hash);
  try {
    return match ? decodeURIComponent(match[1]).trim() : null;
  } catch { return null; }
}

export const isOpen = () => wantedByAddress() !== null;

const addressOfBatch = (id) => `#batch=${encodeURIComponent(id)}`;

export function drawBatch() {
  const { path, value, error } = pictureFeed;
  if (!path) return;
  if (error?.status === 404 || (value && !value.flow)) {
    show(byID("found-parts"), none("No batch has this id. Batches are deleted with their tasks, "
      + "TASK_RETENTION_DAYS after these have ended."));
  } else if (value) {
    show(byID("found-parts"), article(value.flow));
  } else {
    show(byID("found-parts"), none(error ? `Not known: ${plain(error.message)}` : "Looking …"));
  }
}

function article({ batch, graph }) {
  return make("article", { class: "explanation", "data-key": batch.id },
    make("div", { class: "title" }, make("p", {}, statusOf(batch)),
      isLiving(batch) ? make("div", { class: "acts" }, cancelButton(batch.id)) : null),
    make("div", {}, progressOf(batch)),
    make("dl", { class: "facts" }, factsOf(batch).map(fact)),
    picture(graph));
}

const fact = ([title, value]) => make("div", {}, make("dt", {}, title), make("dd", {}, value));

function factsOf(batch) {
  return [
    ["Tasks", totalOf(batch)], ["Ended", percentOf(batch)], ["Made", when(batch.created_at)],
    ["Open until", known(batch.open_until) ? when(batch.open_until) : null],
    ["Finished", known(batch.finished_at) ? when(batch.finished_at) : null],
    ["Knowledge base", known(batch.kb_id) ? foreign(batch.kb_id) : null],
  ].filter(([, value]) => known(value));
}

/** Shows the batch that the address names, or all of them. */
function open(changed) {
  const id = wantedByAddress();
  byID("found").hidden = id === null;
  byID("all").hidden = id !== null;
  byID("said").textContent = "";
  Object.assign(pictureFeed, { value: null, error: null, due: 0,
    path: id === null ? null : `/api/v1/batches/${encodeURIComponent(id)}` });
  byID("search-id").value = id ?? "";
  changed();
  if (id === null) return;
  show(byID("found-title"), "Batch ", foreign(id));
  scrollTo(0, 0);
  byID("found-title").focus({ preventScroll: true });
  pull(pictureFeed, changed);
}

/** - changed: is called when another batch is looked at, and when it has come. */
export function start(changed) {
  byID("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = byID("search-id").value.trim();
    if (!id) return;
    if (addressOfBatch(id) === location.hash) open(changed);
    else location.hash = addressOfBatch(id);
  });
  addEventListener("hashchange", () => open(changed));
  open(changed);
}
