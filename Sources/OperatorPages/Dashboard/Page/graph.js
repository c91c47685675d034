// The picture of a batch: a box for each task, or for all of one type in a layer, and a line from
// each to those that need it. From left to right, each stands behind all that it needs.

import { kindsOf } from "./batch-words.js";
import { make, none, vector } from "./elements.js";
import { count, plain, plural } from "./format.js";
import { signOf } from "./task-words.js";

const box = { width: 180, height: 44, across: 60, below: 14, edge: 10 };

const left = ({ layer }) => box.edge + layer * (box.width + box.across);
const top = ({ row }) => box.edge + row * (box.height + box.below);

/** As long as a box is wide. */
const short = (text) => {
  const shown = [...plain(text)];
  return shown.length > 20 ? `${shown.slice(0, 19).join("")}…` : shown.join("");
};

function lineBetween(from, to) {
  const [x, y] = [left(from) + box.width, top(from) + box.height / 2];
  const [end, height] = [left(to), top(to) + box.height / 2];
  const middle = (x + end) / 2;
  return `M${x} ${y}C${middle} ${y} ${middle} ${height} ${end} ${height}`;
}

const linesOf = (places) => places.flatMap((to, index) => to.needs.map((need) =>
  vector("path", { class: "edge", "data-key": `${need}-${index}`,
    d: lineBetween(places[need], to) })));

/** A box with two lines of text. */
const boxOf = (place, kind, above, under) => [
  vector("rect", { x: left(place), y: top(place), width: box.width, height: box.height, rx: 6 }),
  vector("rect", { class: "mark", x: left(place), y: top(place), width: 6, height: box.height,
    "data-kind": kind }),
  vector("text", { class: "name", x: left(place) + 14, y: top(place) + 18 }, above),
  vector("text", { x: left(place) + 14, y: top(place) + 34 }, under),
];

const kindOf = (state) => kindsOf({ [state]: 1 })[0]?.kind;

function taskOf(node, index) {
  const sign = signOf(node.state);
  const needs = node.needs.length + node.outside;
  const told = [`${node.type}, ${node.state}`, `layer ${node.layer + 1}`,
    needs ? `needs ${plural(needs, "task")}` : "needs none",
    node.outside ? `${count(node.outside)} of them outside of this batch` : null];
  return vector("a", { class: "node", href: `/tasks#task=${node.id}`, "data-key": `node ${index}`,
    "aria-label": plain(told.filter(Boolean).join("; ")) },
  vector("title", {}, plain(`${node.type} ${node.id}`)),
  boxOf(node, kindOf(node.state), short(node.type),
    node.outside ? `${sign}, +${count(node.outside)} outside` : sign));
}

function groupOf(group, index) {
  const kinds = kindsOf(group.states);
  const told = kinds.map(({ word, count: some }) => `${count(some)} ${word}`).join(", ");
  // The kind of most of them.
  const most = kinds.reduce((one, other) => other.count > one.count ? other : one, kinds[0]);
  return vector("g", { class: "node", role: "img", "data-key": `node ${index}`,
    "aria-label": plain(`${group.type}, layer ${group.layer + 1}: ${told}`) },
  vector("title", {}, plain(`${group.type}: ${told}`)),
  boxOf(group, most.kind, short(`${count(group.total)} × ${group.type}`),
    kinds.map(({ sign, count: some }) => `${sign} ${count(some)}`).join("  ")));
}

export function picture(graph) {
  const { nodes, groups, is_complete: isComplete } = graph;
  const places = nodes.length ? nodes : groups;
  if (!places.length) return none("It has no tasks yet.");
  const size = (of, last) => Math.max(...places.map(of)) + last + box.edge;
  const [width, height] = [size(left, box.width), size(top, box.height)];
  const total = groups.reduce((sum, group) => sum + group.total, 0);
  const remarks = [
    nodes.length ? null : `${count(total)} tasks are too many to draw: those of one type that `
      + "stand in the same layer share a box.",
    isComplete ? null : "There are more tasks than are drawn here: these are the oldest.",
  ];
  const lines = places.reduce((sum, { needs }) => sum + needs.length, 0);
  return make("section", { "aria-labelledby": "graph-title" },
    make("h3", { id: "graph-title" }, "Which task needs which, from left to right"),
    ...remarks.filter(Boolean).map((remark) => make("p", { class: "none" }, remark)),
    make("div", { id: "graph", tabindex: 0, role: "region", "aria-label":
      `${plural(places.length, "box", "boxes")}, ${plural(lines, "line")}` },
    vector("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group",
      "aria-labelledby": "graph-title" }, linesOf(places),
    nodes.length ? nodes.map(taskOf) : groups.map(groupOf))));
}
