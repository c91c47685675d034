#!/usr/bin/python3
"""Uses the page of limits, schedules, batches and events of a running worker as a person would, and
checks what that person sees.

The worker asks for a token, and writes events of tasks. One of three tasks runs that share a limit
of one at a time; a batch of five has one that runs, two that have ended, and two that need others;
a schedule has not run yet. Exits with 1 and says why when something is not as it must be.
"""

import json

from visit import (expect, keeps_its_policy, log_in, looks, options, page, press, take,
                   tell_nothing_of_users, text, until_text)

SAID = "document.querySelector('#said').innerText"
BATCH = "#batches tr[data-key='{}'] ".format(options.batch)


def confirm(title, said):
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(title in text("#ask-title"), f"the question is {text('#ask-title')}")
    page.click("#ask-yes")
    page.until(f"{SAID}.includes({json.dumps(said)})", f"it is said: {said}")


def the_way_there_leads_through_the_login():
    log_in("/flow")
    page.open(options.url + "/tasks")
    page.click("#pages a[href='/flow']")
    page.until("location.pathname === '/flow'", "a link leads there")
    keeps_its_policy()


def the_page_says_how_things_are():
    until_text("#limits", "held:a", "the key that keeps tasks waiting is shown")
    until_text("#limits", "1 at a time", "its limit is shown")
    cell = "document.querySelector('#limits td[data-label={}] > span')?.innerText"
    page.until(f"{cell.format('Waiting')} === '2'", "two wait")
    page.until(f"{cell.format('Running')} === '1'", "one runs")
    until_text("#schedules", "nightly", "the schedule is shown")
    until_text("#schedules", "0 2 * * *", "its times are shown")
    until_text("#batches", options.batch, "the batch is shown")
    until_text("#batches", "✓ 2 completed · ● 1 running · ◌ 2 waiting", "its tasks are told")
    until_text("#batches", "40 %", "how far it is is told")
    expect(page.run(f"document.querySelectorAll({json.dumps(BATCH + '.stripes rect')}).length")
           == 3, "the bar has other parts")
    until_text("#events-state", "Listening.", "events are listened to")
    tell_nothing_of_users()


def light_and_dark_from_a_phone_to_a_wide_screen():
    for width in (360, 800, 1360):
        for scheme in ("light", "dark"):
            looks(width, scheme)
    page.resize(1360, 900)
    nameless = [one for one in page.names("button", "textbox", "link", "combobox")
                if not one.strip()]
    expect(not nameless, "something that can be pressed has no name")


def a_limit_is_paused_and_resumed():
    press("#limits", "Pause")
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect("held:a" in text("#ask-text"), "the question does not say which")
    page.click("#ask-no")
    page.until("!document.querySelector('#ask').open", "the question is taken back")
    press("#limits", "Pause")
    confirm("Pause?", "No more of it begins")
    until_text("#pauses", "held:a is paused by dashboard", "the pause is told above all")
    until_text("#limits", "❙❙ paused by dashboard", "and in its row")
    for width in (390, 1360):
        looks(width, "dark")
    page.resize(1360, 900)
    press("#pauses", "Resume")
    confirm("Resume?", "It goes on.")
    page.until("!document.querySelector('#pauses').checkVisibility()", "the pause is over")
    page.click("#pause-name")
    page.type("pool/other")
    page.press("Enter")
    confirm("Pause?", "No more of it begins")
    until_text("#pauses", "pool other is paused", "a pool is paused by its name")
    press("#pauses", "Resume")
    confirm("Resume?", "It goes on.")
    page.click("#pause-name")
    page.type("no-such-type")
    page.press("Enter")
    confirm("Pause?", "It failed: there is no such type")
    page.complaints.clear()  # A browser complains of an answer that says no.


def events_arrive_while_they_happen():
    page.run("document.querySelector('#listen-pattern').value = ''")
    page.click("#listen-pattern")
    page.type(f"task.*.{options.type}")
    page.press("Enter")
    until_text("#events-state", "Listening.", "it listens anew")
    press("#schedules", "Run now")
    confirm("Run it now?", "Its task is made.")
    until_text("#events", "amity.task.created", "what is made is told")
    until_text("#events", "amity.task.completed", "its end is told")
    first = page.run("document.querySelector('#events tbody tr').innerText")
    expect("completed" in first, f"the newest is not the first: {first}")
    link = page.run("document.querySelector('#events tbody a').getAttribute('href')")
    expect(link.startswith("/tasks#task="), f"it leads to {link}")
    page.click("#hold")
    until_text("#events-state", "Held", "it holds on demand")
    page.click("#hold")
    tell_nothing_of_users()


def a_schedule_is_paused_and_resumed():
    press("#schedules", "Pause")
    confirm("Pause the schedule?", "It makes no tasks until resumed.")
    until_text("#schedules", "❙❙ paused", "that is shown")
    press("#schedules", "Resume")
    confirm("Resume?", "It goes on.")
    until_text("#schedules", "in ", "its next time is shown")


def a_batch_is_drawn():
    page.click("#batches td a")
    until_text("#found-title", options.batch, "a batch has a view of its own")
    page.until("document.querySelectorAll('#graph a.node').length === 5", "five tasks are drawn")
    expect(page.run("document.querySelectorAll('#graph path.edge').length") == 5, "lines are wrong")
    signs = page.run("[...document.querySelectorAll('#graph a.node')]"
                     ".map((one) => one.getAttribute('aria-label'))")
    expect(sum("completed" in one for one in signs) == 2, f"states are wrong: {signs}")
    expect(any("needs 2 tasks" in one for one in signs), f"needs are wrong: {signs}")
    until_text("#graph", "● running", "a state is told by a sign and a word")
    lefts = page.run("[...document.querySelectorAll('#graph a.node rect:not(.mark)')]"
                     ".map((one) => Number(one.getAttribute('x')))")
    expect(len(set(lefts)) == 4, f"it has other layers: {lefts}")
    expect(page.run("document.activeElement.id") == "found-title", "the keyboard is elsewhere")
    expect(not page.run("document.querySelector('#parts').checkVisibility()"), "all are there, too")
    for width in (390, 1360):
        for scheme in ("light", "dark"):
            looks(width, scheme)
    page.resize(1360, 900)
    page.run("document.querySelector('#graph a.node').focus()")
    expect(page.run("document.activeElement.classList.contains('node')"),
           "a task cannot be reached by the keyboard")
    tell_nothing_of_users()


def a_batch_is_cancelled():
    press("#found-parts", "Cancel")
    confirm("Cancel the batch?", "The batch is cancelled.")
    page.until("[...document.querySelectorAll('#graph a.node')].filter((one) =>"
               " one.getAttribute('aria-label').includes('cancelled')).length >= 2",
               "its tasks are cancelled")
    page.click("#graph a.node")
    page.until("location.pathname === '/tasks'", "a box leads to its task")
    page.until("Boolean(document.querySelector('#found-parts a[href*=batch]'))",
               "its batch is named")
    page.click("#found-parts a[href*=batch]")
    page.until("location.pathname === '/flow'", "a task leads to its batch")
    until_text("#found-title", options.batch, "it is the same")
    for id in ("no such id", "00000000-0000-7000-8000-000000000000"):
        page.run("document.querySelector('#search-id').value = ''")
        page.click("#search-id")
        page.type(id)
        page.press("Enter")
        until_text("#found-parts", "No batch has this id", f"{id} is none")
    page.complaints.clear()  # A browser complains of an answer that there is none.
    page.run("location.hash = ''")
    page.until("document.querySelector('#parts').checkVisibility()", "all is back")


def large_and_empty_answers_are_shown():
    page.run("""window.fetch = async (path) => {
      const states = { completed: 9000, failed: 500, queued: 500 };
      const batch = { id: "00000000-0000-7000-8000-000000000000", status: "running", states,
        created_at: new Date().toISOString(), total: 10000, is_complete: false };
      const groups = [{ type: "resize", layer: 0, row: 0, total: 400, needs: [],
        states: { completed: 300, failed: 100 } },
        { type: "notify", layer: 1, row: 0, total: 1, needs: [0], states: { blocked: 1 } }];
      const flow = path.includes("limits") ? { limits: [], pauses: [], has_more: false }
        : path.includes("schedules") ? { schedules: [], has_more: false }
          : path.includes("batches/") ? { batch, graph: { nodes: [], groups, is_complete: false } }
            : { batches: [batch], has_more: true };
      return Response.json({ flow });
    }""")
    until_text("#limits", "No limit keeps a task waiting", "no limit is said to be there")
    until_text("#schedules", "There are no schedules.", "no schedule is said to be there")
    until_text("#batches", "10,000+", "what was not counted is said to be more")
    page.run("location.hash = '#batch=00000000-0000-7000-8000-000000000000'")
    until_text("#found-parts", "too many to draw", "it is said why tasks share a box")
    expect(page.run("document.querySelectorAll('#graph g.node').length") == 2, "two groups")
    until_text("#graph", "400 × resize", "a group tells how many it has")
    looks(390, "light")
    page.resize(1360, 900)
    page.run("location.hash = ''")
    page.run("window.fetch = async () => Response.json({ flow: null })")
    page.until("document.querySelector('#no-tables').checkVisibility()",
               "it is said that there are no tables")


take([
    the_way_there_leads_through_the_login, the_page_says_how_things_are,
    light_and_dark_from_a_phone_to_a_wide_screen, a_limit_is_paused_and_resumed,
    events_arrive_while_they_happen, a_schedule_is_paused_and_resumed, a_batch_is_drawn,
    a_batch_is_cancelled, large_and_empty_answers_are_shown,
], {
    events_arrive_while_they_happen: [
        ("flow-light.png", 1280, 1100, "light"), ("flow-phone-dark.png", 390, 1600, "dark"),
    ],
    a_batch_is_drawn: [
        ("batch-light.png", 1280, 700, "light"), ("batch-dark.png", 1280, 700, "dark"),
        ("batch-phone.png", 390, 900, "dark"),
    ],
}, is_quiet=True)
