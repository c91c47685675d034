import Foundation

/// The curve of a sweep as a picture: rate over threads, a line for each batch size and number of
/// replicas. SVG, written by hand; it follows the reader's choice of dark or light.
struct Curve {
    let rates: [Configuration: Double]
    let choice: Configuration?
    let workload: String
    let analyserSeconds: Double?

    // Everything in pixels; the plot's corners first.
    private let left = 80.0
    private let top = 60.0
    private let right = 620.0
    private let bottom = 400.0
    private let width = 820.0
    private let height = 460.0

    private var threads: [Int] { Set(rates.keys.map(\.threads)).sorted() }
    private var batches: [Int] { Set(rates.keys.map(\.batch)).sorted() }
    private var replicas: [Int] { Set(rates.keys.map(\.replicas)).sorted() }
    private var best: Double { rates.values.max() ?? 1 }

    var svg: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" role="img">
        <title>\(title)</title>
        <style>
        \(Self.style)
        </style>
        <rect width="100%" height="100%" class="paper"/>
        <text x="\(left)" y="28" class="head">\(title)</text>
        \(axes)
        \(tolerance)
        \(lines)
        \(mark)
        \(legend)
        </svg>

        """
    }

    private var title: String {
        "Conversations per second over threads, workload \(workload)"
            + (analyserSeconds.map { ", with an analyser that takes \($0) s" } ?? "")
    }

    private static let colours = [
        ("#0b6bcb", "#6cb6ff"), ("#c2410c", "#ff9e64"), ("#15803d", "#7ee787"),
        ("#7e22ce", "#d2a8ff"), ("#a16207", "#f2cc60"), ("#be185d", "#ff8ac4"),
    ]

    private static var style: String {
        func rules(_ ink: String, _ paper: String, _ pick: ((String, String)) -> String) -> String {
            let lines = colours.enumerated().map { index, pair in
                ".c\(index) { stroke: \(pick(pair)); fill: \(pick(pair)); }"
            }
            return (["svg { color: \(ink); }", ".paper { fill: \(paper); }"] + lines)
                .joined(separator: "\n")
        }
        return """
            text { font: 13px system-ui, sans-serif; fill: currentColor; stroke: none; }
            .head { font-size: 16px; font-weight: 600; }
            .end { text-anchor: end; }
            .middle { text-anchor: middle; }
            .grid { stroke: currentColor; stroke-opacity: 0.15; }
            .rule { stroke: currentColor; stroke-opacity: 0.6; stroke-dasharray: 2 4; }
            .ring { stroke: currentColor; stroke-width: 2; fill: none; }
            polyline { stroke-width: 2; fill: none !important; }
            \(rules("#1f2328", "#ffffff") { $0.0 })
            @media (prefers-color-scheme: dark) {
            \(rules("#e6edf3", "#0d1117") { $0.1 })
            }
            """
    }

    // MARK: Places

    /// Threads are told apart, not measured out: they are tried in steps that grow.
    private func x(_ count: Int) -> Double {
        let steps = Double(max(1, threads.count - 1))
        return left + (right - left) * Double(threads.firstIndex(of: count) ?? 0) / steps
    }

    private func y(_ rate: Double) -> Double { bottom - (bottom - top) * rate / ceiling }

    /// The next of 1, 2, 2.5, 5, 10 × 10ⁿ above the best.
    private var ceiling: Double {
        let power = pow(10, log10(max(best, 1)).rounded(.down))
        return [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= best } ?? 10 * power
    }

    private func number(_ value: Double) -> String { String(format: "%.1f", value) }

    // MARK: Parts

    private var axes: String {
        let rows = (0...5).map { step in
            let rate = ceiling * Double(step) / 5
            return """
                <line x1="\(left)" x2="\(right)" y1="\(number(y(rate)))" y2="\(number(y(rate)))" \
                class="grid"/>
                <text x="\(left - 8)" y="\(number(y(rate) + 4))" class="end">\(rate.shown)</text>
                """
        }
        let columns = threads.map { count in
            """
            <text x="\(number(x(count)))" y="\(bottom + 22)" class="middle">\(count)</text>
            """
        }
        let name = """
            <text x="\((left + right) / 2)" y="\(bottom + 46)" class="middle">\
            MESSAGE_CONCURRENCY_PER_WORKER</text>
            """
        return (rows + columns + [name]).joined(separator: "\n")
    }

    /// What is above it is as good as the best.
    private var tolerance: String {
        let height = number(y(best * (1 - toleratedLoss)))
        return """
            <line x1="\(left)" x2="\(right)" y1="\(height)" y2="\(height)" class="rule"/>
            """
    }

    /// Batches have a colour each, replicas a pattern of dashes.
    private func look(batch: Int, replicas count: Int) -> String {
        let colour = (batches.firstIndex(of: batch) ?? 0) % Self.colours.count
        let index = replicas.firstIndex(of: count) ?? 0
        let dashes = index == 0 ? "" : #" stroke-dasharray="\#(index * 6) 4""#
        return #"class="c\#(colour)"\#(dashes)"#
    }

    private var combinations: [(batch: Int, replicas: Int)] {
        replicas.flatMap { count in batches.map { ($0, count) } }
    }

    private var lines: String {
        combinations.map { batch, count in
            let points = threads.compactMap { threads -> String? in
                let key = Configuration(replicas: count, threads: threads, batch: batch)
                return rates[key].map { "\(number(x(threads))),\(number(y($0)))" }
            }
            let dots = points.map { point in
                let place = point.split(separator: ",")
                return #"<circle cx="\#(place[0])" cy="\#(place[1])" r="3.5" "#
                    + #"\#(look(batch: batch, replicas: replicas[0]))/>"#
            }
            let line = """
                <polyline points="\(points.joined(separator: " "))" \
                \(look(batch: batch, replicas: count))/>
                """
            return ([line] + dots).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private var mark: String {
        guard let choice, let rate = rates[choice] else { return "" }
        return """
            <circle cx="\(number(x(choice.threads)))" cy="\(number(y(rate)))" r="9" class="ring"/>
            """
    }

    private var legend: String {
        let entries = combinations.enumerated().map { index, combination in
            let y = top + 8 + 20 * Double(index)
            let (batch, count) = combination
            let text = "B = \(batch), \(count) \(count == 1 ? "replica" : "replicas")"
            return """
                <line x1="\(right + 24)" x2="\(right + 56)" y1="\(y)" y2="\(y)" stroke-width="2" \
                \(look(batch: batch, replicas: count))/>
                <text x="\(right + 64)" y="\(y + 4)">\(text)</text>
                """
        }
        let y = top + 8 + 20 * Double(combinations.count)
        let rule = """
            <line x1="\(right + 24)" x2="\(right + 56)" y1="\(y)" y2="\(y)" class="rule"/>
            <text x="\(right + 64)" y="\(y + 4)">95 % of the best</text>
            <circle cx="\(right + 40)" cy="\(y + 22)" r="7" class="ring"/>
            <text x="\(right + 64)" y="\(y + 26)">recommended</text>
            """
        return (entries + [rule]).joined(separator: "\n")
    }
}
