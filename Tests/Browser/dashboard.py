#!/usr/bin/python3
"""Uses the dashboard of a running worker as a person would, and checks what that person sees.

The worker asks for a token; it has a dead letter that can be retried, one to be purged, and has
failed at a conversation whose id is markup. Exits with 1 and says why when something is not as it
must be.
"""

import json

import states
from visit import BEFORE, expect, looks, options, page, take, text, until_level, until_text

SAID = "document.querySelector('#dead-letters-said').textContent"


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
    until_text("#workers", options.worker, "the worker is shown")
    until_text("#workers", "● ready", "it is ready")
    until_level("warn", "the dead letters are an alert")
    expect("2 dead letters" in text("#verdict-title"), "the banner does not say why")
    until_text("#dead-letters", options.purge, "the dead letters are shown")
    page.until("document.querySelectorAll('svg path.line').length > 1", "the charts are drawn", 90)
    expect(page.run("document.title").startswith("("), "the tab says that all is well")
    large = page.run("document.querySelectorAll('#figures dd').length")
    expect(large == 4, f"{large} large figures")
    expect(page.run(f"{BEFORE}('#now', '#dead') && {BEFORE}('#dead', '#hour')"),
           "dead letters are not above the charts")
    zoned = "/^as of \\d\\d:\\d\\d:\\d\\d \\S+/"
    page.until(f"{zoned}.test(document.querySelector('#as-of').innerText)", "the time has a zone")
    expect(not page.run("document.querySelector('#pages').checkVisibility()"),
           "there is a way to tasks, and none are there")
    expect("serves this page" in text("#workers"), "the worker that answers is not marked")


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


def a_dead_letter_is_retried_by_a_click():
    page.click(button("Retry", options.retry))
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(page.run("document.querySelector('#ask').contains(document.activeElement)"),
           "the keyboard is outside of the question")
    page.click("#ask-no")
    page.until("!document.querySelector('#ask').open", "the question is taken back")
    expect(text("#dead-letters-said") == "", "what was taken back was done")
    page.click(button("Retry", options.retry))
    page.click("#ask-yes")
    page.until(f"{SAID} === '1 dead letter retried.'", "the dead letter is retried")
    page.until("!document.querySelector('#dead-letters').innerText"
               f".includes({json.dumps(options.retry)})", "it is no longer shown")


def a_purge_wants_a_word():
    page.click(button("Purge", options.purge))
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(page.run("document.querySelector('#ask-yes').disabled"), "one click throws away")
    page.press("Enter")
    expect(page.run("document.querySelector('#ask').open"), "Enter alone throws away")
    page.type("purge")
    page.press("Enter")
    page.until(f"{SAID} === '1 dead letter purged.'", "the dead letter is purged")
    expect(not page.run("document.querySelector('#ask').open"), "the same key asked once more")
    until_text("#dead-letters", "None.", "none is left")
    until_level("ok", "all is well again", 60)


def who_is_cut_off_knows():
    expect(not page.complaints, f"the browser complains: {page.complaints}")
    page.run("""window.fetch = async (path, options) =>
      path.includes("stats") ? Response.json({ error: { message: "a reason" } }, { status: 503 })
        : realFetch(path, options)""")
    until_text("#problems", "a reason", "a reason why there are no figures is told")
    expect("Not renewed since" in text("#problems"), "old figures are shown as if they were of now")
    page.run("window.fetch = window.realFetch")
    until_level("ok", "figures are back")
    page.unplug(True)
    page.until("!document.querySelector('#banner').hidden", "it is said that nobody answers")
    expect("No contact" in text("#verdict-title"), "what is old is shown as if it were of now")
    page.unplug(False)
    page.until("document.querySelector('#banner').hidden", "it is well again")
    until_level("ok", "all of it")
    page.complaints.clear()  # A browser complains of what it could not reach.
    page.click("#logout")
    page.until("location.pathname === '/login'", "one is logged out")
    page.open(options.url + "/")
    expect(page.run("location.pathname") == "/login", "the session is still there")


take([
    only_the_token_opens, the_page_says_how_things_are, states.causes_are_named,
    strangers_texts_are_texts, states.what_will_hurt_is_amber,
    states.a_worker_short_of_memory_is_named,
    states.what_is_not_known_yet_says_when, states.a_phone_page_stays_short,
    states.what_a_reader_holds_outlives_refreshes,
    states.a_conversation_is_found_and_explained,
    states.the_serving_worker_is_paused_and_resumed,
    charts_are_read_with_the_keyboard, light_and_dark_from_a_phone_to_a_desk,
    a_dead_letter_is_retried_by_a_click, a_purge_wants_a_word, who_is_cut_off_knows,
], {
    strangers_texts_are_texts: [
        ("desk-light.png", 1280, 900, "light"), ("desk-dark.png", 1280, 900, "dark"),
        ("phone-light.png", 390, 844, "light"), ("phone-dark.png", 390, 844, "dark"),
    ],
})
