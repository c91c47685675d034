// Batches, a page at a time, with how far each is.

import { foreign, make, none, table } from "./elements.js";
import { isLiving, percentOf, progressOf, statusOf, totalOf } from "./batch-words.js";
import { cancelButton } from "./flow-actions.js";
import { ago, known, plain, until } from "./format.js";
import { paged } from "./pages.js";

export const page = paged({
  name: "batches", label: "Batches", path: "/api/v1/batches", seconds: 3,
  cursor: { parameter: "before", of: ({ batches }) => batches.at(-1).id },
  first: "Newest", next: "Older",
});

const head = [["Batch", "lead"], ["State", "lead"], ["Progress", "wide"], ["Ended", "number"],
  ["Tasks", "number"], ["Made", "number"], [""]];

const row = (batch) => ({
  key: batch.id,
  cells: [
    [make("a", { href: `#batch=${batch.id}` }, foreign(batch.id)),
      known(batch.kb_id) ? make("span", { class: "why" }, plain(batch.kb_id)) : null],
    [statusOf(batch), known(batch.open_until)
      ? make("span", { class: "why" }, `closes ${until(batch.open_until)}`) : null],
    progressOf(batch), percentOf(batch), totalOf(batch), ago(batch.created_at),
    isLiving(batch) ? make("div", { class: "acts" }, cancelButton(batch.id)) : "",
  ],
});

export function draw() {
  page.draw(({ batches }, isLater) => batches.length
    ? table(head, batches.map(row), "Batches")
    : none(isLater ? "There are no older ones."
      : "There are no batches. Clients make them with POST /api/v1/tasks/batch."));
}

export const start = page.start;
