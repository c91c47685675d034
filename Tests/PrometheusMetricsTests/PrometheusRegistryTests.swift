import CoreMetrics
import Foundation
import Testing

@testable import PrometheusMetrics

struct PrometheusRegistryTests {
    /// The whole format at once: order, HELP and TYPE lines, suffixes, buckets that add up,
    /// escapes.
    @Test func theTextIsTheOneThatPrometheusReads() {
        let registry = PrometheusRegistry(describing: [
            .init(name: "jobs_total", help: "Jobs,\nin a \\ row."),
            .init(name: "wait_seconds", help: "Time waited.", buckets: [0.1, 2.5]),
            .init(name: "size", help: "How large.", buckets: [1, 10]),
        ])
        let good = Counter(
            label: "jobs_total",
            dimensions: [("outcome", "ok"), ("by", "a \"b\" \\ c\nd")],
            factory: registry
        )
        good.increment(by: 41)
        good.increment()
        Counter(label: "jobs_total", dimensions: [("outcome", "bad")], factory: registry)
            .increment(by: 0)
        FloatingPointCounter(label: "spent.seconds", factory: registry).increment(by: 1.25)
        let timer = CoreMetrics.Timer(label: "wait_seconds", factory: registry)
        for milliseconds in [50, 100, 2400, 9000] { timer.recordMilliseconds(milliseconds) }
        let sizes = Recorder(label: "size", dimensions: [("of", "x")], factory: registry)
        sizes.record(1)
        sizes.record(3.5)
        Gauge(label: "level", factory: registry).record(-0.5)
        let meter = Meter(label: "meter", factory: registry)
        meter.set(5)
        meter.increment(by: 2)
        meter.decrement()
        let expected = """
            # HELP jobs_total Jobs,\\nin a \\\\ row.
            # TYPE jobs_total counter
            jobs_total{by="a \\"b\\" \\\\ c\\nd",outcome="ok"} 42
            jobs_total{outcome="bad"} 0
            # TYPE level gauge
            level -0.5
            # TYPE meter gauge
            meter 6
            # HELP size How large.
            # TYPE size histogram
            size_bucket{of="x",le="1"} 1
            size_bucket{of="x",le="10"} 2
            size_bucket{of="x",le="+Inf"} 2
            size_sum{of="x"} 4.5
            size_count{of="x"} 2
            # TYPE spent_seconds_total counter
            spent_seconds_total 1.25
            # HELP wait_seconds Time waited.
            # TYPE wait_seconds histogram
            wait_seconds_bucket{le="0.1"} 2
            wait_seconds_bucket{le="2.5"} 3
            wait_seconds_bucket{le="+Inf"} 4
            wait_seconds_sum 11.55
            wait_seconds_count 4

            """
        // Line by line: a difference of two long texts takes for ever to print.
        for (line, wanted) in zip(
            registry.text().split(separator: "\n"),
            expected.split(separator: "\n")
        ) {
            #expect(line == wanted)
        }
        #expect(registry.text().utf8.count == expected.utf8.count)
    }

    /// Fault: increments that are lost between threads, or a sum that is.
    @Test func nothingIsLostBetweenThreads() async {
        let registry = PrometheusRegistry(describing: [])
        let counter = Counter(label: "c", factory: registry)
        let cpu = FloatingPointCounter(label: "f", factory: registry)
        let timer = CoreMetrics.Timer(label: "t", factory: registry)
        let meter = Meter(label: "m", factory: registry)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<20000 {
                        counter.increment()
                        cpu.increment(by: 0.5)
                        timer.recordNanoseconds(2_000_000_000)
                        meter.increment()
                    }
                }
            }
            // A scrape meanwhile finds the count of all observations in the last bucket.
            for _ in 0..<50 {
                let lines = registry.text().split(separator: "\n")
                let all = lines.first { $0.hasPrefix("t_bucket{le=\"+Inf\"}") }
                let count = lines.first { $0.hasPrefix("t_count") }
                #expect(all?.split(separator: " ").last == count?.split(separator: " ").last)
                await Task.yield()
            }
        }
        let text = registry.text()
        for line in [
            "c_total 160000", "f_total 80000", "t_sum 320000", "t_count 160000", "m 160000",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    /// Fault: an id becomes a label, and every conversation a series that is kept for ever.
    @Test func aLabelWithManyValuesCostsItsDetailOnly() {
        let registry = PrometheusRegistry(describing: [], seriesLimit: 3)
        for number in 0..<1000 {
            Counter(label: "c", dimensions: [("id", "\(number)")], factory: registry).increment()
        }
        let samples = registry.text().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(samples.count == 4)
        #expect(samples.contains("c_total{id=\"other\"} 997"))
        // One that was there before the limit goes on.
        Counter(label: "c", dimensions: [("id", "1")], factory: registry).increment()
        #expect(registry.text().contains("c_total{id=\"1\"} 2\n"))
    }

    @Test func theSameLabelsAreTheSameSeriesInAnyOrder() {
        let registry = PrometheusRegistry(describing: [])
        let labels = [("a", "1"), ("b", "2")]
        Counter(label: "c", dimensions: labels, factory: registry).increment()
        Counter(label: "c", dimensions: labels.reversed(), factory: registry).increment()
        #expect(registry.text().contains("c_total{a=\"1\",b=\"2\"} 2\n"))
    }

    /// Fault: a name that is two kinds makes the text unreadable, for every metric in it.
    @Test func oneNameIsOneKind() {
        let registry = PrometheusRegistry(describing: [])
        Gauge(label: "x", factory: registry).record(1)
        CoreMetrics.Timer(label: "x", factory: registry).recordNanoseconds(1)
        Counter(label: "y", factory: registry).increment()
        FloatingPointCounter(label: "y", factory: registry).increment()
        #expect(
            registry.text() == "# TYPE x gauge\nx 1\n# TYPE y_total counter\ny_total 1\n"
        )
    }

    @Test func whatIsDestroyedIsGone() {
        let registry = PrometheusRegistry(describing: [])
        let gauge = Gauge(label: "g", dimensions: [("a", "1")], factory: registry)
        Gauge(label: "g", dimensions: [("a", "2")], factory: registry).record(2)
        gauge.destroy()
        #expect(registry.text() == "# TYPE g gauge\ng{a=\"2\"} 2\n")
    }

    @Test(arguments: [
        (0.1, "0.1"), (3, "3"), (-0.0, "0"), (1e21, "1e+21"), (.nan, "NaN"), (.infinity, "+Inf"),
        (-.infinity, "-Inf"), (1e-9, "1e-09"),
    ])
    func numbersAreAsPrometheusReadsThem(number: Double, text: String) {
        #expect(ExpositionText.number(number) == text)
    }

    @Test(arguments: [("a.b-c", "a_b_c"), ("1st", "_1st"), ("é", "_"), ("", "_"), ("a:b", "a:b")])
    func namesHoldOnlyWhatTheyMay(given: String, name: String) {
        #expect(ExpositionText.name(given) == name)
    }
}
