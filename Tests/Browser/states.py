"""What the dashboard shows in states that no test can wait for, and what a reader does with it."""

import json

from visit import (change_answers, expect, leave_answers, looks, options, page, text, until_level,
                   until_text)


def causes_are_named():
    change_answers("""(path, value, ago) => {
      if (!path.endsWith("workers")) return;
      const since = ago(200);
      for (const worker of value.workers) {
        worker.state = "not-ready";
        worker.reasons = ["the database is away", "intake is switched off"];
        worker.paused = { by: "SIGUSR1", since };
        worker.problems = [
          { link: "broker-publisher", kind: "blocked", code: "alarm", text: "low on memory",
            since, count: 1 },
          { link: "database", subject: "friendship_status", kind: "refused", code: "42501",
            text: "permission denied <img src=x onerror=stolen=1>\\u202e",
            remedy: "deploy/grants.sql", since, count: 9 },
        ];
      }
    }""")
    until_level("bad", "there is trouble")
    page.until("document.querySelector('#problems li').dataset.level === 'bad'",
               "the worst is first")
    page.until("document.querySelector('#verdict-title').innerText === "
               "'✕ The database refuses the workers'", "the banner names the cause")
    first = text("#problems li")
    for part in ("database friendship_status refused (42501)", options.worker, "for 3 min",
                 "permission denied <img", "deploy/grants.sql"):
        expect(part in first, f"the first cause is {first!r}, without {part!r}")
    expect("\u202e" not in first, "a text of a stranger turns what stands around it")
    expect(page.run("document.images.length") == 0, "a cause became an element")
    amber = text("#problems [data-level=warn]")
    expect("broker-publisher blocked (alarm)" in amber, "an alarm is not amber")
    row = text("#workers")
    expect("database friendship_status refused (42501)" in row, "the worker's row does not say why")
    expect("paused by SIGUSR1 for 3 min, until kill -USR2 " in row,
           "the row does not say how a pause ends")
    for scheme in ("light", "dark"):
        looks(360, scheme)
    page.resize(1360, 900)
    leave_answers()
    until_level("warn", "it is as it was")


def what_will_hurt_is_amber():
    def title_is(wanted):
        page.until(f"document.querySelector('#verdict-title').innerText === {json.dumps(wanted)}",
                   f"the banner says {wanted}")
        expect(page.run("document.querySelector('#verdict').dataset.level") == "warn", "not amber")

    change_answers("""(path, value, ago) => {
      if (path.endsWith("queues")) {
        value.queues[0].alerts = [{ name: "dead_letters", since: ago(9), value: 2, threshold: 1 },
          { name: "foreign_consumers", since: ago(90), value: 1 },
          { name: "broker_alarm", since: ago(70), value: 1 }];
        value.queues[0].foreign_consumers = ["legacy\\u202e"];
      }
    }""")
    title_is("! The broker is short of memory or disk")
    expect("not Amity's: legacy\ufffd, for 9" in text("#problems"), "a consumer is not named")
    change_answers("""(path, value, ago) => {
      if (path.endsWith("queues")) value.queues[0].alerts = [];
      if (path.endsWith("workers")) value.workers[0].problems = [{ link: "chat-model",
        kind: "refused", code: "401", text: "wrong key", since: ago(60), count: 4 }];
    }""")
    title_is("! The chat model refuses the workers")
    change_answers("""(path, value, ago) => {
      if (path.endsWith("queues")) Object.assign(value.queues[0],
        { alerts: [], unacked: 0, oldest_age_seconds: 90 });
      if (path.endsWith("history")) {
        value.points = value.points.slice(-4);
        value.points.forEach((point, index) => Object.assign(point,
          { done: 0, retried: 0, dead: 0, oldest_age_seconds: 60 + index }));
      }
    }""")
    until_text("#hour-title", "10 minutes", "charts fit the time that is known", 40)
    title_is("! The oldest conversation gets older, and nothing runs")
    leave_answers()


def a_worker_short_of_memory_is_named():
    change_answers("""(path, value, ago) => {
      if (!path.endsWith("workers")) return;
      const [worker] = value.workers;
      worker.problems = [{ link: "host", subject: "memory", kind: "short", code: "90%",
        text: "93 % of its 896 MB are used", remedy: "raise the limit", since: ago(60), count: 9 }];
      worker.resources = { cpu: { used: 0.44, limit: 2 }, short_of: ["memory"],
        memory: { resident_bytes: 9e8, used_bytes: 873463808, limit_bytes: 939524096 },
        descriptors: { open: 93, limit: 4096 }, threads_share: 0.25, pressure: { memory: 0.125 },
        disks: [{ folder: "temporary", free_bytes: 3221225472, size_bytes: 107374182400 }],
        network: { received_bytes_per_second: 2048, sent_bytes_per_second: 0 } };
      value.workers.push({ ...worker, boot_id: "older", process_id: 1, problems: [],
        resources: undefined, resident_bytes: 47185920 });
    }""")
    page.until("[...document.querySelectorAll('#problems li')].some((one) => "
               "one.innerText.includes('host memory short (90%)') && "
               "one.innerText.includes('raise the limit'))", "a shortage is a cause")
    amber = "#problems [data-level=warn][data-key='cause A worker is short of memory']"
    expect(page.run(f"document.querySelector({json.dumps(amber)}) !== null"),
           "a shortage is not amber, or has no title")
    row = text("#workers tbody tr")
    for part in ("0.4 of 2", "833 of 896 MB", "host memory short (90%)"):
        expect(part in row, f"the worker's row is {row!r}, without {part!r}")
    expect("45 MB" in text("#workers tbody tr:nth-child(2)"), "an older worker's memory is gone")
    page.run("document.querySelector('#workers details').open = true")
    opened = page.run("document.querySelector('#workers details').innerText")
    for part in ("93 of 4,096", "3 GB of 100 GB free", "in 2 KB/s, out 0 B/s", "memory 12.5 %"):
        expect(part in opened, f"its resources are {opened!r}, without {part!r}")
    for width in (360, 1360):
        looks(width, "dark")
        expect(page.run("document.querySelector('#workers details meter').checkVisibility()"),
               f"at {width} pixels there is no bar")
    page.resize(1360, 900)
    leave_answers()
    page.until("!document.querySelector('#workers').innerText.includes('short')", "it is as it was")


def what_is_not_known_yet_says_when():
    change_answers("""(path, value) => {
      for (const queue of value.queues ?? []) {
        for (const name of ["arrival_per_second", "drain_per_second", "done_per_second",
          "seconds_to_empty"]) delete queue[name];
      }
    }""")
    until_text("#figures", "after a minute", "it is said when a rate is known")
    expect("?" not in text("#now"), "a question mark is no answer")
    leave_answers()
    page.until("!document.querySelector('#now').innerText.includes('after a minute')",
               "it is known")


def a_phone_page_stays_short():
    change_answers("""(path, value, ago) => {
      if (!path.endsWith("workers")) return;
      const [worker] = value.workers;
      worker.failures = Array.from({ length: 20 }, (_, index) => ({ at: ago(index), attempts: 1,
        code: "TASK_TIMEOUT", conversation: `c-${index}`, is_dead: false }));
      for (let index = 0; index < 14; index++) {
        value.workers.push({ ...worker, boot_id: `${index}`, state: "stopped", failures: [] });
      }
    }""")
    until_text("[data-key=former] summary", "14 workers", "those that stopped are one line")
    page.until("document.querySelectorAll('#failures tbody tr').length === 1"
               " && document.querySelector('#failures').innerText.includes('20 ×')",
               "equal failures are one row")
    page.resize(390, 844)
    height = page.run("document.scrollingElement.scrollHeight")
    expect(height < 3000, f"on a phone the page is {height} pixels high")
    page.resize(1360, 900)
    leave_answers()
    page.until("document.querySelector('[data-key=former]') === null", "it is as it was")


def what_a_reader_holds_outlives_refreshes():
    page.run("""(() => {
      document.querySelectorAll("#dead-letters details").forEach((one) => one.open = true);
      const row = document.querySelector("#workers tbody tr"), link =
        document.querySelector("#dead-letters td a");
      link.focus();
      getSelection().selectAllChildren(row.querySelector(".id"));
      window.held = { row, link, selected: String(getSelection()), text: row.innerText };
    })()""")
    expect(page.run("held.selected") == options.worker, "nothing is selected to begin with")
    page.until("held.row.innerText !== held.text && held.row.isConnected",
               "a row is brought up to date")
    page.run("document.querySelector('#look').click()")
    page.until("!document.querySelector('#look').disabled", "the dead letters are read again")
    expect(page.run("document.activeElement === held.link"), "a refresh takes the focus")
    expect(page.run("String(getSelection()) === held.selected"), "a refresh takes the selection")
    details = "document.querySelectorAll('#dead-letters details')"
    expect(page.run(f"[...{details}].every((one) => one.open)"),
           "a refresh closes what was opened")
    page.run(f"{details}.forEach((one) => one.open = false)")


def a_conversation_is_found_and_explained():
    page.click("#search-id")
    page.type("told")
    page.press("Enter")
    until_text("#found-parts", "✓ scored", "it is explained")
    for part in ("turns", "the log", "friendship"):
        expect(part in text("#found-parts"), f"the explanation has no {part}")
    expect(page.run("document.activeElement.id") == "found-title", "the keyboard is elsewhere")
    expect(page.run("location.hash") == "#find=told", "the address does not lead here again")
    looks(390, "light")
    page.resize(1360, 900)
    page.click("#failures a")
    page.until("document.querySelector('#found-title').innerText === "
               f"{json.dumps('About ' + options.markup)}", "a link leads to its conversation")
    until_text("#found-parts", "CONVERSATION_NOT_FOUND", "its dead letter is found")
    expect(page.run("document.images.length") == 0, "an id became an element")
    page.run("location.hash = '#find=no%2Fsuch%20id'")
    until_text("#found-parts", "No conversation has this id", "what is not there is said not to be")
    page.click("#found-close")
    page.until("document.querySelector('#found').hidden", "it can be closed")
    expect(options.canary not in page.run("document.documentElement.outerHTML"),
           "a conversation's text is on the page")


def the_serving_worker_is_paused_and_resumed():
    page.click("#intake")
    page.until("document.querySelector('#ask').open", "it is asked whether that is meant")
    expect(options.worker in text("#ask-text"), "the question does not say which worker")
    page.click("#ask-yes")
    until_text("#workers", "paused by HTTP", "it is paused")
    said = json.dumps(f"{options.worker} is paused")
    page.until("[...document.querySelectorAll('#problems [data-level=warn]')]"
               f".some((one) => one.dataset.key.includes({said}))", "a pause is amber")
    until_text("#intake", "Resume this worker", "the way back is there")
    page.click("#intake")
    until_text("#workers", "● ready", "it is ready again")
    until_level("warn", "messages are taken again")
    # A browser complains of the readiness that was lost.
    page.complaints[:] = [one for one in page.complaints if "503" not in one]


