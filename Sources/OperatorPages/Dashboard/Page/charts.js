// Draws the last hour. Where nothing was reported nothing is drawn, and the ground is darker.

import { byID, make, say, show, vector } from "./elements.js";
import { clock, duration, known } from "./format.js";
import { charts, runs, scale, steps, valuesOf } from "./history.js";

const left = 50, right = 6, top = 8, bottom = 18;
/** The step that is looked at in all charts; null for the latest. */
let cursor = null;
let slots = null;

export function start() {
  charts.forEach(setUp);
}

export function drawHistory(history) {
  slots = steps(history);
  const minutes = Math.round(slots.points.length * slots.step / 60000);
  say("hour-title", `The last ${minutes < 60 ? `${minutes} minutes` : "hour"}, all workers`);
  charts.forEach(draw);
}

function setUp(chart) {
  chart.svg = vector("svg", { role: "img", tabindex: "0" });
  chart.output = make("output", {});
  byID("charts").append(make("figure", {},
    make("figcaption", {}, make("b", {}, chart.title), chart.output), chart.svg));
  const move = (to) => {
    cursor = to === null ? null : Math.min(Math.max(to, 0), slots.points.length - 1);
    charts.forEach(draw);
  };
  chart.svg.addEventListener("pointermove", (event) => {
    if (!slots) return;
    const box = chart.svg.getBoundingClientRect();
    const part = (event.clientX - box.left - left) / (box.width - left - right);
    chart.output.removeAttribute("aria-live");
    move(Math.round(part * (slots.points.length - 1)));
  });
  chart.svg.addEventListener("pointerleave", () => move(null));
  chart.svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (!slots || !by && event.key !== "Escape") return;
    event.preventDefault();
    chart.output.setAttribute("aria-live", "polite");
    move(by ? (cursor ?? slots.points.length - 1) + by : null);
  });
  chart.svg.addEventListener("blur", () => move(null));
  new ResizeObserver(() => draw(chart)).observe(chart.svg);
}

function draw(chart) {
  if (!slots) return;
  const width = Math.max(chart.svg.clientWidth, 200);
  const height = Math.max(chart.svg.clientHeight, 80);
  const rows = valuesOf(chart, slots);
  const most = Math.max(0, ...rows.flat().filter(known));
  const { gap, lines } = scale(most, chart.ladder);
  const last = slots.points.length - 1;
  const x = (index) => left + (width - left - right) * index / last;
  const y = (value) => height - bottom - (height - top - bottom) * value / (gap * lines);
  const parts = [
    // The last step is still being written.
    ...runs(rows[0].slice(0, -1), (value) => value === null).map(([from, to]) => {
      const begin = x(Math.max(0, from - .5));
      return vector("rect", { class: "gap", x: begin, y: top,
        width: x(Math.min(last, to + .5)) - begin, height: height - top - bottom });
    }),
    ...valueLines(chart, width, gap, lines, y),
    ...timeMarks(x, width, height),
    ...rows.flatMap((row, order) => seriesOf(row, order, x, y)),
  ];
  if (cursor !== null) {
    parts.push(vector("line",
      { class: "cursor", x1: x(cursor), x2: x(cursor), y1: top, y2: height - bottom }));
    rows.forEach((row, order) => {
      if (row[cursor] !== null) parts.push(dot(order, 3.5, x(cursor), y(row[cursor])));
    });
  }
  if (rows.flat().every((value) => value === null)) {
    parts.push(vector("text", { x: (width + left) / 2, y: height / 2, "text-anchor": "middle" },
      "nothing was reported in the last hour"));
  }
  chart.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.svg.replaceChildren(...parts);
  describe(chart, rows);
}

function valueLines(chart, width, gap, lines, y) {
  return Array.from({ length: lines + 1 }, (_, line) => line * gap).flatMap((value) => [
    vector("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
    vector("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, chart.axis(value)),
  ]);
}

function timeMarks(x, width, height) {
  const span = slots.points.length * slots.step / 60000;
  const minutes = [2, 5, 10, 20].find((one) => span / one * 45 < width) ?? 20;
  return slots.points.flatMap((_, index) => {
    const date = new Date(slots.first + index * slots.step);
    if (date.getMinutes() % minutes || date.getSeconds() >= slots.step / 1000) return [];
    if (x(index) < left + 14 || x(index) > width - right - 14) return [];
    return [vector("text", { x: x(index), y: height - 4, "text-anchor": "middle" },
      clock(date).slice(0, 5))];
  });
}

const dot = (order, radius, x, y) =>
  vector("circle", { class: order ? "dot two" : "dot", r: radius, cx: x, cy: y });

function seriesOf(row, order, x, y) {
  return runs(row, known).flatMap(([from, to]) => {
    if (from === to) return [dot(order, 1.6, x(from), y(row[from]))];
    const points = row.slice(from, to + 1)
      .map((value, index) => `${x(from + index).toFixed(1)} ${y(value).toFixed(1)}`);
    const path = `M${points.join("L")}`;
    const line = vector("path", { class: order ? "line two" : "line", d: path });
    if (order) return [line];
    const area = `${path}L${x(to)} ${y(0)}L${x(from)} ${y(0)}Z`;
    return [vector("path", { class: "area", d: area }), line];
  });
}

/** In words, for the step that is looked at, else for the latest that has any. */
function describe(chart, rows) {
  const latest = rows[0].findLastIndex(known);
  const last = slots.points.length - 1;
  const index = cursor ?? (latest < last - 3 ? last : latest);
  const texts = chart.series.map((series, order) => {
    const value = rows[order][index];
    return make("span", { class: order ? "key two" : "key" },
      `${series.name} ${known(value) ? chart.format(value) : "–"}`);
  });
  if (cursor !== null) {
    const date = new Date(slots.first + cursor * slots.step);
    texts.unshift(make("span", { class: "at" }, clock(date)));
  }
  show(chart.output, texts);
  const missing = rows[0].slice(0, -1).filter((value) => value === null).length;
  const words = chart.series.map((series, order) => {
    const row = rows[order].filter(known);
    if (!row.length) return `${series.name} unknown`;
    return `${series.name} ${[Math.min(...row), Math.max(...row)].map(chart.format).join(" to ")}`;
  });
  chart.svg.setAttribute("aria-label", `${chart.title}: ${words.join("; ")}; `
    + `nothing known for ${duration(missing * slots.step / 1000)}. Arrow keys move.`);
}
