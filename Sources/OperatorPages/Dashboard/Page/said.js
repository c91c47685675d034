// What has come of an action.

import { byID } from "./elements.js";

/** For ten seconds. */
export function tell(text) {
  const said = byID("said");
  said.textContent = text;
  setTimeout(() => { if (said.textContent === text) said.textContent = ""; }, 10000);
}
