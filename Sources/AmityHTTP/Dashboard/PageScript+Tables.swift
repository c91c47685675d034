extension PageScript {
    /// The verdict, the figures of now, the workers and what failed.
    static let tables = #"""
        /** What is answered with a reason why there is nothing. */
        const failing = () => [feeds.workers, feeds.queues, feeds.history]
          .filter(({ error }) => error && error.status !== 0 && error.status !== 401);

        /** What is wrong, the worst first: { level, what, text, link }. */
        function problems() {
          const found = [];
          const add = (level, what, text, link) => found.push({ level, what, text, link });
          const reasons = new Set(failing().map((feed) => feed.error.message));
          const last = failing().map((feed) => feed.at).find(known);
          const old = last ? `Not renewed since ${clock(last)}` : "None";
          const health = feeds.health.value;
          const isReady = health?.status === "ready";
          // A worker may well do its work where nobody can look.
          for (const reason of reasons) add(isReady ? "warn" : "bad", "figures", `${old}: ${reason}`);
          if (health && !isReady) {
            const text = (health.reasons ?? []).join(", ") || health.status || "no reason given";
            if (text === "draining") add("warn", "this one", "It drains");
            else add("bad", "this one", `Not ready: ${text}`);
          }
          judgeCauses(add);
          for (const queue of feeds.queues.value?.queues ?? []) judgeQueue(queue, add);
          judgeWorkers(add);
          return found.sort((one, other) => (one.level === "warn") - (other.level === "warn"));
        }

        /** What workers' links suffer from, and of what kind; an outage is one entry, not one a worker. */
        function causes() {
          const living = (feeds.workers.value?.workers ?? [])
            .filter((worker) => isMine(worker) && isLiving(worker));
          // Without a database the registry says nothing new, and this worker speaks for itself.
          const told = feeds.workers.error
            ? [["this one", feeds.health.value?.problems]]
            : living.map((worker) => [name(worker), worker.problems]);
          const found = new Map();
          for (const [who, problems] of told) {
            for (const problem of problems ?? []) {
              const { link, subject, kind, code } = problem;
              const key = JSON.stringify([link, subject, kind, code]);
              const shared = found.get(key) ?? { ...problem, workers: [] };
              if (problem.since < shared.since) shared.since = problem.since;
              shared.workers.push(who);
              found.set(key, shared);
            }
          }
          return [...found.values()];
        }

        const problemName = ({ link, subject, kind, code }) =>
          plain(`${link} ${subject ? `${subject} ` : ""}${kind} (${code})`);

        function judgeCauses(add) {
          for (const cause of causes()) {
            // Without these two nothing is scored; the rest hurts later.
            const isBad = ["broker-consumer", "database"].includes(cause.link)
              && cause.kind !== "blocked";
            const who = cause.workers.length > 2 ? `${cause.workers.length} workers`
              : cause.workers.join(", ");
            add(isBad ? "bad" : "warn", "cause", `${problemName(cause)}, ${who}, for `
              + `${lasted(cause.since)}`
              + [cause.text, cause.remedy].filter(known).map((text) => `: ${plain(text)}`).join(""));
          }
        }

        /** Longer than two looks at the queue are apart at most. */
        const oldLook = 150;

        function judgeQueue(queue, add) {
          const name = isMine(queue) ? "" : ` (${queue.queue})`;
          const age = Math.round(since(queue.observed_at));
          if (age > oldLook) {
            // Of queues that nobody uses any more nothing is to be expected.
            if (isMine(queue)) add("bad", "queue", `Nobody has looked at it for ${duration(age)}`);
            return;
          }
          for (const alert of queue.alerts) {
            const limit = known(alert.threshold) ? `, alert from ${count(alert.threshold)}` : "";
            const lasting = `${name}, for ${lasted(alert.since)}`;
            const isBad = alert.name === "no_consumers" || alert.name === "stalled";
            const [what, text, link] = {
              queue_depth: ["queue", `${count(alert.value)} messages wait${limit}`],
              oldest_age: ["queue", `The oldest conversation waits for ${duration(alert.value)}`
                + (known(alert.threshold) ? `, alert from ${duration(alert.threshold)}` : "")],
              dead_letters: ["letters",
                plural(alert.value, "dead letter", "dead letters") + limit, "#letters-title"],
              no_consumers: ["queue", "Nobody consumes it"],
              foreign_consumers: ["queue",
                `${plural(alert.value, "consumer is", "consumers are")} no worker of Amity's`
                + (queue.foreign_consumers ?? []).map((one) => `: ${plain(one)}`).join("")],
              broker_alarm: ["broker",
                "It takes no messages: it is short of memory or disk. Retries and dead letters wait"],
              stalled: ["queue", "Messages wait, consumers are there, and nothing is settled"],
            }[alert.name] ?? ["alert", alert.name];
            add(isBad ? "bad" : "warn", what, text + lasting, link);
          }
        }

        /** Seconds after which somebody who was lost is history. */
        const freshLoss = 900;

        function judgeWorkers(add) {
          const workers = feeds.workers.value?.workers;
          if (!workers) return;
          if (!workers.some((worker) => isMine(worker) && isLiving(worker))) {
            add("bad", "workers", "None runs on this queue");
          }
          for (const worker of workers) {
            const age = duration(Math.round(worker.heartbeat_age_seconds));
            if (worker.state === "not-ready") {
              const isMeant = worker.paused?.by === "SIGUSR1" && worker.reasons.length === 1;
              add(isMeant ? "warn" : "bad", "worker", `${name(worker)} is not ready: `
                + [worker.reasons.join(", "), pauseOf(worker)].filter(known).join("; "));
            } else if (worker.state === "lost" && worker.heartbeat_age_seconds < freshLoss) {
              add("warn", "worker", `${name(worker)} was lost ${age} ago, with `
                + `${plural(worker.in_flight, "message", "messages")} in hand`);
            }
          }
        }

        /** By whom a worker is paused, since when, and the way back; null where it is not. */
        function pauseOf(worker) {
          if (!worker.paused) return null;
          const { by, since } = worker.paused;
          return `paused by ${plain(by)} for ${lasted(since)}` + (by === "SIGUSR1"
            ? `, until kill -USR2 ${worker.process_id} on ${worker.host}` : "");
        }

        const name = (worker) => `${worker.host}:${worker.process_id}`;
        const isLiving = (worker) => worker.state !== "stopped" && worker.state !== "lost";
        /** Of the queue that this worker consumes. */
        const isMine = (thing) => !feeds.history.value || thing.queue === feeds.history.value.queue;
        const mine = () => (feeds.queues.value?.queues ?? []).find(isMine);

        function drawVerdict() {
          const found = problems();
          const isOut = Object.values(feeds).some((feed) => feed.error?.status === 401);
          const hasLooked = [feeds.health, feeds.workers, feeds.queues].every((feed) => feed.value);
          const level = silence || isOut || found.some((one) => one.level === "bad") ? "bad"
            : found.length ? "warn" : !hasLooked ? "unknown" : "ok";
          const living = (feeds.workers.value?.workers ?? []).filter(isLiving);
          say("verdict-title", isOut ? "Logged out" : silence ? "No contact" : {
            unknown: "Looking …", ok: "✓ All is well", warn: "! Needs a look", bad: "✕ Trouble",
          }[level]);
          const queue = mine();
          say("verdict-detail", level === "ok"
            ? `${plural(living.length, "worker", "workers")} ready, `
              + `${count(queue?.ready)} waiting, ${rate(queue?.drain_per_second)} done` : "");
          byID("verdict").dataset.level = level;
          const items = silence || isOut ? [] : found;
          const key = JSON.stringify(items);
          if (byID("problems").dataset.key !== key) {
            byID("problems").dataset.key = key;
            byID("problems").replaceChildren(...items.map((one) => {
              const text = make("span", {}, one.text);
              return make("li", { "data-level": one.level }, make("b", {}, one.what),
                one.link ? make("a", { href: one.link }, text) : text);
            }));
          }
          document.title = silence || isOut ? "✕ Amity"
            : found.length ? `(${found.length}) Amity` : "Amity";
          drawBanner(isOut);
        }

        /** Only what is new, so that nobody is read the same thing twice. */
        function say(id, text) {
          if (byID(id).textContent !== text) byID(id).textContent = text;
        }

        function drawBanner(isOut) {
          const isOld = silence || isOut || failing().length > 0;
          document.body.classList.toggle("stale", Boolean(isOld));
          const banner = byID("banner");
          const text = isOut ? "Your session has ended. "
            : silence
              ? `This worker has not answered since ${clock(silence.since)} (${silence.why}). `
              + (lastContact ? `What you see is from ${clock(lastContact)}.` : "") : "";
          if (banner.dataset.text !== text) {
            banner.dataset.text = text;
            banner.replaceChildren(text,
              ...(isOut ? [make("a", { href: "/login" }, "Log in again")] : []));
          }
          banner.hidden = !text;
          say("as-of", silence || isOut || !lastContact ? "" : `as of ${clock(lastContact)}`);
          say("queue", feeds.history.value?.queue ?? "");
        }

        function drawTiles() {
          const queue = mine();
          const waiting = queue && known(queue.ready)
            ? queue.retrying.reduce((sum, one) => sum + one.messages, 0) : null;
          const delays = (queue?.retrying ?? []).filter((one) => one.messages)
            .map((one) => `${count(one.messages)} for ${duration(one.delay_seconds)}`).join(", ");
          const alert = (wanted) => (queue?.alerts ?? []).some((one) => one.name === wanted);
          const tiles = [
            ["Waiting", count(queue?.ready), "", alert("queue_depth") && "warn"],
            ["In hand", count(queue?.unacked), ""],
            ["To be retried", count(waiting), delays],
            ["Dead letters", count(queue?.dead_letters), "", alert("dead_letters") && "warn"],
            ["Coming in", rate(queue?.arrival_per_second), ""],
            ["Done", rate(queue?.drain_per_second), "", alert("stalled") && "bad"],
            ["Oldest waiting", duration(queue?.oldest_age_seconds), "",
              alert("oldest_age") && "warn"],
            queue && !known(queue.seconds_to_empty) && known(queue.drain_per_second)
              ? ["Empty in", "–", "it does not shrink"]
              : ["Empty in", duration(queue?.seconds_to_empty), ""],
            ["Consumers", count(queue?.consumers), "",
              alert("no_consumers") ? "bad" : alert("foreign_consumers") && "warn"],
          ];
          byID("tiles").replaceChildren(...tiles.map(([title, value, note, level]) =>
            make("div", { "data-level": level || null }, make("dt", {}, title),
              make("dd", {}, value, note ? make("small", { title: note }, note) : null))));
        }

        // MARK: Tables

        /** A table that becomes cards on a phone. A cell is [content, class]. */
        function table(head, rows, label) {
          const cell = (content, index) => make("td",
            { role: "cell", "data-label": head[index][0], class: head[index][1] },
            make("span", {}, ...[content].flat()));
          const titles = head.map(([text, style]) =>
            make("th", { role: "columnheader", scope: "col", class: style }, text));
          const lines = rows.map(({ cells, style }) =>
            make("tr", { role: "row", class: style }, ...cells.map(cell)));
          return make("table", { role: "table", "aria-label": label },
            make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...titles)),
            make("tbody", { role: "rowgroup" }, ...lines));
        }
        const none = (text) => make("p", { class: "none" }, text);
        function unknown(id) {
          if (feeds.workers.error) byID(id).replaceChildren(none("Not known."));
        }

        const states = {
          ready: ["ok", "● ready"], "not-ready": ["bad", "▲ not ready"],
          draining: ["warn", "◐ draining"], stopped: ["", "○ stopped"], lost: ["bad", "✕ lost"],
        };

        function workerRow(worker, hasQueues) {
          const [level, text] = states[worker.state] ?? ["warn", worker.state];
          const gone = !isLiving(worker);
          const why = gone ? `${duration(Math.round(worker.heartbeat_age_seconds))} ago`
            : [...worker.reasons.filter((reason) => reason !== worker.state),
              ...(worker.problems ?? []).map(problemName), pauseOf(worker)]
              .filter(known).join(", ");
          const threads = worker.settings.threads;
          const cells = [
            [make("span", { class: "state", "data-level": level }, text),
              why ? make("span", { class: "why" }, why) : ""],
            [make("span", { class: "id whole" }, name(worker)),
              hasQueues ? make("span", { class: "why" }, worker.queue) : ""],
            worker.version,
            gone ? "–" : lasted(worker.started_at),
            gone ? "–" : [`${worker.busy_threads} of ${threads}`, make("meter", {
              min: 0, max: threads, value: worker.busy_threads, "aria-hidden": "true" })],
            count(worker.in_flight), count(worker.done), count(worker.retried), count(worker.dead),
            gone ? "–" : megabytes(worker.resident_bytes),
            ago(worker.last_delivery_at),
          ];
          return { cells, style: gone && worker.state !== "lost" ? "gone" : null };
        }

        function drawWorkers() {
          const workers = feeds.workers.value?.workers;
          if (!workers) return unknown("workers");
          const hasQueues = new Set(workers.map((worker) => worker.queue)).size > 1;
          const head = [["State"], ["Worker"], ["Version", "short"], ["Up", "short"],
            ...["Busy", "In flight", "Done", "Retried", "Dead", "Memory"]
              .map((title) => [title, "number"]), ["Last delivery", "number last"]];
          byID("workers").replaceChildren(workers.length
            ? table(head, workers.map((worker) => workerRow(worker, hasQueues)), "Workers")
            : none("None has ever reported."));
        }

        function drawFailures() {
          const workers = feeds.workers.value?.workers;
          if (!workers) return unknown("failures");
          const failures = workers.flatMap((worker) => worker.failures
            .map((failure) => ({ ...failure, worker: name(worker) })))
            .sort((one, other) => Date.parse(other.at) - Date.parse(one.at)).slice(0, 15);
          const head = [["When"], ["Code"], ["Conversation"], ["Attempt"], ["Then"],
            ["Worker"]];
          byID("failures").replaceChildren(failures.length
            ? table(head, failures.map((failure) => ({
              cells: [ago(failure.at), make("code", {}, failure.code),
                known(failure.conversation) ? stranger(failure.conversation) : "–",
                count(failure.attempts),
                make("span", { class: "state", "data-level": failure.is_dead ? "bad" : "warn" },
                  failure.is_dead ? "dead letter" : "tried again"),
                make("span", { class: "id whole" }, failure.worker)],
            })), "Recent failures")
            : none("Nothing has failed."));
        }

        """#
}
