// The page of limits, schedules, batches and events: sets it going, and draws it anew whenever
// something has been answered.

import * as bar from "./bar.js";
import * as one from "./batch.js";
import * as batches from "./batches.js";
import { byID } from "./elements.js";
import * as events from "./events.js";
import { poll, pull } from "./feeds.js";
import * as actions from "./flow-actions.js";
import { known } from "./format.js";
import * as limits from "./limits.js";
import * as schedules from "./schedules.js";

const lists = [limits, schedules, batches];

/** What is asked for: of all, or of the batch that is looked at. */
const wanted = () => one.isOpen() ? [one.pictureFeed].filter(({ path }) => path)
  : lists.map((list) => list.page.feed);

/** Whether events are to be heard: not before it is known that there is what writes them. */
const hears = () => !one.isOpen() && known(limits.page.feed.value?.flow);

function draw() {
  bar.drawBar();
  events.listen(hears());
  if (one.isOpen()) {
    one.drawBatch();
    return;
  }
  const answer = limits.page.feed.value;
  byID("no-tables").hidden = !answer || known(answer.flow);
  byID("parts").hidden = !byID("no-tables").hidden;
  for (const list of lists) list.draw();
}

/** After an action. */
function refresh() {
  for (const feed of wanted()) pull(feed, draw);
}

bar.start();
actions.start(refresh);
for (const list of lists) list.start(draw);
one.start(draw);
events.start(hears);
poll(wanted, draw);
