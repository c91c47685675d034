// Sets everything going, and draws it anew whenever something has been answered.

import * as bar from "./bar.js";
import * as charts from "./charts.js";
import { drawFailures } from "./failures.js";
import { feeds, poll } from "./feeds.js";
import { drawFigures } from "./figures.js";
import * as deadLetters from "./dead-letters.js";
import * as search from "./search.js";
import { drawVerdict } from "./verdict.js";
import * as workers from "./workers.js";

function draw() {
  drawVerdict();
  drawFigures();
  workers.drawWorkers();
  drawFailures();
  if (feeds.history.value) charts.drawHistory(feeds.history.value);
  deadLetters.lookIfChanged();
}

bar.start();
charts.start();
workers.start(draw);
deadLetters.start(() => {
  draw();
  search.refresh();
});
search.start();
poll(() => Object.values(feeds), draw);
