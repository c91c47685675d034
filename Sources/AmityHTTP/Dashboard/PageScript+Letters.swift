extension PageScript {
    /// Dead letters, what is done to them, and what sets everything going.
    static let letters = #"""
        const letters = { value: null, text: "", error: null, total: undefined, isBusy: false };

        /** Only when there are more or fewer of them, or somebody wants it. */
        async function look() {
          if (letters.isBusy) return;
          letters.isBusy = true;
          letters.total = mine()?.dead_letters;
          byID("look").disabled = true;
          try {
            letters.value = await get("/api/v1/dead-letters");
            letters.error = null;
          } catch (error) {
            letters.error = error;
          }
          letters.isBusy = false;
          byID("look").disabled = false;
          drawLetters();
        }

        function drawLetters() {
          const text = JSON.stringify([letters.value?.groups, letters.value?.remarks,
            letters.value?.is_complete, letters.error?.message]);
          if (text === letters.text) return;
          letters.text = text;
          if (letters.error) {
            byID("letters").replaceChildren(none(`They cannot be told: ${letters.error.message}`));
            return;
          }
          const open = new Set([...byID("letters").querySelectorAll("details[open]")]
            .map((element) => element.dataset.code));
          const { groups, is_complete: isComplete, remarks } = letters.value;
          const parts = groups.map((group) => letterGroup(group, open.has(group.code)));
          if (!groups.length && isComplete) parts.push(none("None."));
          if (groups.length && !isComplete && !remarks.length) {
            parts.push(none("There are more codes than these."));
          }
          parts.push(...remarks.map((remark) => none(remark)));
          byID("letters").replaceChildren(...parts);
        }

        function letterGroup(group, isOpen) {
          const title = group.code || "no code";
          const all = plural(group.count, "letter", "letters");
          const times = new Set([group.first_failure_at, group.last_failure_at].filter(Boolean)
            .map(when));
          const act = (verb) => () => deal(verb, { code: group.code }, `${all} of ${title}`);
          const shown = group.letters.length;
          const summary = shown === group.count ? `Show ${plural(shown, "letter", "letters")}`
            : `Show the oldest ${count(shown)} of ${count(group.count)}`;
          return make("article", { class: "group" },
            make("header", {},
              make("h3", {}, `${count(group.count)} × `, make("code", {}, title)),
              make("p", {}, group.reason, times.size ? `, at ${[...times].join(" to ")}` : ""),
              acts(act, `all ${all} of ${title}`)),
            make("details", { open: isOpen, "data-code": group.code }, make("summary", {}, summary),
              table(letterHead, group.letters.map(letterRow), `Letters of ${title}`)));
        }

        const letterHead = [["Last failed"], ["Conversation"], ["Attempts", "number"],
          ["Replays", "number"], ["Bytes", "number"], ["Worker"], [""]];

        function letterRow(letter) {
          const named = letter.conversation_id ?? letter.id.slice(0, 12);
          const act = (verb) => () => deal(verb, { ids: [letter.id] }, `the letter of ${named}`);
          return { cells: [
            letter.last_failure_at ? when(letter.last_failure_at) : "unknown",
            known(letter.conversation_id) ? stranger(named) : `none (letter ${named})`,
            count(letter.attempts), count(letter.replays), count(letter.body_bytes),
            make("span", { class: "id whole" }, letter.worker || "–"),
            acts(act, `the letter of ${named}`),
          ] };
        }

        const acts = (act, what) => make("div", { class: "acts" },
          make("button", { type: "button", "aria-label": `Retry ${what}`, onclick: act("retry") },
            "Retry"),
          make("button", { type: "button", class: "danger", "aria-label": `Purge ${what}`,
            onclick: act("purge") }, "Purge"));

        // MARK: What is done

        /** Asks whether it is meant. */
        function isMeant(verb, what) {
          const dialog = byID("ask"), input = byID("ask-input"), yes = byID("ask-yes");
          const isPurge = verb === "purge";
          byID("ask-title").textContent = isPurge ? "Purge for good?" : "Retry?";
          byID("ask-text").replaceChildren(isPurge ? "Removes " : "Puts ", stranger(what), isPurge
            ? " from the dead-letter queue. It cannot be undone."
            : " back on the queue, with a fresh budget of attempts. A conversation counts once.");
          byID("ask-word").hidden = !isPurge;
          input.value = "";
          yes.textContent = isPurge ? "Purge" : "Retry";
          yes.className = isPurge ? "danger" : "";
          const check = () => { yes.disabled = isPurge && input.value.trim() !== "purge"; };
          input.oninput = check;
          check();
          dialog.showModal();
          (isPurge ? input : yes).focus();
          return new Promise((answered) => {
            // Not by the event of its closing: that of the last question may still be on its way.
            const decide = (isYes) => {
              dialog.close();
              answered(isYes);
            };
            byID("ask-no").onclick = () => decide(false);
            yes.onclick = () => decide(true);
            dialog.oncancel = () => decide(false);
            input.onkeydown = (event) => {
              if (event.key !== "Enter") return;
              // Else it also presses the button behind, which has the focus then.
              event.preventDefault();
              if (!yes.disabled) decide(true);
            };
          });
        }

        async function deal(verb, selection, what) {
          if (!await isMeant(verb, what)) return;
          const said = byID("letters-said");
          said.textContent = verb === "purge" ? "Purging …" : "Retrying …";
          const done = verb === "purge" ? "purged" : "retried";
          try {
            const { isFine, value, status } = await ask(`/api/v1/dead-letters/${verb}`, {
              method: "POST", body: JSON.stringify(selection),
              headers: { "Content-Type": "application/json", "X-Amity-Request": "dashboard" },
            }, 20000);
            const more = value?.is_complete === false ? " There are more: ask again." : "";
            const dealt = value?.[done];
            const result = known(dealt)
              ? `${plural(dealt, "letter", "letters")} ${done}.${more}` : "";
            said.textContent = isFine ? result
              : `${result} It failed: ${value?.error?.message ?? `answer ${status}`}`.trim();
          } catch (error) {
            said.textContent = `Not known to be done: ${error.message}. Look again.`;
          }
          await look();
          pull(feeds.queues);
        }

        // MARK: All of it

        function draw() {
          drawVerdict();
          drawTiles();
          drawWorkers();
          drawFailures();
          if (feeds.history.value) {
            slots = placed(feeds.history.value);
            charts.forEach(drawChart);
          }
          const total = mine()?.dead_letters;
          if (known(total) && total !== letters.total) look();
        }

        byID("look").addEventListener("click", look);
        if ("session" in document.documentElement.dataset) byID("logout").hidden = false;
        byID("logout").addEventListener("click", async () => {
          try {
            await ask("/logout", { method: "POST", headers: { "X-Amity-Request": "dashboard" } });
            location.assign("/login");
          } catch {
            byID("logout").textContent = "Not logged out: try again";
          }
        });
        document.addEventListener("visibilitychange", turn);
        setInterval(turn, 1000);
        turn();
        look();

        """#
}
