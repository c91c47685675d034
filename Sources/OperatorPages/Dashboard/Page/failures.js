// What failed last, equal failures in one row.

import { byID, linkTo, make, none, show, state, table } from "./elements.js";
import { allWorkers, feeds, nameOf } from "./feeds.js";
import { ago, count, known, plain } from "./format.js";

/** Conversations of a row that are named at once. */
const mostNamed = 2;
const mostRows = 10;

const head = [["Failure", "lead short"], ["Last", "lead short"], ["Conversations"], ["Then"],
  ["Workers", "minor"]];

/** All that workers remember, the latest first. */
export const allFailures = () => allWorkers()
  .flatMap((worker) => worker.failures.map((failure) => ({ ...failure, worker: nameOf(worker) })))
  .sort((one, other) => Date.parse(other.at) - Date.parse(one.at));

export function drawFailures() {
  if (!feeds.workers.value) {
    if (feeds.workers.error) show(byID("failures"), none("Not known."));
    return;
  }
  const rows = failureRows(allFailures());
  show(byID("failures"), rows.length ? table(head, rows.slice(0, mostRows), "Recent failures")
    : none("Nothing has failed."));
}

export const failureTable = (failures, label) => table(head, failureRows(failures), label);

/** A row for each code and what came of it, in the order of the latest. */
function failureRows(failures) {
  const groups = new Map();
  for (const failure of failures) {
    const key = `${failure.is_dead ? "dead" : "again"} ${failure.code}`;
    const group = groups.get(key)
      ?? { key, latest: failure, times: 0, named: new Set(), by: new Set() };
    group.times += 1;
    if (known(failure.conversation)) group.named.add(failure.conversation);
    group.by.add(failure.worker);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ key, latest, times, named, by }) => ({
    key,
    cells: [
      [`${count(times)} × `, make("code", {}, plain(latest.code))], ago(latest.at),
      conversations([...named]),
      latest.is_dead ? state("bad", "dead letter") : state("warn", "tried again"),
      make("span", { class: "id" }, [...by].join(", ")),
    ],
  }));
}

function conversations(ids) {
  const links = ids.map((id) => make("span", { "data-key": id }, linkTo(id), " "));
  if (ids.length <= mostNamed) return ids.length ? links : "–";
  return [...links.slice(0, mostNamed), make("details", { class: "rest", "data-key": "rest" },
    make("summary", {}, `and ${ids.length - mostNamed} more`), links.slice(mostNamed))];
}
