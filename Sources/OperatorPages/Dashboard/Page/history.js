// The history as charts need it: even steps, rows of values, scales. Draws nothing.

import { count, duration, known, now, preciseRate, rate } from "./format.js";

/** Chosen: less would make a chart of a few points look like a story. */
const leastMinutes = 10;

/**
 * One place for each step since the first that is known, those without a report included, up to an
 * hour: { points, step in milliseconds, first: the begin of the first step }.
 */
export function steps(history) {
  const step = history.step_seconds * 1000;
  const last = Math.floor(now() / step) * step;
  const length = Math.round(3600000 / step);
  const points = new Array(length).fill(null);
  for (const point of history.points) {
    const index = length - 1 + Math.round((Date.parse(point.at) - last) / step);
    if (index >= 0 && index < length) points[index] = point;
  }
  const earliest = points.findIndex((point) => point !== null);
  const latestBegin = length - leastMinutes * 60000 / step;
  const begin = earliest < 0 ? 0 : Math.min(earliest, latestBegin);
  return { points: points.slice(begin), step, first: last - (length - 1 - begin) * step };
}

/** What is drawn: the values of a step, and how they are written at the axis and above. */
export const charts = [
  {
    title: "Throughput", axis: preciseRate, format: rate, ladder: decimal(0.01), isRate: true,
    series: [
      { name: "done", pick: (point, seconds) => known(point.done) ? point.done / seconds : null },
      {
        name: "failed",
        pick: (point, seconds) => known(point.done)
          ? ((point.retried ?? 0) + (point.dead ?? 0)) / seconds : null,
      },
    ],
  },
  {
    title: "From delivery to ack", axis: duration, format: duration, ladder: time, isRate: true,
    series: [
      { name: "p50", pick: (point) => point.ack_seconds_p50 ?? null },
      { name: "p99", pick: (point) => point.ack_seconds_p99 ?? null },
    ],
  },
  {
    title: "Queue depth", axis: count, format: count, ladder: decimal(1),
    series: [
      { name: "waiting", pick: (point) => point.ready ?? null },
      { name: "to be retried", pick: (point) => point.retrying ?? null },
    ],
  },
  {
    title: "Oldest waiting", axis: duration, format: duration, ladder: time,
    series: [{ name: "age", pick: (point) => point.oldest_age_seconds ?? null }],
  },
];

/** Of each series the values, one for each step; null where there is none. */
export function valuesOf(chart, slots) {
  const last = slots.points.length - 1;
  return chart.series.map((series) => slots.points.map((point, index) => {
    // The step that has not ended would look like a fall.
    if (!point || chart.isRate && index === last) return null;
    return series.pick(point, slots.step / 1000);
  }));
}

/** Runs of adjacent items that are wanted, as [first, last]. */
export function runs(row, isWanted) {
  const found = [];
  row.forEach((value, index) => {
    if (!isWanted(value)) return;
    const last = found.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  });
  return found;
}

// MARK: Scales

/** The smallest even distance of at most four lines that reaches the largest value. */
export function scale(most, ladder) {
  const wanted = most / 4;
  const gap = ladder(wanted);
  return { gap, lines: Math.max(1, Math.ceil(most / gap - 1e-9)) };
}

/** Steps of 1, 2, 2.5 or 5 times a power of ten; none below `least`. */
function decimal(least) {
  return (wanted) => {
    if (wanted <= least) return least;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 2.5, 5, 10].find((one) => one * power >= wanted * (1 - 1e-9)) * power;
    return least < 1 ? step : Math.ceil(step);
  };
}

const spans = [.0001, .0002, .0005, .001, .002, .003, .005, .01, .02, .03, .05, .1, .2, .3, .5,
  1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400,
  21600, 28800, 43200, 86400];
function time(wanted) {
  return spans.find((span) => span >= wanted) ?? 86400 * Math.ceil(wanted / 86400);
}
