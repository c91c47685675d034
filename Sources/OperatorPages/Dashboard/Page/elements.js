// Elements, and how a part of the page is brought up to date. What comes from outside becomes text
// and attributes, never markup.

import { known, plain } from "./format.js";

export const byID = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (!known(value) || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(known));
  return element;
}

/** An element. A child that is a string becomes text; one that is not known is left out. */
export const make = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);

/** The same for what is drawn. */
export const vector = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** A text from outside: its direction does not reach what stands around it. */
export const foreign = (text) => make("bdi", { class: "id" }, plain(text));

/** A link to all that is known of a conversation or user. */
export const linkTo = (id) => make("a", { href: addressOf(id) }, foreign(id));
export const addressOf = (id) => `#find=${encodeURIComponent(id)}`;

export const none = (text) => make("p", { class: "none" }, text);

/** Sets a text only where it is another one, so that a screen reader does not read it twice. */
export function say(id, text) {
  if (byID(id).textContent !== text) byID(id).textContent = text;
}

// MARK: Bringing up to date

const keyOf = (node) => node.dataset?.key;

/**
 * Makes the children of `parent` what `wanted` is. What is right already stays untouched, so focus,
 * selection and open details outlive it. Children with a `data-key` are told by it, others by their
 * place. Listeners of `wanted` do not survive: listen at `parent`.
 */
export function show(parent, ...wanted) {
  const nodes = wanted.flat().filter(known);
  update(parent, nodes.map((node) => typeof node === "string" ? new Text(node) : node));
}

function update(parent, wanted) {
  const keys = new Set(wanted.map(keyOf));
  const kept = new Map();
  for (const node of [...parent.children]) {
    const key = keyOf(node);
    if (!known(key)) continue;
    if (keys.has(key)) kept.set(key, node);
    else node.remove();
  }
  let next = parent.firstChild;
  for (const node of wanted) {
    const key = keyOf(node);
    const old = known(key) ? kept.get(key) : next;
    kept.delete(key);
    if (!old || keyOf(old) !== key || old.nodeName !== node.nodeName) {
      parent.insertBefore(node, next);
      continue;
    }
    if (old === next) next = next.nextSibling;
    else parent.insertBefore(old, next);
    refresh(old, node);
  }
  while (next) {
    const surplus = next;
    next = next.nextSibling;
    surplus.remove();
  }
}

function refresh(old, wanted) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // The reader opens and closes details.
    if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  update(old, [...wanted.childNodes]);
}

// MARK: Tables

/**
 * A table that becomes cards on a phone. A head is [title, class]; a row has a `key`, which names
 * it among the rows, `cells` and perhaps a `style`.
 */
export function table(head, rows, label) {
  const titles = head.map(([title, style]) =>
    make("th", { role: "columnheader", scope: "col", class: style }, title));
  const cell = (content, index) => {
    const [title, style] = head[index];
    return make("td", { role: "cell", "data-label": title, class: style },
      make("span", {}, content));
  };
  const lines = rows.map(({ key, cells, style }) =>
    make("tr", { role: "row", class: style, "data-key": key }, cells.map(cell)));
  return make("table", { role: "table", "aria-label": label },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, titles)),
    make("tbody", { role: "rowgroup" }, lines));
}

/** A state in words, coloured by how bad it is. */
export const state = (level, text) =>
  make("span", { class: "state", "data-level": level }, text);
