/// What the dashboard's page does. What comes from outside becomes text and attributes, never markup.
enum PageScript {
    /// Elements, words for figures, and what is asked how often.
    static let core = #"""
        const byID = (id) => document.getElementById(id);

        /** An element. A child that is a string becomes text. */
        function make(tag, attributes, ...children) {
          const element = document.createElement(tag);
          for (const [name, value] of Object.entries(attributes ?? {})) {
            if (value === undefined || value === null || value === false) continue;
            if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
            else element.setAttribute(name, value === true ? "" : value);
          }
          element.append(...children.filter((child) => child !== undefined && child !== null));
          return element;
        }

        /** A stranger's text: nothing in it moves what stands around it, or hides. */
        const plain = (text) =>
          String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
        const stranger = (text) => make("bdi", { class: "id" }, plain(text));

        // MARK: Words for figures

        const known = (value) => value !== undefined && value !== null;
        const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
        const count = (value) => known(value) ? number.format(value) : "?";
        const plural = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;
        const rate = (value) => !known(value) ? "?"
          : value > 0 && value < 0.05 ? "<0.1/s" : `${number.format(value)}/s`;
        const megabytes = (bytes) => `${Math.round(bytes / 1048576)} MB`;

        /** In the largest unit of which there are two. */
        function duration(seconds) {
          if (!known(seconds)) return "?";
          if (seconds === 0) return "0 s";
          if (seconds < 1) return `${+(seconds * 1000).toPrecision(2)} ms`;
          if (seconds < 9.95) return `${number.format(seconds)} s`;
          const whole = Math.round(seconds);
          if (whole < 120) return `${whole} s`;
          if (whole < 7200) return `${Math.floor(whole / 60)} min`;
          if (whole < 172800) return `${Math.floor(whole / 3600)} h`;
          return `${Math.floor(whole / 86400)} d`;
        }
        const clock = (date) => date.toLocaleTimeString("en", { hourCycle: "h23" });
        /** Seconds since an instant as the workers write it. */
        const since = (text) => Math.max(0, (now() - Date.parse(text)) / 1000);
        const lasted = (text) => duration(Math.round(since(text)));
        const ago = (text) => known(text) ? `${lasted(text)} ago` : "never";
        /** For what stays as it is drawn: the time, with the day where that is another. */
        function when(text) {
          const date = new Date(text);
          const day = { month: "short", day: "numeric" };
          return date.toDateString() === new Date(now()).toDateString() ? clock(date)
            : `${date.toLocaleDateString("en", day)}, ${clock(date)}`;
        }

        // MARK: What is asked

        /** How far the worker's clock is ahead of this one's, in milliseconds. */
        let ahead = 0;
        const now = () => Date.now() + ahead;

        class Refused extends Error {
          constructor(status, message) {
            super(message);
            this.status = status;
          }
        }

        /** What is answered, as JSON. Throws `Refused` with status 0 where nobody does. */
        async function ask(path, options, patience = 10000) {
          let response, text;
          try {
            response = await fetch(path, {
              cache: "no-store", redirect: "error", signal: AbortSignal.timeout(patience),
              ...options,
            });
            text = await response.text();
          } catch (error) {
            throw new Refused(0, error.name === "TimeoutError" ? "no answer in time" : "no answer");
          }
          const date = Date.parse(response.headers.get("Date"));
          // It names whole seconds.
          if (date) ahead = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
          let value = null;
          try { value = JSON.parse(text); } catch { /* An answer of somebody in between. */ }
          if (value === null && response.ok && response.status !== 204) {
            throw new Refused(0, "an answer that is none of Amity's");
          }
          return { status: response.status, isFine: response.ok, value };
        }

        async function get(path) {
          const answer = await ask(path);
          if (answer.isFine) return answer.value;
          const reason = answer.value?.error?.message ?? `it answered ${answer.status}`;
          throw new Refused(answer.status, reason);
        }

        const feed = (path, seconds, read = get) => ({
          path, every: seconds * 1000, read, value: null, at: null, error: null,
          due: 0, isBusy: false,
        });
        const feeds = {
          // Whoever is not ready says so with an error's status and the reasons.
          health: feed("/health/ready", 3, async (path) => (await ask(path)).value),
          workers: feed("/api/v1/stats/workers", 3),
          queues: feed("/api/v1/stats/queues", 3),
          history: feed("/api/v1/stats/history", 15),
        };
        let lastContact = null;
        /** Since when nothing has come, and why. */
        let silence = null;

        async function pull(feed) {
          if (feed.isBusy) return;
          feed.isBusy = true;
          try {
            feed.value = await feed.read(feed.path);
            feed.at = new Date();
            feed.error = null;
          } catch (error) {
            feed.error = error;
          }
          feed.isBusy = false;
          feed.due = performance.now() + feed.every;
          if (feed.error?.status === 0) {
            silence ??= { since: new Date(), why: feed.error.message };
          } else {
            silence = null;
            lastContact = new Date();
          }
          draw();
        }

        function turn() {
          if (document.hidden) return;
          for (const feed of Object.values(feeds)) {
            if (performance.now() >= feed.due) pull(feed);
          }
        }

        // MARK: Light and dark

        const themes = ["auto", "light", "dark"];
        function setTheme(theme) {
          document.documentElement.dataset.theme = theme;
          byID("theme").textContent = `Theme: ${theme}`;
          try { localStorage.setItem("amity-theme", theme); } catch { /* For this page only. */ }
        }
        function storedTheme() {
          try {
            const theme = localStorage.getItem("amity-theme");
            return themes.includes(theme) ? theme : "auto";
          } catch { return "auto"; }
        }
        setTheme(storedTheme());
        byID("theme").addEventListener("click", () => {
          const next = themes.indexOf(document.documentElement.dataset.theme) + 1;
          setTheme(themes[next % themes.length]);
        });

        """#
}
