"""What every step on the dashboard needs: the page in its browser, and how it is looked at."""

import argparse
import json
import os
import sys
import time

from chromium import Chromium, Failure

parser = argparse.ArgumentParser()
parser.add_argument("url", help="where the worker serves, without a path")
parser.add_argument("--token", required=True)
parser.add_argument("--worker", required=True, help="host:pid as the page is to name it")
parser.add_argument("--retry", metavar="CODE", help="a dead letter's, to retry it")
parser.add_argument("--purge", metavar="CODE", help="a dead letter's, to purge it")
parser.add_argument("--markup", help="id of a conversation that failed")
parser.add_argument("--running", metavar="ID", help="a task's, to cancel it")
parser.add_argument("--failed", metavar="ID", help="a task's, to retry it")
parser.add_argument("--batch", metavar="ID", help="a batch's, to cancel it")
parser.add_argument("--type", help="of tasks whose events are listened to")
parser.add_argument("--canary", required=True, help="text that must not be on the page")
parser.add_argument("--pictures", metavar="FOLDER", help="where to put screenshots")
options = parser.parse_args()
page = Chromium()


def text(selector):
    return page.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")


def expect(condition, what):
    if not condition:
        raise Failure(what)


def until_text(selector, part, what, seconds=30):
    """Waits until an element shows a text."""
    page.until(f"document.querySelector({json.dumps(selector)})?.innerText"
               f".includes({json.dumps(part)})", what, seconds)


def press(selector, title):
    """The first button of a part that has this title."""
    page.until(f"""[...document.querySelectorAll({json.dumps(selector + ' button')})]
      .some((one) => one.textContent === {json.dumps(title)})""", f"there is a button {title}")
    page.run(f"""[...document.querySelectorAll({json.dumps(selector + ' button')})]
      .find((one) => one.textContent === {json.dumps(title)}).id = "pressed" """)
    page.click("#pressed")
    page.run("document.querySelector('#pressed')?.removeAttribute('id')")


def tell_nothing_of_users():
    expect(options.canary not in page.run("document.documentElement.outerHTML"),
           "what a client or a handler said is on the page")


def log_in(path):
    """On the way to a page."""
    page.open(options.url + path)
    expect(page.run("location.pathname") == "/login", "who has no session is not asked to log in")
    page.click("#token")
    page.type(options.token)
    page.press("Enter")
    page.until("location.pathname === '/'", "the token opens")


def keeps_its_policy():
    violations = [one for one in page.complaints if "Content Security" in one]
    expect(not violations, f"a page breaks its own policy: {violations}")


def take(steps, pictures, size=(1360, 900), is_quiet=False):
    """Takes steps, and ends with 1 at the first that fails, and says why.

    pictures: taken after a step: by the step, lists of a name, a width, a height and a scheme.
    is_quiet: whether the browser complains of nothing from step to step.
    """
    page.resize(*size)
    try:
        for step in steps:
            begin = time.monotonic()
            step()
            if is_quiet:
                expect(not page.complaints, f"the browser complains: {page.complaints}")
            print(f"{step.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
            for each in pictures.get(step, []):
                picture(*each)
            page.resize(*size)
        code = 0
    except Failure as failure:
        print(f"{step.__name__}: {failure}", file=sys.stderr)
        code = 1
    finally:
        page.close()
    sys.exit(code)


def until_level(level, what, seconds=30):
    """Waits until the verdict is ok, warn or bad."""
    page.until(f"document.querySelector('#verdict').dataset.level === {json.dumps(level)}", what,
               seconds)


def picture(name, width, height, scheme):
    if options.pictures:
        page.resize(width, height)
        page.prefer(scheme)
        page.until("document.querySelectorAll('svg :is(path, rect), progress').length > 0",
                   "it is drawn")
        page.picture(os.path.join(options.pictures, name))


# Whether one element comes before another for eyes and keyboard.
BEFORE = """((one, other) => Boolean(document.querySelector(one)
  .compareDocumentPosition(document.querySelector(other)) & Node.DOCUMENT_POSITION_FOLLOWING))"""


def change_answers(change):
    """Has the statistics changed on their way to the page, by a function (path, value, ago)."""
    page.run("""window.realFetch ??= window.fetch; window.fetch = async (path, options) => {
      const answer = await realFetch(path, options);
      if (!path.includes("stats/")) return answer;
      const value = await answer.json();
      const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
      (""" + change + """)(path, value, ago);
      return Response.json(value, { headers: answer.headers });
    }""")


def leave_answers():
    page.run("window.fetch = window.realFetch")


def looks(width, scheme):
    page.resize(width, 900)
    page.prefer(scheme)
    page.run("document.querySelectorAll('details').forEach((one) => one.open = true)")
    wide = page.run("document.scrollingElement.scrollWidth")
    expect(wide <= width, f"at a width of {width} the page has {wide}")
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    is_dark = int(ground.split("(")[1].split(",")[0]) < 128
    expect(is_dark == (scheme == "dark"), f"{scheme} is {ground}")
    faint = page.run(CONTRAST)
    expect(not faint, f"{scheme}, not to be read: {faint}")


# Texts that stand out from their ground by less than WCAG's 4.5 to 1.
CONTRAST = """(() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => channels(text).slice(0, 3).map((value) => value / 255)
    .map((value) => value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [.2126, .7152, .0722][index], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if ((channels(color)[3] ?? 1) > .9) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility() || element.disabled) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(style[element.closest("svg") ? "fill" : "color"]),
      light(ground(element))].sort((a, b) => b - a);
    const ratio = (one + .05) / (other + .05);
    if (ratio < 4.5) found.push(`${element.textContent.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found.slice(0, 5).join("; ");
})()"""


