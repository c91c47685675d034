// The bar above every page: whether it is cut off, how old it is, its theme and its session.

import { byID, make, say, show } from "./elements.js";
import { ask, contact, failing, isOut } from "./feeds.js";
import { clock, zonedClock } from "./format.js";
import * as theme from "./theme.js";

export function drawBar() {
  const { silence, last } = contact;
  document.body.classList.toggle("stale", Boolean(silence || isOut() || failing().length));
  const parts = isOut()
    ? ["Your session has ended. ", make("a", { href: "/login" }, "Log in again")]
    : silence ? [`This worker has not answered since ${clock(silence.since)} (${silence.why}).`,
      last ? ` What you see is from ${clock(last)}.` : ""] : [];
  show(byID("banner"), parts);
  byID("banner").hidden = !parts.length;
  say("as-of", silence || isOut() || !last ? "" : `as of ${zonedClock(last)}`);
}

async function logOut() {
  try {
    await ask("/logout", { method: "POST", headers: { "X-Amity-Request": "dashboard" } });
    location.assign("/login");
  } catch {
    byID("logout").textContent = "Not logged out: try again";
  }
}

export function start() {
  theme.start();
  byID("logout").hidden = !("session" in document.documentElement.dataset);
  byID("logout").addEventListener("click", logOut);
}
