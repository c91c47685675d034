import Foundation
import Testing

@testable import Operations

/// A queue that is looked at every ten seconds.
private struct Watched {
    var watch = QueueWatch()
    var limits = AlertLimits(queueDepth: 100, oldestAge: 60, deadLetters: 1, stalledAfter: 30)
    var look = QueueLook(
        at: 1000,
        ready: 0,
        unacked: 0,
        unackedSource: .workers,
        consumers: 1,
        oldestAge: 0,
        settled: 0,
        deadLetters: 0
    )
    var stats: QueueStats?
    var events: [AlertEvent] = []
    /// Messages that are settled between two looks, so that nothing is stalled.
    var progress = 0

    /// Looks again, and says what came of it.
    @discardableResult
    mutating func next(_ change: (inout QueueLook) -> Void = { _ in }) -> [AlertEvent] {
        look.at += 10
        look.settled? += progress
        change(&look)
        let (stats, events) = watch.take(look, of: "q", limits)
        self.stats = stats
        self.events += events
        return events
    }
}

extension AlertEvent {
    fileprivate var name: String {
        switch self {
        case .raised(let name, _, _): "+\(name.rawValue)"
        case .cleared(let name, _): "-\(name.rawValue)"
        }
    }
}

struct QueueWatchTests {
    // MARK: Rates

    /// Fault: messages that become dead letters make a queue look as if its work got done.
    @Test func whatIsBuriedIsNotDone() {
        var queue = Watched(progress: 10)
        queue.next { $0.done = 0 }
        queue.next { $0.done! += 4 }
        #expect(queue.stats?.drainPerSecond == 1)
        #expect(queue.stats?.donePerSecond == 0.4)
        queue.next { $0.done = nil }
        #expect(queue.stats?.donePerSecond == nil)
    }

    /// Fault: after an update the alerts of the version before are forgotten.
    @Test func whatAnOlderVersionRememberedIsUnderstood() throws {
        let stored = #"{"points":[{"at":1010,"backlog":0,"drained":0}],"drained":5,"alerts":{}}"#
        var queue = Watched(
            watch: try JSONDecoder().decode(QueueWatch.self, from: Data(stored.utf8)),
            progress: 10
        )
        queue.look.at = 1020
        queue.next { $0.done = 3 }
        #expect(queue.stats?.drainPerSecond != nil && queue.stats?.donePerSecond == nil)
    }

    // MARK: Alerts

    /// Fault: an operator is woken by every look, or by none.
    @Test func anAlertIsToldOnceOnEntryAndOnceOnExit() {
        var queue = Watched(progress: 1)
        #expect(queue.next { $0.ready = 100 }.isEmpty, "one look may be chance")
        #expect(queue.next() == [.raised(.queueDepth, value: 100, threshold: 100)])
        for _ in 0..<5 { #expect(queue.next { $0.ready! += 1 }.isEmpty) }
        #expect(queue.stats?.alerts.map(\.name) == [.queueDepth])
        #expect(queue.stats?.alerts.first?.since == Date(timeIntervalSince1970: 1020))
        #expect(queue.next { $0.ready = 0 }.isEmpty)
        #expect(queue.next() == [.cleared(.queueDepth, lastedSeconds: 70)])
        #expect(queue.next().isEmpty && queue.stats?.alerts == [])
    }

    /// Fault: a value that swings around its threshold fills the log.
    @Test func aValueThatSwingsAroundItsThresholdIsOneAlert() {
        var queue = Watched(progress: 1)
        for step in 0..<50 { queue.next { $0.ready = step.isMultiple(of: 2) ? 95 : 105 } }
        #expect(queue.events.isEmpty, "never twice in a row")
        for step in 0..<50 { queue.next { $0.ready = step % 4 < 2 ? 85 : 105 } }
        #expect(queue.events.map(\.name) == ["+queue_depth"])
        queue.next { $0.ready = 79 }
        queue.next()
        #expect(queue.events.map(\.name) == ["+queue_depth", "-queue_depth"])
    }

    @Test func eachThresholdRaisesItsOwnAlert() {
        var queue = Watched()
        queue.next { $0.oldestAge = 60 }
        #expect(queue.next() == [.raised(.oldestAge, value: 60, threshold: 60)])
        queue.next { $0.deadLetters = 1 }
        #expect(queue.next() == [.raised(.deadLetters, value: 1, threshold: 1)])
        queue.next { $0.consumers = 0 }
        #expect(queue.next() == [.raised(.noConsumers, value: 0, threshold: nil)])
        queue.next { ($0.oldestAge, $0.deadLetters, $0.consumers) = (0, 0, 1) }
        #expect(queue.next().map(\.name) == ["-oldest_age", "-dead_letters", "-no_consumers"])
    }

    @Test func aThresholdOfZeroIsNoAlertAndEndsOne() {
        var queue = Watched(progress: 1)
        queue.next { $0.ready = 1000 }
        #expect(queue.next().map(\.name) == ["+queue_depth"])
        queue.limits = AlertLimits(queueDepth: 0, oldestAge: 0, deadLetters: 0, stalledAfter: 30)
        queue.next { ($0.oldestAge, $0.deadLetters) = (9999, 9999) }
        #expect(queue.next().map(\.name) == ["-queue_depth"])
        #expect(queue.next().isEmpty)
    }

    /// Fault: a broker that does not answer ends every alert about it, or raises one.
    @Test func whatIsNotKnownChangesNothing() {
        var queue = Watched()
        queue.next { $0.ready = 100 }
        queue.next()
        let away = { (look: inout QueueLook) in
            (look.ready, look.consumers, look.deadLetters, look.unacked) = (nil, nil, nil, nil)
            (look.oldestAge, look.settled) = (nil, nil)
        }
        for _ in 0..<20 { #expect(queue.next(away).isEmpty) }
        #expect(queue.stats?.alerts.map(\.name) == [.queueDepth])
        #expect(queue.stats?.drainPerSecond == nil && queue.stats?.secondsToEmpty == nil)
    }

    // MARK: Others, and the broker

    /// Fault: another consumer with a higher priority takes the messages, and all is green.
    @Test func moreConsumersThanWorkersIsAnAlert() {
        var queue = Watched()
        queue.next { ($0.consumers, $0.workersConsuming) = (2, 2) }
        #expect(queue.next { $0.consumers = 3 }.isEmpty, "a worker may be about to report itself")
        #expect(queue.next() == [.raised(.foreignConsumers, value: 1, threshold: nil)])
        #expect(queue.stats?.workersConsuming == 2)
        queue.next { $0.workersConsuming = 3 }
        #expect(queue.next().map(\.name) == ["-foreign_consumers"])
    }

    /// Fault: a deploy, a paused worker or one that was killed a moment ago is called a stranger.
    @Test func fewerConsumersThanWorkersOrAnUnreadRegistryIsNone() {
        var queue = Watched()
        for _ in 0..<3 { queue.next { ($0.consumers, $0.workersConsuming) = (1, 4) } }
        for _ in 0..<3 { queue.next { ($0.consumers, $0.workersConsuming) = (9, nil) } }
        for _ in 0..<3 { queue.next { ($0.consumers, $0.workersConsuming) = (nil, 1) } }
        for step in 0..<9 {
            queue.next { ($0.consumers, $0.workersConsuming) = (step % 2 + 1, 1) }
        }
        #expect(queue.events.isEmpty)
    }

    /// Fault: the broker is short of memory, no client can publish, and no alert is raised.
    @Test func aBrokerThatTakesNothingIsAnAlert() {
        var queue = Watched()
        queue.next { $0.blockedWorkers = 2 }
        #expect(queue.next() == [.raised(.brokerAlarm, value: 2, threshold: nil)])
        queue.next { $0.blockedWorkers = nil }
        queue.next()
        #expect(queue.stats?.alerts.map(\.name) == [.brokerAlarm], "not known, so as it was")
        queue.next { $0.blockedWorkers = 0 }
        #expect(queue.next().map(\.name) == ["-broker_alarm"])
    }

    // MARK: Stalled

    /// Fault: workers hold a queue and do nothing; it looks consumed.
    @Test func aQueueWithoutSettlementsIsStalled() {
        var queue = Watched()
        queue.next { $0.ready = 5 }
        for _ in 0..<3 { #expect(queue.next().isEmpty) }
        #expect(queue.next().map(\.name) == ["+stalled"])
        queue.next { $0.settled = 1 }
        #expect(queue.next().isEmpty, "one message may be the last for long")
        queue.next { $0.settled = 2 }
        #expect(queue.next { $0.settled = 3 }.map(\.name) == ["-stalled"])
    }

    /// Fault: a slow queue, an empty one, or one without consumers is called stalled.
    @Test func whatMovesOrWaitsForNothingIsNotStalled() {
        var slow = Watched()
        for step in 0..<30 {
            slow.next { look in
                look.ready = 50
                if step.isMultiple(of: 2) { look.settled! += 1 }
            }
        }
        #expect(slow.events.isEmpty)
        var empty = Watched()
        for _ in 0..<30 { empty.next() }
        #expect(empty.events.isEmpty)
        var deserted = Watched()
        for _ in 0..<30 { deserted.next { ($0.ready, $0.consumers) = (5, 0) } }
        #expect(deserted.events.map(\.name) == ["+no_consumers"])
        var uncounted = Watched()
        for _ in 0..<30 { uncounted.next { ($0.ready, $0.settled) = (5, nil) } }
        #expect(uncounted.events.isEmpty)
    }

    // MARK: Rates

    @Test func ratesAndTheTimeToEmptyComeFromTheLastMinute() throws {
        var queue = Watched()
        queue.next { ($0.ready, $0.settled) = (5000, 700) }
        #expect(queue.stats?.drainPerSecond == nil, "one look has no rate")
        // 30 a second go, 10 come.
        for _ in 0..<20 {
            queue.next { ($0.ready, $0.settled) = ($0.ready! - 200, $0.settled! + 300) }
        }
        var stats = try #require(queue.stats)
        #expect(stats.drainPerSecond == 30 && stats.arrivalPerSecond == 10)
        #expect(stats.secondsToEmpty == 50)
        // Now 40 come, and what came before is soon forgotten.
        for _ in 0..<7 {
            queue.next { ($0.ready, $0.settled) = ($0.ready! + 100, $0.settled! + 300) }
        }
        stats = try #require(queue.stats)
        #expect(stats.drainPerSecond == 30 && stats.arrivalPerSecond == 40)
        #expect(stats.secondsToEmpty == nil, "it grows")
    }

    @Test func anEmptyQueueIsEmptyNow() {
        var queue = Watched()
        for _ in 0..<3 { queue.next() }
        #expect(queue.stats?.secondsToEmpty == 0 && queue.stats?.arrivalPerSecond == 0)
    }

    /// Fault: the row of a worker of yesterday is deleted, and the queue is said to run backwards.
    @Test func aSumThatSinksIsNoNegativeRate() {
        var queue = Watched()
        queue.next { ($0.ready, $0.settled) = (10, 1_000_000) }
        queue.next { $0.settled = 20 }
        #expect(queue.stats?.drainPerSecond == 0)
        queue.next { $0.settled = 40 }
        #expect(queue.stats?.drainPerSecond == 1)
    }

    /// Fault: after an hour in which no worker observed the queue, the mean of that hour is
    /// reported as the current rate.
    @Test func ratesDoNotReachBackOverALongGap() {
        var queue = Watched()
        for _ in 0..<5 { queue.next { $0.settled! += 1000 } }
        queue.look.at += 3600
        queue.next()
        #expect(queue.stats?.drainPerSecond == nil)
        queue.look.at -= 7200
        queue.next { $0.settled! += 10 }
        queue.next { $0.settled! += 10 }
        #expect(queue.stats?.drainPerSecond == 1, "the clock was set back")
    }

    // MARK: Memory

    /// Fault: the worker that leads dies in the middle of an alert, and the next leader raises it
    /// again, or never ends it.
    @Test func theNextLeaderKnowsTheRaisedAlerts() throws {
        var queue = Watched()
        queue.next { ($0.ready, $0.settled) = (100, 1) }
        #expect(queue.next { $0.settled = 2 }.count == 1)
        queue.next { ($0.ready, $0.settled) = (0, 3) }
        queue.watch = try JSONDecoder().decode(
            QueueWatch.self,
            from: try JSONEncoder().encode(queue.watch)
        )
        #expect(queue.next { $0.settled = 13 } == [.cleared(.queueDepth, lastedSeconds: 20)])
        #expect(queue.stats?.drainPerSecond == 12.0 / 30)
    }
}
