import Foundation
import Messaging
import Testing

@testable import Concurrency
@testable import WorkerRuntime

/// Asks the dispatcher something that needs the inbox's lock, whenever it is asked for its limit.
private final class CuriousHandler: Handler {
    let dispatcher = Locked<Dispatcher?>(nil)

    var batchLimit: Int {
        let dispatcher = dispatcher.withLock { $0 }
        return 1 + (dispatcher.map { $0.load.waiting } ?? 0)
    }

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        deliveries.map { _ in .done }
    }
    func record(_ failed: [FailedDelivery], in context: HandlerContext) {}
}

struct WorkKindTests {
    /// Fault: a handler that is slow to say its limit, or waits for a lock, stops all threads and
    /// the channel thread; one that asks the dispatcher anything stops itself for ever.
    @Test(.timeLimit(.minutes(1))) func aHandlerIsNotAskedUnderTheInboxsLock() {
        let handler = CuriousHandler()
        let bench = Bench(threads: 2, handler: handler)
        handler.dispatcher.withLock { $0 = bench.dispatcher }
        bench.dispatcher.submit((1...50).map { delivery($0) })
        bench.finish()
        #expect(bench.completions.drain().count == 50)
        // It holds the dispatcher, which holds it.
        handler.dispatcher.withLock { $0 = nil }
    }

    /// Fault: messages of one kind go by the attempts and the queues of another.
    @Test func eachKindHasItsOwnRetryPolicy() {
        let failure = Failure(code: "C", reason: "r")
        let failing = ScriptedHandler { $0.map { _ in .retry(failure) } }
        let strict = RetryPolicy(
            names: QueueNames(main: "strict"),
            maxAttempts: 1,
            maxCrashes: 1,
            backoffSeconds: [5],
            worker: "w"
        )
        let bench = Bench(
            threads: 1,
            kinds: [
                WorkKind(type: nil, handler: failing, retryPolicy: .test),
                WorkKind(type: "strict", handler: failing, retryPolicy: strict),
            ]
        )
        bench.dispatcher.submit([delivery(1), delivery(2, type: "strict")])
        bench.finish()
        let copies = bench.republisher.messages.withLock { $0 }
        #expect(copies.map(\.queue) == ["q.retry.1", "strict.dead"])
        bench.dispatcher.refuse(delivery(3, type: "strict"), because: failure)
        #expect(bench.republisher.messages.withLock { $0.last?.queue } == "strict.dead")
    }

    /// Fault: a worker that is stopped tells its handlers that their work is not wanted, and they
    /// give it up for good.
    @Test func aDrainIsNoCancellation() {
        let drain = DrainSignal()
        let token = CancellationToken()
        let notes = Locked<[String]>([])
        let context = HandlerContext(slot: 0, drain: drain, cancellation: token) { percent, note in
            notes.withLock { $0.append("\(percent) \(note ?? "")") }
        }
        drain.raise()
        #expect(!context.isCancelled)
        token.cancel()
        #expect(context.isCancelled)
        context.report(progress: 65, note: "half")
        context.report(progress: 101)
        #expect(notes.withLock { $0 } == ["65 half", "100 "])
        let plain = HandlerContext(slot: 0, drain: drain)
        plain.report(progress: 1)
        #expect(!plain.isCancelled)
    }

    /// Fault: a cancelled message comes again, or keeps its record of a crash.
    @Test func whatIsCancelledIsAckedAndClearOfCrashes() {
        let bench = Bench(threads: 1, handler: ScriptedHandler { $0.map { _ in .cancelled } })
        let suspect = delivery(7, again: true)
        let key = MessageKey(suspect.message)
        bench.crashes.known.withLock { $0[key] = 1 }
        bench.dispatcher.submit([delivery(1), suspect])
        bench.finish()
        let settled = bench.completions.drain()
        #expect(settled.map(\.settlement) == [.ack, .ack])
        #expect(bench.crashes.known.withLock { $0[key] } == 0)
        #expect(bench.counts.snapshot.totals.done == 2)
        #expect(bench.republisher.messages.withLock { $0.isEmpty })
    }
}

struct SnoozeTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let policy = RetryPolicy(
        names: QueueNames(main: "q"),
        maxAttempts: 2,
        maxCrashes: 3,
        backoffSeconds: [10, 60, 300],
        worker: "w"
    )

    /// Fault: it runs before its time, or late by a whole long delay.
    @Test(arguments: [(-5.0, 10), (0.5, 10), (10, 10), (59, 10), (60, 60), (1e4, 300), (1e12, 300)])
    func itTakesTheLongestDelayThatFits(seconds: Double, step: Int) {
        var message = Message(body: [1])
        message.properties.headers[HeaderName.attempts] = .integer(1)
        let next = policy.snooze(message, until: now + seconds, at: now)
        #expect(next.queue == "q.retry.\(step)")
        #expect(next.message.properties.headers[HeaderName.attempts] == .integer(1))
        let wake = policy.wakeTime(of: next.message, at: now)
        let week = 7.0 * 86_400
        #expect(wake == (seconds <= 0 ? nil : now + min(seconds, week).rounded(.up)))
    }

    /// Faults: a forged header keeps a message from running for ever; one whose time has come goes
    /// away again.
    @Test func onlyATimeWithinAWeekKeepsAMessageFromRunning() {
        func wakeTime(_ value: HeaderValue) -> Date? {
            var message = Message(body: [1])
            message.properties.headers[HeaderName.snoozedUntil] = value
            return policy.wakeTime(of: message, at: now)
        }
        let seconds = Int64(now.timeIntervalSince1970)
        #expect(wakeTime(.integer(seconds + 60)) == now + 60)
        #expect(wakeTime(.integer(seconds)) == nil)
        #expect(wakeTime(.integer(seconds + 8 * 86_400)) == nil)
        #expect(wakeTime(.integer(.max)) == nil)
        #expect(wakeTime(.integer(.min)) == nil)
        #expect(wakeTime(.string("\(seconds + 60)")) == nil)
    }

    /// Fault: a message that comes back before its time is run, or counts as one that failed.
    @Test func whatComesBackEarlyGoesAwayAgainWithoutRunning() {
        let handler = ScriptedHandler { $0.map { _ in .snooze(until: Date() + 60) } }
        let bench = Bench(threads: 1, handler: handler)
        bench.dispatcher.submit([delivery(1)])
        bench.pool.waitUntilIdle()
        var early = delivery(2)
        let until = Int64(Date().timeIntervalSince1970) + 3600
        early.message.properties.headers[HeaderName.snoozedUntil] = .integer(until)
        bench.dispatcher.submit([early])
        bench.finish()
        #expect(handler.sizes.withLock { $0 } == [1])
        let copies = bench.republisher.messages.withLock { $0 }
        #expect(copies.map(\.queue) == ["q.retry.1", "q.retry.1"])
        #expect(copies.map(\.original.tag) == [1, 2])
        #expect(bench.completions.drain().isEmpty, "not before its copy is safe")
        #expect(handler.recorded.withLock { $0.isEmpty })
        #expect(bench.counts.snapshot.totals.interrupted == 1)
    }
}
