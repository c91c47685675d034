extension PageScript {
    /// Draws the last hour. Where nobody reported, nothing is drawn, and the ground is darker.
    static let charts = #"""
        const vector = (tag, attributes, ...children) => {
          const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
          for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
          element.append(...children);
          return element;
        };

        const spans = [.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 30,
          60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400];
        /** The distance between lines of which at most four reach a height. */
        function distance(most, isTime) {
          if (isTime) {
            return spans.find((span) => span * 4 >= most) ?? 86400 * Math.ceil(most / 86400 / 4);
          }
          const power = 10 ** Math.floor(Math.log10(Math.max(most, 1) / 4));
          return Math.max(1, [1, 2, 5, 10].find((step) => step * power * 4 >= most) * power);
        }

        const charts = [
          {
            title: "Throughput", format: rate, isRate: true,
            series: [
              { name: "done", pick: (point, step) => known(point.done) ? point.done / step : null },
              {
                name: "failed",
                pick: (point, step) =>
                  known(point.done) ? ((point.retried ?? 0) + (point.dead ?? 0)) / step : null,
              },
            ],
          },
          {
            title: "From delivery to ack", format: duration, isTime: true, isRate: true,
            series: [
              { name: "p50", pick: (point) => point.ack_seconds_p50 ?? null },
              { name: "p99", pick: (point) => point.ack_seconds_p99 ?? null },
            ],
          },
          {
            title: "Queue depth", format: count,
            series: [
              { name: "waiting", pick: (point) => point.ready ?? null },
              { name: "to be retried", pick: (point) => point.retrying ?? null },
            ],
          },
          {
            title: "Oldest waiting", format: duration, isTime: true,
            series: [{ name: "age", pick: (point) => point.oldest_age_seconds ?? null }],
          },
        ];
        const left = 50, right = 6, top = 10, bottom = 18, height = 132;
        /** The step that is looked at in all charts; null for the latest. */
        let cursor = null;
        let slots = null;

        /** One place for each step of the hour, those that nobody wrote included. */
        function placed(history) {
          const step = history.step_seconds * 1000;
          const last = Math.floor(now() / step) * step;
          const length = Math.round(3600000 / step);
          const points = new Array(length).fill(null);
          for (const point of history.points) {
            const index = length - 1 + Math.round((Date.parse(point.at) - last) / step);
            if (index >= 0 && index < length) points[index] = point;
          }
          return { points, step, first: last - (length - 1) * step, length };
        }

        function values(chart) {
          return chart.series.map((series) => slots.points.map((point, index) => {
            // The step that has not ended would look like a fall.
            if (!point || chart.isRate && index === slots.length - 1) return null;
            return series.pick(point, slots.step / 1000);
          }));
        }

        /** Runs of neighbours that have a value, or have none. */
        function runs(row, isWanted) {
          const found = [];
          row.forEach((value, index) => {
            if (!isWanted(value)) return;
            const last = found.at(-1);
            if (last && last[1] === index - 1) last[1] = index;
            else found.push([index, index]);
          });
          return found;
        }

        function setUp(chart) {
          chart.svg = vector("svg", { role: "img", tabindex: "0" });
          chart.output = make("output", {});
          byID("charts").append(make("figure", {},
            make("figcaption", {}, make("b", {}, chart.title), chart.output), chart.svg));
          const move = (to) => {
            cursor = to === null ? null : Math.min(Math.max(to, 0), slots.length - 1);
            charts.forEach(drawChart);
          };
          chart.svg.addEventListener("pointermove", (event) => {
            if (!slots) return;
            const box = chart.svg.getBoundingClientRect();
            const part = (event.clientX - box.left - left) / (box.width - left - right);
            chart.output.removeAttribute("aria-live");
            move(Math.round(part * (slots.length - 1)));
          });
          chart.svg.addEventListener("pointerleave", () => move(null));
          chart.svg.addEventListener("keydown", (event) => {
            const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
            if (!slots || !by && event.key !== "Escape") return;
            event.preventDefault();
            chart.output.setAttribute("aria-live", "polite");
            move(by ? (cursor ?? slots.length - 1) + by : null);
          });
          chart.svg.addEventListener("blur", () => move(null));
          new ResizeObserver(() => drawChart(chart)).observe(chart.svg);
        }

        function drawChart(chart) {
          if (!slots) return;
          const width = Math.max(chart.svg.clientWidth, 200);
          const rows = values(chart);
          const most = Math.max(0, ...rows.flat().filter(known));
          const gap = distance(most, chart.isTime);
          const lines = Math.max(1, Math.ceil(most / gap - 1e-9));
          const x = (index) => left + (width - left - right) * index / (slots.length - 1);
          const y = (value) => height - bottom - (height - top - bottom) * value / (gap * lines);
          const parts = [];
          // The last step is still being written.
          for (const [from, to] of runs(rows[0].slice(0, -1), (value) => value === null)) {
            parts.push(vector("rect", { class: "gap", x: x(Math.max(0, from - .5)), y: top,
              width: x(Math.min(slots.length - 1, to + .5)) - x(Math.max(0, from - .5)),
              height: height - top - bottom }));
          }
          for (let line = 0; line <= lines; line++) {
            const at = y(line * gap);
            parts.push(vector("line",
              { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
            parts.push(vector("text", { x: left - 6, y: at + 4, "text-anchor": "end" },
              chart.format(line * gap)));
          }
          drawTimes(parts, x, width);
          rows.forEach((row, order) => drawSeries(parts, row, order, x, y));
          if (cursor !== null) {
            parts.push(vector("line", { class: "cursor", x1: x(cursor), x2: x(cursor), y1: top,
              y2: height - bottom }));
            rows.forEach((row, order) => {
              if (row[cursor] === null) return;
              parts.push(vector("circle", { class: order ? "dot two" : "dot", r: 3.5, cx: x(cursor),
                cy: y(row[cursor]) }));
            });
          }
          if (most === 0 && rows[0].every((value) => value === null)) {
            const middle = { x: (width + left) / 2, y: height / 2, "text-anchor": "middle" };
            parts.push(vector("text", middle,
              "nothing was reported in the last hour"));
          }
          chart.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
          chart.svg.replaceChildren(...parts);
          describe(chart, rows);
        }

        function drawTimes(parts, x, width) {
          const minutes = width > 330 ? 10 : 20;
          for (let index = 0; index < slots.length; index++) {
            const date = new Date(slots.first + index * slots.step);
            if (date.getMinutes() % minutes || date.getSeconds() >= slots.step / 1000) continue;
            if (x(index) < left + 14 || x(index) > width - right - 14) continue;
            parts.push(vector("text", { x: x(index), y: height - 4, "text-anchor": "middle" },
              clock(date).slice(0, 5)));
          }
        }

        function drawSeries(parts, row, order, x, y) {
          const two = order ? " two" : "";
          for (const [from, to] of runs(row, known)) {
            if (from === to) {
              parts.push(vector("circle",
                { class: "dot" + two, r: 1.6, cx: x(from), cy: y(row[from]) }));
              continue;
            }
            let path = "";
            for (let index = from; index <= to; index++) {
              path += `${path ? "L" : "M"}${x(index).toFixed(1)} ${y(row[index]).toFixed(1)}`;
            }
            if (!order) {
              const area = `${path}L${x(to)} ${y(0)}L${x(from)} ${y(0)}Z`;
              parts.push(vector("path", { class: "area", d: area }));
            }
            parts.push(vector("path", { class: "line" + two, d: path }));
          }
        }

        /** In words, for the step that is looked at, else for the latest that has any. */
        function describe(chart, rows) {
          const latest = rows[0].findLastIndex(known);
          const index = cursor ?? (latest < slots.length - 4 ? slots.length - 1 : latest);
          const texts = chart.series.map((series, order) => {
            const value = rows[order][index];
            return make("span", { class: order ? "key two" : "key" },
              `${series.name} ${known(value) ? chart.format(value) : "–"}`);
          });
          if (cursor !== null) {
            const date = new Date(slots.first + cursor * slots.step);
            texts.unshift(make("span", { class: "at" }, clock(date)));
          }
          chart.output.replaceChildren(...texts);
          const missing = rows[0].slice(0, -1).filter((value) => value === null).length;
          const words = chart.series.map((series, order) => {
            const row = rows[order].filter(known);
            if (!row.length) return `${series.name} unknown`;
            const range = [Math.min(...row), Math.max(...row)].map(chart.format).join(" to ");
            return `${series.name} ${range}`;
          });
          chart.svg.setAttribute("aria-label", `${chart.title}, last hour: ${words.join("; ")}; `
            + `nothing known for ${duration(missing * slots.step / 1000)}. Arrow keys move.`);
        }

        charts.forEach(setUp);

        """#
}
