// Words for figures and times.

export const known = (value) => value !== undefined && value !== null;

/** What is not known. */
export const unknown = "–";

/** A text from outside: nothing in it moves what stands around it, or hides. */
export const plain = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const count = (value) => known(value) ? number.format(value) : unknown;
/** Of what was counted up to `most`, and one more where there are more. */
export const atMost = (value, most) => value > most ? `${count(most)}+` : count(value);
export const plural = (value, one, many = `${one}s`) =>
  `${count(value)} ${value === 1 ? one : many}`;
export const megabytes = (bytes) => `${Math.round(bytes / 1048576)} MB`;
export const percent = (share) => `${number.format(share * 100)} %`;

/** In the largest unit of which there is one. */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const steps = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${precise.format(bytes / 1024 ** steps)} ${units[steps]}`;
}

export function rate(value) {
  if (!known(value)) return unknown;
  if (value > 0 && value < 0.05) return "<0.1/s";
  return `${number.format(value < 100 ? value : Math.round(value))}/s`;
}

/** A rate at the edge of a chart, where the small ones differ. */
export const preciseRate = (value) => `${precise.format(value)}/s`;

/** In the largest unit of which there are two. */
export function duration(seconds) {
  if (!known(seconds)) return unknown;
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${+(seconds * 1000).toPrecision(2)} ms`;
  if (seconds < 9.95) return `${number.format(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

// MARK: Times

/** How far the worker's clock is ahead of this one's, in milliseconds. */
let ahead = 0;

/** Takes over the worker's clock from the `Date` of an answer, which names whole seconds. */
export function setClock(date) {
  const difference = Date.parse(date) - Date.now();
  if (Number.isNaN(difference)) return;
  ahead = Math.abs(difference) > 2000 ? difference : 0;
}

export const now = () => Date.now() + ahead;

export const clock = (date) => date.toLocaleTimeString("en", { hourCycle: "h23" });

/** The clock with its time zone, as the reader's machine has it. */
export const zonedClock = (date) =>
  date.toLocaleTimeString("en", { hourCycle: "h23", timeZoneName: "short" });

/** Seconds since an instant as the workers write it. */
export const since = (text) => Math.max(0, (now() - Date.parse(text)) / 1000);
export const lasted = (text) => duration(Math.round(since(text)));
export const ago = (text) => known(text) ? `${lasted(text)} ago` : "never";

/** Of an instant that is to come. */
export const until = (text) => {
  const seconds = Math.round((Date.parse(text) - now()) / 1000);
  return seconds > 0 ? `in ${duration(seconds)}` : "now";
};

/** For what stays as it is drawn: the time, with the day where that is another. */
export function when(text) {
  const date = new Date(text);
  if (Number.isNaN(date.valueOf())) return unknown;
  const day = { month: "short", day: "numeric" };
  return date.toDateString() === new Date(now()).toDateString()
    ? clock(date)
    : `${date.toLocaleDateString("en", day)}, ${clock(date)}`;
}
