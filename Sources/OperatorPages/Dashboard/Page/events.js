// Events as they come: a bounded list, the newest first. While the page is not seen it listens to
// nothing.

import { byID, foreign, make, none, say, show, table } from "./elements.js";
import { clock, known, plain, plural } from "./format.js";

/** Chosen: what a person looks through. */
const most = 50;
/** Until a closed stream is tried again, in milliseconds. */
const pause = 5000;

let source = null;
let events = [];
let told = null;
let missed = 0;
let isHeld = false;
let isWanted = () => true;
/** When a closed stream is tried again; null for none. */
let again = null;

const head = [["Time", "lead short"], ["Type", "lead"], ["Subject"], ["Event", "minor"]];

/** A task's subject is its id. */
function subjectOf({ type, subject }) {
  return type.startsWith("amity.task.") && /^[0-9a-f-]{36}$/.test(subject)
    ? make("a", { href: `/tasks#task=${subject}` }, foreign(subject)) : foreign(subject);
}

function timeOf({ time }) {
  const date = new Date(time);
  return Number.isNaN(date.valueOf()) ? plain(time) : clock(date);
}

const row = (event) => ({
  key: event.key,
  cells: [timeOf(event), plain(event.type), subjectOf(event), foreign(event.id)],
});

function stateOfStream() {
  if (!told) return source ? "Connecting …" : "Not connected.";
  if (known(told.refusal)) return plain(told.refusal);
  const parts = [
    told.notes.is_listening ? null : known(told.notes.problem)
      ? `The broker cannot be listened to: ${plain(told.notes.problem)}` : "Connecting …",
    told.topics.length ? null : "EVENTS is off in this worker: what it does itself is not told, "
      + "what others write is.",
    missed ? `${plural(missed, "event")} came too fast to be shown.` : null,
    isHeld ? "Held: new ones are not added." : null,
  ].filter(known);
  return parts.length ? parts.join(" ") : "Listening.";
}

function draw() {
  say("events-state", stateOfStream());
  byID("hold").setAttribute("aria-pressed", String(isHeld));
  byID("hold").textContent = isHeld ? "Go on" : "Hold";
  show(byID("events"), events.length ? table(head, events.map(row), "Events")
    : none("None has come since this page listens."));
}

let number = 0;

function take({ data }) {
  told = JSON.parse(data);
  if (known(told.refusal)) {
    // Else it would come again by itself.
    source.close();
    source = null;
    draw();
    return;
  }
  missed += told.notes.missed;
  if (!isHeld) {
    // An event may come twice: each line is of its own.
    const fresh = told.notes.events.map((event) => ({ ...event, key: number++ })).reverse();
    events = [...fresh, ...events].slice(0, most);
  }
  draw();
}

function close() {
  clearTimeout(again);
  again = null;
  source?.close();
  source = null;
  told = null;
}

function open() {
  close();
  const pattern = byID("listen-pattern").value.trim() || "#";
  source = new EventSource(`/api/v1/events?${new URLSearchParams({ pattern })}`);
  source.onmessage = take;
  source.onerror = ({ target }) => {
    told = null;
    // It comes again by itself, unless it was answered with an error.
    if (target.readyState === EventSource.CLOSED && target === source) {
      source = null;
      again = setTimeout(() => {
        again = null;
        listen(isWanted());
      }, pause);
    }
    draw();
  };
  draw();
}

/** Listens while that is wanted and the page is seen, but for what was refused. */
export function listen(isOn) {
  if (isOn && !document.hidden) {
    if (!source && !again && !known(told?.refusal)) open();
  } else close();
}

/** - wanted: whether the list is there. */
export function start(wanted) {
  isWanted = wanted;
  byID("listen").addEventListener("submit", (event) => {
    event.preventDefault();
    events = [];
    missed = 0;
    open();
  });
  byID("hold").addEventListener("click", () => {
    isHeld = !isHeld;
    draw();
  });
  document.addEventListener("visibilitychange", () => listen(isWanted()));
  listen(isWanted());
}
