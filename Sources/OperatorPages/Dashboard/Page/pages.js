// Lists that are read a page at a time.

import { byID, make, none, show } from "./elements.js";
import { feed, pull } from "./feeds.js";
import { known, plain } from "./format.js";

/**
 * - path, filter: where it is asked for, and with what besides the cursor.
 * - cursor: the parameter that names the last one of the page before, and how that one is named.
 * - first, next: what the buttons say.
 */
export function paged({ name, label, path, filter = () => ({}), cursor, first, next, seconds }) {
  let last = null;
  const address = () => {
    const values = { ...filter(), [cursor.parameter]: last };
    const query = new URLSearchParams(Object.entries(values).filter(([, value]) => known(value)));
    // A space, that is: a plus is %2B already.
    return query.size ? `${path}?${String(query).replaceAll("+", "%20")}` : path;
  };
  const page = { feed: feed(address(), seconds) };

  /** Shows its rows, or why there are none; `rows` makes elements of an answer's part. */
  page.draw = (rows) => {
    const { value, error } = page.feed;
    if (!value?.flow) {
      show(byID(name), none(error ? `Not known: ${plain(error.message)}` : "Looking …"));
      show(byID(`${name}-pages`));
      return;
    }
    const { has_more: hasMore } = value.flow;
    show(byID(name), rows(value.flow, known(last)));
    const button = (direction, title, isOff) => make("button", { type: "button",
      disabled: isOff, "data-list": name, "data-page": direction,
      "aria-label": `${title}: ${label}` }, title);
    show(byID(`${name}-pages`), known(last) || hasMore
      ? [button("first", first, !known(last)), button("next", next, !hasMore)] : []);
  };

  page.turn = (to, changed) => {
    last = to;
    page.feed.path = address();
    page.feed.due = 0;
    pull(page.feed, changed);
  };

  /** Asks anew, with another filter. */
  page.restart = (changed) => {
    page.feed.value = null;
    page.turn(null, changed);
    changed();
  };

  /** - changed: is called when another page has come. */
  page.start = (changed) => {
    byID("main").addEventListener("click", ({ target }) => {
      const { list, page: direction } = target.closest("button")?.dataset ?? {};
      if (list !== name || !page.feed.value?.flow) return;
      page.turn(direction === "next" ? cursor.of(page.feed.value.flow) : null, changed);
    });
  };
  return page;
}
