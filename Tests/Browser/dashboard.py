#!/usr/bin/python3
"""Uses the dashboard of a running worker as a person would, and checks what that person sees.

The worker asks for a token; it has a letter that can be retried, one to be purged, and has failed at a
conversation whose id is markup. Exits with 1 and says why when something is not as it must be.
"""

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
parser.add_argument("--retry", required=True, metavar="CODE", help="code of one letter to retry")
parser.add_argument("--purge", required=True, metavar="CODE", help="code of one letter to purge")
parser.add_argument("--markup", required=True, help="id of a conversation that failed")
parser.add_argument("--canary", required=True, help="text that must not be on the page")
parser.add_argument("--pictures", metavar="FOLDER", help="where to put screenshots")
options = parser.parse_args()
page = Chromium()


def text(selector):
    return page.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")


def expect(condition, what):
    if not condition:
        raise Failure(what)


def picture(name, width, height, scheme):
    if options.pictures:
        page.resize(width, height)
        page.prefer(scheme)
        page.until("document.querySelectorAll('svg path').length > 0", "a chart is drawn")
        page.picture(os.path.join(options.pictures, name))


def only_the_token_opens():
    page.open(options.url + "/")
    expect(page.run("location.pathname") == "/login", "who has no session is not asked to log in")
    expect(page.names("textbox") == ["Token"], "the field for the token has no name")
    page.click("#token")
    page.type("not the token at all")
    page.press("Enter")
    page.until("document.querySelector('#complaint')?.textContent.includes('not the token')",
               "a wrong token is refused")
    page.open(options.url + "/")
    expect(page.run("location.pathname") == "/login", "a wrong token opened the door")
    page.click("#token")
    page.type(options.token)
    page.press("Enter")
    page.until("location.pathname === '/'", "the right token opens")
    expect(not page.run("document.cookie"), "a script can read the session")
    violations = [one for one in page.complaints if "Content Security" in one]
    expect(not violations, f"the login page breaks its own policy: {violations}")
    page.complaints.clear()  # A browser complains of the answer to a wrong token.


def the_page_says_how_things_are():
    name = json.dumps(options.worker)
    page.until(f"document.querySelector('#workers')?.innerText.includes({name})", "the worker is shown")
    page.until("document.querySelector('#workers').innerText.includes('● ready')", "it is ready")
    page.until("document.querySelector('#verdict').dataset.level === 'warn'", "the letters are an alert")
    expect("dead letters" in text("#problems"), "the verdict does not say why")
    page.until(f"document.querySelector('#letters').innerText.includes({json.dumps(options.purge)})",
               "the letters are shown")
    page.until("document.querySelectorAll('svg path.line').length > 1", "the charts are drawn", 90)
    expect(page.run("document.title").startswith("("), "the tab does not say that something is wrong")


def causes_are_named():
    page.run("""window.realFetch = window.fetch; window.fetch = async (path, options) => {
      const answer = await realFetch(path, options);
      if (!path.includes("stats/workers")) return answer;
      const value = await answer.json();
      const since = new Date(Date.now() - 200000).toISOString();
      for (const worker of value.workers) {
        worker.state = "not-ready";
        worker.reasons = ["the database is away", "intake is switched off"];
        worker.paused = { by: "SIGUSR1", since };
        worker.problems = [
          { link: "broker-publisher", kind: "blocked", code: "alarm", text: "low on memory", since, count: 1 },
          { link: "database", subject: "friendship_status", kind: "refused", code: "42501", since, count: 9,
            text: "permission denied <img src=x onerror=stolen=1>\\u202e", remedy: "deploy/grants.sql" },
        ];
      }
      return Response.json(value, { headers: answer.headers });
    }""")
    page.until("document.querySelector('#verdict').dataset.level === 'bad'", "there is trouble")
    page.until("document.querySelector('#problems li').dataset.level === 'bad'", "the worst is first")
    first = text("#problems li")
    for part in ("database friendship_status refused (42501)", options.worker, "for 3 min",
                 "permission denied <img", "deploy/grants.sql"):
        expect(part in first, f"the first cause is {first!r}, without {part!r}")
    expect("\u202e" not in first, "a text of a stranger turns what stands around it")
    expect(page.run("document.images.length") == 0, "a cause became an element")
    expect("broker-publisher blocked (alarm)" in text("#problems [data-level=warn]"), "an alarm is amber")
    row = text("#workers")
    expect("database friendship_status refused (42501)" in row, "the worker's row does not say why")
    expect("paused by SIGUSR1 for 3 min, until kill -USR2 " in row, "nobody says how a pause ends")
    for scheme in ("light", "dark"):
        looks(360, scheme)
    page.resize(1360, 900)
    page.run("window.fetch = window.realFetch")
    page.until("document.querySelector('#verdict').dataset.level === 'warn'", "it is as it was")


def strangers_texts_are_texts():
    page.until(f"document.body.innerText.includes({json.dumps(options.markup)})", "the id is shown")
    expect(page.run("document.images.length") == 0, "an id became an element")
    expect(not page.run("window.stolen"), "an id became a script")
    source = page.run("document.documentElement.outerHTML")
    expect(options.canary not in source, "a conversation's text is on the page")


def charts_are_read_with_the_keyboard():
    page.run("document.querySelector('svg').focus()")
    page.press("ArrowLeft")
    expect(page.run("/^\\d\\d:\\d\\d:\\d\\d/.test(document.querySelector('output').textContent)"),
           "the arrow does not move through the chart")
    page.press("Escape")
    expect("Arrow keys" in page.names("image", "img")[0], "a chart has no description")


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


def light_and_dark_from_a_phone_to_a_desk():
    for width in (360, 800, 1360):
        for scheme in ("light", "dark"):
            looks(width, scheme)
    page.prefer("dark")
    page.click("#theme")
    expect(text("#theme") == "Theme: light", "the switch does not say what it did")
    ground = page.run("getComputedStyle(document.body).backgroundColor")
    expect(int(ground.split("(")[1].split(",")[0]) > 128, "the switch does nothing")
    page.click("#theme")
    page.click("#theme")
    nameless = [one for one in page.names("button", "textbox", "link") if not one.strip()]
    expect(not nameless, "something that can be pressed has no name")


def button(verb, code):
    return f"button[aria-label^='{verb} all'][aria-label$=' {code}']"


def a_letter_is_retried_by_a_click():
    page.click(button("Retry", options.retry))
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(page.run("document.querySelector('#ask').contains(document.activeElement)"),
           "the keyboard is outside of the question")
    page.click("#ask-no")
    page.until("!document.querySelector('#ask').open", "the question is taken back")
    expect(text("#letters-said") == "", "what was taken back was done")
    page.click(button("Retry", options.retry))
    page.click("#ask-yes")
    page.until("document.querySelector('#letters-said').textContent === '1 letter retried.'",
               "the letter is retried")
    page.until(f"!document.querySelector('#letters').innerText.includes({json.dumps(options.retry)})",
               "it is no longer shown")


def a_purge_wants_a_word():
    page.click(button("Purge", options.purge))
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(page.run("document.querySelector('#ask-yes').disabled"), "one click throws away")
    page.press("Enter")
    expect(page.run("document.querySelector('#ask').open"), "Enter alone throws away")
    page.type("purge")
    page.press("Enter")
    page.until("document.querySelector('#letters-said').textContent === '1 letter purged.'",
               "the letter is purged")
    expect(not page.run("document.querySelector('#ask').open"), "the same key asked once more")
    page.until("document.querySelector('#letters').innerText.includes('None.')", "none is left")
    page.until("document.querySelector('#verdict').dataset.level === 'ok'", "all is well again", 60)


def who_is_cut_off_knows():
    expect(not page.complaints, f"the browser complains: {page.complaints}")
    page.run("""window.realFetch = window.fetch; window.fetch = async (path, options) =>
      path.includes("stats") ? Response.json({ error: { message: "a reason" } }, { status: 503 })
        : realFetch(path, options)""")
    page.until("document.querySelector('#problems').innerText.includes('a reason')",
               "a reason why there are no figures is told")
    expect("Not renewed since" in text("#problems"), "old figures are shown as if they were of now")
    page.run("window.fetch = window.realFetch")
    page.until("document.querySelector('#verdict').dataset.level === 'ok'", "figures are back")
    page.unplug(True)
    page.until("!document.querySelector('#banner').hidden", "it is said that nobody answers")
    expect(text("#verdict-title") == "No contact", "what is old is shown as if it were of now")
    page.unplug(False)
    page.until("document.querySelector('#banner').hidden", "it is well again")
    page.until("document.querySelector('#verdict').dataset.level === 'ok'", "all of it")
    page.complaints.clear()  # A browser complains of what it could not reach.
    page.click("#logout")
    page.until("location.pathname === '/login'", "one is logged out")
    page.open(options.url + "/")
    expect(page.run("location.pathname") == "/login", "the session is still there")


def main():
    steps = [
        only_the_token_opens, the_page_says_how_things_are, causes_are_named, strangers_texts_are_texts,
        charts_are_read_with_the_keyboard, light_and_dark_from_a_phone_to_a_desk,
        a_letter_is_retried_by_a_click, a_purge_wants_a_word, who_is_cut_off_knows,
    ]
    page.resize(1360, 900)
    for step in steps:
        begin = time.monotonic()
        try:
            step()
        except Failure as failure:
            print(f"{step.__name__}: {failure}", file=sys.stderr)
            return 1
        print(f"{step.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
        if step is strangers_texts_are_texts:
            picture("desk-light.png", 1360, 900, "light")
            picture("desk-dark.png", 1360, 900, "dark")
            picture("phone.png", 360, 800, "light")
            page.resize(1360, 900)
    return 0


try:
    code = main()
finally:
    page.close()
sys.exit(code)
