// Lists of tasks, a page at a time: those that run, and those in any state.

import { byID, make, none, show, table } from "./elements.js";
import { feed, pull } from "./feeds.js";
import { ago, known, lasted, plain, when } from "./format.js";
import { actsOf } from "./task-actions.js";
import { attemptOf, nameOfTask, progressOf, queueOf, stateOf } from "./task-words.js";

/** What the second list is limited to, of state, type and code. */
let wanted = {};

const lists = {
  running: { filter: () => ({ state: "processing" }), before: null, empty: () => "No task runs." },
  list: { filter: () => wanted, before: null, empty: () => known(wanted.state)
    ? `No task is ${wanted.state}.`
    : "There are no tasks. Clients make them by HTTP, operators with amity tasks submit." },
};

export const feedsOfLists = {
  running: feed(pathOf(lists.running), 3), list: feed(pathOf(lists.list), 5),
};

function pathOf({ filter, before }) {
  const query = new URLSearchParams(
    Object.entries({ ...filter(), before }).filter(([, value]) => known(value)));
  return query.size ? `/api/v1/tasks?${query}` : "/api/v1/tasks";
}

const runningHead = [["Task", "lead"], ["Queue", "lead"], ["Progress", "number"],
  ["Running for", "number"], ["Attempt", "number"], ["Worker", "minor"], [""]];

const runningRow = (task) => ({
  key: task.id,
  cells: [
    nameOfTask(task), queueOf(task), progressOf(task),
    known(task.started_at) ? lasted(task.started_at) : "–", attemptOf(task),
    // A run that has no worker was handed over.
    known(task.worker) ? make("span", { class: "id" }, plain(task.worker)) : "a service",
    task.is_cancel_asked ? stateOf(task) : actsOf(task),
  ],
});

const listHead = [["Task", "lead"], ["State", "lead"], ["Queue", "minor"],
  ["Attempt", "number minor"], ["Made", "number"], ["Ended", "number"], [""]];

const reasonsOf = (task) => [
  known(task.due_at) ? `for ${when(task.due_at)}` : null,
  known(task.error_code) && task.state !== "completed"
    ? make("code", {}, plain(task.error_code)) : null,
].filter(known).map((reason) => make("span", { class: "why" }, reason));

const listRow = (task) => ({
  key: task.id,
  cells: [
    nameOfTask(task), [stateOf(task), ...reasonsOf(task)], queueOf(task), attemptOf(task),
    ago(task.created_at), known(task.finished_at) ? ago(task.finished_at) : "–", actsOf(task),
  ],
});

export function drawLists() {
  draw("running", runningHead, runningRow, "Running tasks");
  draw("list", listHead, listRow, "Tasks");
  const { type, code } = wanted;
  byID("list-only").hidden = !known(type);
  show(byID("list-only"), known(type) ? [`Only ${plain(type)} with `,
    make("code", {}, plain(code ?? "any code")), ". ",
    make("button", { type: "button", "data-show-all": true }, "Show all")] : []);
}

function draw(name, head, row, label) {
  const { value, error, path } = feedsOfLists[name];
  const { before, empty } = lists[name];
  if (!value) {
    show(byID(name), none(error ? `Not known: ${plain(error.message)}` : "Looking …"));
    return;
  }
  const { tasks, has_more: hasMore } = value;
  show(byID(name), tasks.length ? table(head, tasks.map(row), label)
    : none(before ? "There are no older ones." : empty()));
  const page = (direction, title, isOff) => make("button", { type: "button", disabled: isOff,
    "data-list": name, "data-page": direction, "aria-label": `${title}: ${label}` }, title);
  show(byID(`${name}-pages`), before || hasMore
    ? [page("first", "Newest", !before), page("older", "Older", !hasMore)] : []);
}

function turn(name, before, changed) {
  const list = feedsOfLists[name];
  lists[name].before = before;
  list.path = pathOf(lists[name]);
  list.due = 0;
  pull(list, changed);
}

function limit(to, changed) {
  wanted = to;
  byID("list-state").value = to.state ?? "";
  feedsOfLists.list.value = null;
  turn("list", null, changed);
  changed();
}

/** - changed: is called when another page has come. */
export function start(changed) {
  byID("list-state").addEventListener("change", ({ target }) =>
    limit({ state: target.value || null }, changed));
  byID("main").addEventListener("click", ({ target }) => {
    const { list, page, showType, showCode, showAll } = target.closest("button")?.dataset ?? {};
    if (page === "first") turn(list, null, changed);
    if (page === "older") turn(list, feedsOfLists[list].value.tasks.at(-1).id, changed);
    if (known(showAll)) limit({}, changed);
    if (known(showType)) {
      limit({ state: "failed", type: showType, code: showCode }, changed);
      byID("list-title").scrollIntoView({ block: "start" });
      byID("list-title").focus({ preventScroll: true });
    }
  });
}
