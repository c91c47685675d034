#!/usr/bin/python3
"""Uses the page of tasks of a running worker as a person would, and checks what that person sees.

The worker asks for a token. It runs a task that goes on until it is cancelled, has failed at one
that fails again, and knows of twelve that wait for tomorrow. Exits with 1 and says why when
something is not as it must be.
"""

import json

from visit import (change_answers, expect, keeps_its_policy, leave_answers, log_in, looks, options,
                   page, press, take, tell_nothing_of_users, text, until_text)


def until_said(part, what):
    until_text("#said", part, what)


def until_no_text(selector, part, what):
    page.until(f"!document.querySelector({json.dumps(selector)}).innerText"
               f".includes({json.dumps(part)})", what)


def the_way_there_leads_through_the_login():
    log_in("/tasks")
    page.until("document.querySelector('#pages')?.checkVisibility()", "there is a way to the tasks")
    change_answers("""(path, value, ago) => {
      if (path.endsWith("task-alerts")) value.alerts = [
        { name: "task_queue_depth", queue: "a.b.low", since: ago(90) }];
    }""")
    until_text("#verdict-title", "Many tasks wait in a.b, low", "an alert of tasks is told")
    expect(text("#problems a[href='/tasks']").startswith("for 9"), "it does not lead there")
    leave_answers()
    page.click("#pages a[href='/tasks']")
    page.until("location.pathname === '/tasks'", "it leads there")
    keeps_its_policy()


def the_page_says_how_tasks_are():
    until_text("#running", options.running, "what runs is shown")
    until_text("#running", "40 %", "its progress is shown")
    expect(options.worker in text("#running"), "its worker is not named")
    expect(page.run("document.querySelector('progress').value") == 40, "the bar is another")
    until_text("#failed", "BROKEN", "what failed is shown")
    until_text("#queues", "normal", "its queue is shown")
    page.until("[...document.querySelectorAll('#queues td[data-label=Running]')]"
               ".some((one) => one.innerText === '1')", "one runs there")
    until_text("#list", options.failed, "all are listed")
    tell_nothing_of_users()


def light_and_dark_from_a_phone_to_a_wide_screen():
    for width in (360, 800, 1360):
        for scheme in ("light", "dark"):
            looks(width, scheme)
    page.resize(390, 844)
    height = page.run("document.scrollingElement.scrollHeight")
    expect(height < 4500, f"on a phone the page is {height} pixels high")
    page.resize(1360, 900)
    nameless = [one for one in page.names("button", "textbox", "link", "combobox")
                if not one.strip()]
    expect(not nameless, "something that can be pressed has no name")


def what_runs_is_cancelled():
    press("#running", "Cancel")
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(options.running in text("#ask-text"), "the question does not say which task")
    page.click("#ask-no")
    page.until("!document.querySelector('#ask').open", "the question is taken back")
    expect(text("#said") == "", "what was taken back was done")
    press("#running", "Cancel")
    page.click("#ask-yes")
    until_said("told to stop", "its worker is told")
    until_text("#running", "No task runs.", "it has stopped")
    until_text("#list", "cancelled", "its end is shown")


def lists_are_turned_a_page_at_a_time():
    page.run("""(() => {
      const state = document.querySelector("#list-state");
      state.value = "scheduled";
      state.dispatchEvent(new Event("change", { bubbles: true }));
    })()""")
    rows = "document.querySelectorAll('#list tbody tr').length"
    page.until(f"{rows} === 10", "the first page has ten")
    first = text("#list tbody tr")
    page.run("document.querySelector('#list-pages [data-page=older]').focus()")
    page.press("Enter")
    page.until(f"{rows} === 2", "the second page has the others")
    expect(page.run("document.querySelector('[data-page=older]').disabled"), "there is a third")
    page.click("#list-pages [data-page=first]")
    page.until(f"{rows} === 10", "it is the first again")
    expect(text("#list tbody tr")[:60] == first[:60], "it begins with another task")


def what_failed_is_looked_at_and_retried():
    press("#failed", "Show")
    until_text("#list-only", "BROKEN", "the list is limited to what failed so")
    page.until("document.querySelectorAll('#list tbody tr').length === 1", "it is one")
    page.click("#list td a")
    until_text("#found-title", options.failed, "a task has a page of its own")
    until_text("#found-parts", "✕ failed", "its state is told")
    until_text("#found-parts", "run 1 failed: BROKEN", "its failure is told, by its code")
    expect(page.run("document.activeElement.id") == "found-title", "the keyboard is elsewhere")
    expect(not page.run("document.querySelector('#parts').checkVisibility()"), "all are there, too")
    tell_nothing_of_users()
    for width in (390, 1360):
        looks(width, "dark")
    page.resize(1360, 900)
    press("#found-parts", "Retry")
    page.click("#ask-yes")
    until_said("begins anew", "it is retried")
    until_text("#found-parts", "run 2 failed: BROKEN", "it has run again")
    tell_nothing_of_users()
    page.click("#found .title a")
    page.until("document.querySelector('#parts').checkVisibility()", "there is a way back")
    press("#list-only", "Show all")
    until_text("#list", "scheduled", "the list is whole again")


def a_task_is_found_by_its_id():
    expect(not page.complaints, f"the browser complains: {page.complaints}")
    for id, part in ((options.running, "○ cancelled"), ("no such id", "No task has this id"),
                     ("00000000-0000-7000-8000-000000000000", "No task has this id")):
        page.run("document.querySelector('#search-id').value = ''")
        page.click("#search-id")
        page.type(id)
        page.press("Enter")
        until_text("#found-title", id, "it is looked for")
        until_text("#found-parts", part, f"{id} is {part}")
    page.complaints.clear()  # A browser complains of an answer that there is none.
    page.run("history.back()")
    page.run("history.back()")
    until_text("#found-title", options.running, "the way back is the browser's")
    page.run("location.hash = ''")


def an_empty_page_says_so():
    page.run("""window.realFetch ??= window.fetch; window.fetch = async (path, options) => {
      const since = new Date().toISOString();
      const value = path.includes("task-alerts")
        ? { alerts: [{ name: "task_wait", queue: "default.low", since }] }
        : path.includes("stats") ? { tasks: { queues: [], failures: [], is_complete: true } }
          : { tasks: [], has_more: false };
      return Response.json(value);
    }""")
    until_text("#queues", "No task waits or runs", "no queue is said to be there")
    until_text("#list", "There are no tasks.", "no task is said to be there")
    until_text("#failed", "None.", "none has failed")
    until_text("#alerts", "Tasks wait long in default, low", "an alert is shown")
    for scheme in ("light", "dark"):
        looks(390, scheme)
    page.resize(1360, 900)
    page.run("window.fetch = async () => Response.json({ tasks: null })")
    page.until("document.querySelector('#no-tables').checkVisibility()",
               "it is said that there are no tables")
    expect(not page.run("document.querySelector('#parts').checkVisibility()"), "parts are shown")
    page.run("window.fetch = async () => Response.json({ error: { message: 'a reason' } },"
             " { status: 503 })")
    page.open(options.url + "/tasks")
    page.until("document.querySelector('#parts').checkVisibility()", "all is back")


take([
    the_way_there_leads_through_the_login, the_page_says_how_tasks_are,
    light_and_dark_from_a_phone_to_a_wide_screen, what_runs_is_cancelled,
    lists_are_turned_a_page_at_a_time, what_failed_is_looked_at_and_retried,
    a_task_is_found_by_its_id, an_empty_page_says_so,
], {
    the_page_says_how_tasks_are: [
        ("tasks-light.png", 1280, 900, "light"), ("tasks-phone-dark.png", 390, 844, "dark"),
    ],
})
