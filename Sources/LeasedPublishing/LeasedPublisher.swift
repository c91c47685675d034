import AMQP
import Concurrency
import CoreMetrics
import DequeModule
import Metering

/// Publishes messages whose rows this process has leased, with confirms, and hands those that the
/// broker has confirmed to their rows, many at a time.
///
/// A lease in the database lasts five seconds; then any process may publish the row. Once it is
/// nearly over nothing of it is sent any more, so a broker that is away for hours finds no queue of
/// old copies here. What is urgent overtakes what is not, but for what is on the wire.
package final class LeasedPublisher<Rows: LeasedRows>: Sendable {
    package typealias Item = Rows.Item

    private struct Leased: Sendable {
        var item: Item
        /// Of its lease.
        var end: ContinuousClock.Instant
        var sentAt = ContinuousClock.now
    }

    private struct State {
        /// Sent and not answered, with the ends of the leases.
        var inHand: [Item.Key: ContinuousClock.Instant] = [:]
        /// Not sent yet, by lane.
        var waiting = [Deque<Leased>](repeating: [], count: 4)
        /// How many have been sent and are not answered: one may be twice in hand.
        var sent = 0
        var settled: [Item] = []
        /// The database is left alone until then: it has just refused.
        var settleFrom = ContinuousClock.now
        /// What no queue took.
        var returned: [Leased] = []
        /// Queues that are not there, with the time until which they are left alone.
        var aside: [String: ContinuousClock.Instant] = [:]

        var hasWork: Bool { isWorthSettling || !returned.isEmpty }

        /// The most urgent ones that may be sent now.
        mutating func next(at now: ContinuousClock.Instant) -> [Leased] {
            var next: [Leased] = []
            for lane in waiting.indices {
                while sent < Limits.onWire, var leased = waiting[lane].popFirst() {
                    if leased.end <= now { continue }
                    leased.sentAt = now
                    next.append(leased)
                    inHand[leased.item.key] = leased.end
                    sent += 1
                }
            }
            return next
        }

        var isWorthSettling: Bool { !settled.isEmpty && settleFrom <= .now }

        /// How many more may be taken. None while one is overdue: then the broker is away.
        /// What is not settled yet counts: a slow database gets no more than it can take, else the
        /// leases of what is confirmed would run out, and it would be published again.
        func room(at now: ContinuousClock.Instant) -> Int {
            let isAway = inHand.values.contains { $0 <= now }
            return isAway ? 0 : max(0, Limits.window - taken - settled.count)
        }

        /// What has no answer yet.
        var taken: Int { waiting.reduce(sent) { $0 + $1.count } }

        /// Any process may publish it by now.
        mutating func dropLate(at now: ContinuousClock.Instant) {
            for lane in waiting.indices {
                while let first = waiting[lane].first, first.end <= now {
                    waiting[lane].removeFirst()
                }
            }
        }

        func isAside(_ queue: String, at now: ContinuousClock.Instant) -> Bool {
            aside[queue].map { now < $0 } ?? false
        }
    }

    private let publisher: Publisher
    private let rows: Rows
    private let threadName: String
    private let state = Locked(State())
    private let drain = DrainSignal()
    private let stopped = MonotonicSemaphore(value: 0)
    private let results: [Publisher.Result: Counter]
    private let inHand: Gauge

    /// - Parameters:
    ///   - publisher: one that does not insist; started and stopped here.
    ///   - results: a counter by result.
    ///   - inHand: a gauge.
    package init(
        _ publisher: Publisher,
        _ rows: Rows,
        threadName: String,
        results: Metric,
        inHand: Metric
    ) {
        self.publisher = publisher
        self.rows = rows
        self.threadName = threadName
        self.results = Dictionary(
            uniqueKeysWithValues: [.confirmed, .returned, .refused, .abandoned].map {
                ($0, results.counter("\($0)"))
            }
        )
        self.inHand = inHand.gauge()
    }

    package func start() {
        publisher.start()
        startThread(name: threadName, stackBytes: Publisher.stackBytes) {
            self.run()
            self.stopped.signal()
        }
    }

    /// Waits until what is in hand is answered and settled, and ends.
    package func stop(within limit: Duration) {
        let deadline = ContinuousClock.now + limit
        _ = drain.wait(atMost: limit) { state.withLock { $0.taken == 0 } }
        drain.raise()
        publisher.stop()
        stopped.wait(atMost: max(.zero, ContinuousClock.now.duration(to: deadline)) + .seconds(1))
    }

    /// How many more messages it takes now.
    package var room: Int { state.withLock { $0.room(at: .now) } }

    /// Queues that are not there and are left alone for a while.
    package var aside: [String] {
        state.withLock { state in
            let now = ContinuousClock.now
            state.aside = state.aside.filter { now < $0.value }
            return Array(state.aside.keys)
        }
    }

    /// Publishes as many as there is room for; returns at once. The others are due when their
    /// leases are over.
    ///
    /// - Parameter leasedAt: before the database's lease began.
    package func publish(_ items: [Item], leasedAt: ContinuousClock.Instant) {
        publish(items.map { Leased(item: $0, end: leasedAt + Limits.lease) })
    }

    /// Hands items to their rows that need no message.
    package func settle(_ items: [Item]) {
        if !items.isEmpty { state.withLock { $0.settled += items } }
    }

    private func publish(_ leased: [Leased]) {
        state.withLock { state in
            let now = ContinuousClock.now
            state.dropLate(at: now)
            let taken = leased.filter { !state.isAside($0.item.routingKey, at: now) }
                .prefix(state.room(at: now))
            for leased in taken {
                state.waiting[leased.item.lane].append(leased)
            }
        }
        sendMore()
    }

    private func sendMore() {
        if drain.isRaised { return }
        for leased in state.withLock({ $0.next(at: .now) }) {
            publisher.publish(
                leased.item.message,
                about: leased.item.subject,
                exchange: leased.item.exchange,
                routingKey: leased.item.routingKey,
                isWanted: { .now < leased.end },
                completion: { self.answered(leased, $0) }
            )
        }
    }

    /// On the publisher's thread.
    private func answered(_ leased: Leased, _ result: Publisher.Result) {
        results[result]?.increment()
        let (isWorth, isTimeForMore) = state.withLock { state in
            state.inHand[leased.item.key] = nil
            state.sent -= 1
            switch result {
            case .confirmed: state.settled.append(leased.item)
            case .returned:
                state.aside[leased.item.routingKey] = .now + Limits.pauseForQueue
                state.returned.append(leased)
            case .refused, .abandoned: break
            }
            return (
                state.settled.count == 1 || state.returned.count == 1 || state.taken == 0,
                state.sent <= Limits.onWire / 2
            )
        }
        if isTimeForMore { sendMore() }
        rows.answered(leased.item, result)
        if isWorth { drain.wake() }
    }

    // MARK: The thread

    private func run() {
        var next = ContinuousClock.now
        var declared: [String: ContinuousClock.Instant] = [:]
        while !drain.isRaised {
            let pause = ContinuousClock.now.duration(to: next)
            _ = drain.wait(atMost: pause) { state.withLock(\.hasWork) }
            _ = settle()
            declareMissing(&declared)
            if next <= .now {
                next = .now + rows.turn(self)
                inHand.record(state.withLock(\.taken))
            }
            drain.wait(for: Limits.gathering)
        }
        while settle() {}
    }

    /// - Returns: whether there was something, and it is done.
    private func settle() -> Bool {
        let items = state.withLock { state in
            guard state.isWorthSettling else { return [Item]() }
            let items = Array(state.settled.prefix(Limits.mostSettled))
            state.settled.removeFirst(items.count)
            return items
        }
        if items.isEmpty { return false }
        if rows.settle(items) { return true }
        // They are published again where this process ends before the database is back.
        state.withLock { state in
            state.settled = items + state.settled
            state.settleFrom = .now + Limits.pauseForDatabase
        }
        return false
    }

    /// - Parameter declared: when each queue was, here.
    private func declareMissing(_ declared: inout [String: ContinuousClock.Instant]) {
        let returned = state.withLock { state in
            defer { state.returned = [] }
            return state.returned
        }
        for (queue, leased) in Dictionary(grouping: returned, by: \.item.routingKey) {
            // What was on its way meanwhile is returned, too.
            let last = declared[queue]
            let isThere = last.map { last in leased.allSatisfy { $0.sentAt < last } } ?? false
            if !isThere {
                guard rows.declare(queue) else { continue }
                declared[queue] = .now
            }
            state.withLock { $0.aside[queue] = nil }
            publish(leased.map { Leased(item: $0.item, end: $0.end) })
        }
    }
}

/// A generic type holds no stored constants.
private enum Limits {
    /// Chosen: what a broker confirms in a second or two; a few megabytes.
    static let window = 10_000
    /// Enough to hide the time to a confirm, few enough that what is urgent need not wait long.
    static let onWire = 512
    /// The database's lease is longer, by what clocks and waits may differ.
    static let lease = Duration.milliseconds(4500)
    /// Confirms come one by one, and are settled together.
    static let gathering = Duration.milliseconds(20)
    /// Most rows of one statement. Chosen.
    static let mostSettled = 1_000
    /// As long as a queue that is not there is left alone. Chosen: longer than a lease, so that its
    /// rows are not leased all the time, and work goes on within ten seconds of its return.
    static let pauseForQueue = Duration.seconds(8)
    /// After a failure. Chosen.
    static let pauseForDatabase = Duration.seconds(1)
}
