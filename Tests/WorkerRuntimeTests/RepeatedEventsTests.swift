import Logging
import Testing

@testable import Concurrency
@testable import WorkerRuntime

/// Keeps what is logged.
private struct KeepingHandler: LogHandler {
    let lines: Locked<[(event: String, metadata: Logger.Metadata)]>
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.withLock { $0.append(("\(event.message)", event.metadata ?? [:])) }
    }
}

struct RepeatedEventsTests {
    private let lines = Locked<[(event: String, metadata: Logger.Metadata)]>([])
    private let timers = Locked<[@Sendable () -> Void]>([])

    private var events: RepeatedEvents {
        let logger = Logger(label: "test", factory: { [lines] _ in KeepingHandler(lines: lines) })
        return RepeatedEvents(first: 2, window: .seconds(10), logger: logger) {
            [timers] _, body in
            timers.withLock { $0.append(body) }
        }
    }

    private func log(
        _ events: RepeatedEvents,
        _ code: String,
        id: String = "",
        at seconds: Int,
        since start: ContinuousClock.Instant
    ) {
        events.log(
            level: .error,
            "failed",
            code: code,
            id: id,
            metadata: ["code": "\(code)"],
            at: start + .seconds(seconds)
        )
    }

    /// Lets go of them, too: each holds the events that hold the list.
    private func takeTimers() -> [@Sendable () -> Void] {
        timers.withLock { timers in
            defer { timers = [] }
            return timers
        }
    }

    private var told: [String] {
        lines.withLock { lines in
            lines.map { line in
                let more = line.metadata["more"].map { " \($0)" } ?? ""
                return "\(line.event) \(line.metadata["code"] ?? "")\(more)"
            }
        }
    }

    /// Fault: a flood of one cause hides all others; or is cut short without a word.
    @Test func theFirstOfEachCodeAreLoggedAndTheOthersSummed() {
        let (events, start) = (events, ContinuousClock.now)
        for number in 0..<5 { log(events, "A", id: "\(number)", at: 0, since: start) }
        log(events, "B", at: 1, since: start)
        #expect(told == ["failed A", "failed A", "failed B"])
        for timer in takeTimers() { timer() }
        #expect(told.last == "log.summed A 3")
        #expect(lines.withLock { $0.last?.metadata["last"] } == "4")
        #expect(told.count == 4, "nothing is summed twice")
    }

    /// Fault: after a flood nothing of that kind is ever logged again, or a rare event is summed.
    @Test func eachWindowBeginsAnew() {
        let (events, start) = (events, ContinuousClock.now)
        for second in [0, 1, 11, 12, 13] { log(events, "A", at: second, since: start) }
        #expect(told == ["failed A", "failed A", "failed A", "failed A"])
        events.flush()
        #expect(told.last == "log.summed A 1")
        log(events, "A", at: 14, since: start)
        #expect(told.last == "failed A")
        for timer in takeTimers() { timer() }
        events.flush()
        #expect(told.count == 6)
    }
}
