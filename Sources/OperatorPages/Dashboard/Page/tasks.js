// The page of tasks: sets it going, and draws it anew whenever something has been answered.

import * as bar from "./bar.js";
import { byID, none, show } from "./elements.js";
import { feed, feeds, poll, pull } from "./feeds.js";
import { plain } from "./format.js";
import * as actions from "./task-actions.js";
import * as lists from "./task-list.js";
import { drawFailed, drawQueues } from "./task-queues.js";
import * as one from "./task.js";

const overview = feed("/api/v1/stats/tasks", 3);

/** What is asked for: of all tasks, or of the one that is looked at. */
const wanted = () => one.isOpen() ? [one.taskFeed].filter(({ path }) => path)
  : [overview, feeds.taskAlerts, ...Object.values(lists.feedsOfLists)];

function draw() {
  bar.drawBar();
  if (one.isOpen()) one.drawTask();
  else drawAll();
}

function drawAll() {
  const { value, error } = overview;
  byID("no-tables").hidden = !value || Boolean(value.tasks);
  byID("parts").hidden = !byID("no-tables").hidden;
  if (value?.tasks) {
    drawQueues(value.tasks, feeds.taskAlerts.value?.alerts ?? []);
    drawFailed(value.tasks);
  } else {
    const said = none(error ? `Not known: ${plain(error.message)}` : "Looking …");
    for (const part of ["queues", "failed"]) show(byID(part), said.cloneNode(true));
  }
  lists.drawLists();
}

/** After an action. */
function refresh() {
  for (const feed of wanted()) pull(feed, draw);
}

bar.start();
actions.start(refresh);
lists.start(draw);
one.start(draw);
poll(wanted, draw);
