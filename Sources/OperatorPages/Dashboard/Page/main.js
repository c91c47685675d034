// Sets everything going, and draws it anew whenever something has been answered.

import * as charts from "./charts.js";
import { byID } from "./elements.js";
import { drawFailures } from "./failures.js";
import { ask, feeds, poll } from "./feeds.js";
import { drawFigures } from "./figures.js";
import * as deadLetters from "./dead-letters.js";
import * as search from "./search.js";
import * as theme from "./theme.js";
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

async function logOut() {
  try {
    await ask("/logout", { method: "POST", headers: { "X-Amity-Request": "dashboard" } });
    location.assign("/login");
  } catch {
    byID("logout").textContent = "Not logged out: try again";
  }
}

theme.start();
charts.start();
workers.start(draw);
deadLetters.start(() => {
  draw();
  search.refresh();
});
search.start();
byID("logout").hidden = !("session" in document.documentElement.dataset);
byID("logout").addEventListener("click", logOut);
poll(draw);
