import Foundation

/// What one look at a queue has found. nil is what could not be found out.
struct QueueLook: Sendable {
    /// Seconds since 1970, by the database's clock.
    var at: Double
    /// Whether the broker has such a queue. One that it has not has neither messages nor consumers.
    var isThere = true
    var ready: Int?
    var unacked: Int?
    var unackedSource: QueueStats.Source?
    var consumers: Int?
    /// Seconds; 0 where nothing is pending.
    var oldestAge: Double?
    /// Messages that all workers have settled; only its growth means something.
    var settled: Int?
    /// Of those the ones that are done, dead-lettered and retried ones left out.
    var done: Int?
    var retrying: [QueueStats.Retrying] = []
    var deadLetters: Int?
    /// Workers that may consume, by the registry.
    var workersConsuming: Int?
    var foreignConsumers: [String]?
    /// Workers that the broker takes no messages from.
    var blockedWorkers: Int?

    /// Consumers that are no workers.
    var foreignCount: Int? {
        guard let consumers, let workersConsuming else { return nil }
        return max(0, consumers - workersConsuming)
    }
    /// Whether the dead-letter queue is there, with no message, and no consumer that may hold some.
    var isDeadQueueEmpty = false
}

/// The limits from which on an operator is alerted.
package struct AlertLimits: Sendable {
    /// Messages; 0 for never.
    package var queueDepth: Int
    /// Seconds; 0 for never.
    package var oldestAge: Int
    /// Messages; 0 for never.
    package var deadLetters: Int
    /// Seconds without a settlement while messages wait.
    package var stalledAfter: Double

    package init(queueDepth: Int, oldestAge: Int, deadLetters: Int, stalledAfter: Double) {
        self.queueDepth = queueDepth
        self.oldestAge = oldestAge
        self.deadLetters = deadLetters
        self.stalledAfter = stalledAfter
    }
}

/// What an operator is told of an alert, once each.
enum AlertEvent: Equatable {
    case raised(AlertName, value: Double?, threshold: Double?)
    case cleared(AlertName, lastedSeconds: Double)
}

/// Follows a queue from look to look: rates and alerts. Pure; its memory can be stored, so that the
/// next leader continues where the last one has ended.
struct QueueWatch: Codable {
    private struct Point: Codable {
        var at: Double
        /// Messages that wait or are in hand.
        var backlog: Int
        /// Messages settled since the watch began; nil where settlements are not counted.
        var drained: Int?
        /// Of those the ones that are done.
        var done: Int?
    }

    private struct AlertMemory: Codable {
        /// When it was raised; nil while it is not.
        var since: Double?
        /// Looks in a row that speak for the other state.
        var doubts = 0
    }

    /// What an alert is about, and the limit that is set for it; nil where there is none.
    private typealias Measure = (value: Double?, threshold: Double?)

    private enum Verdict {
        case on, off
        /// Neither: it stays as it is.
        case hold
    }

    /// Chosen: a deploy that restarts a consumer, or one slow second, is no alert.
    private static let looksToChange = 2
    /// An alert ends only well below where it began.
    private static let endsBelow = 0.8
    /// Seconds over which rates are taken.
    private static let span = 60.0
    /// What is older says nothing of now.
    private static let longestSpan = 300.0

    private var points: [Point] = []
    private var settledBefore: Int?
    private var drained = 0
    private var doneBefore: Int?
    /// nil in what an older version has stored.
    private var done: Int?
    /// Since when messages have waited for consumers that settle nothing.
    private var idleSince: Double?
    private var alerts: [AlertName: AlertMemory] = [:]

    /// Takes a look into account.
    mutating func take(
        _ look: QueueLook,
        of queue: String,
        _ limits: AlertLimits
    ) -> (QueueStats, [AlertEvent]) {
        let growth = Self.growth(to: look.settled, from: &settledBefore)
        drained += growth ?? 0
        done = (done ?? 0) + (Self.growth(to: look.done, from: &doneBefore) ?? 0)
        note(look)
        noteIdleness(look, growth: growth)
        var events: [AlertEvent] = []
        var active: [QueueStats.Alert] = []
        for name in AlertName.allCases {
            let measure = measure(name, look, limits)
            let verdict = verdict(name, measure, look, stalledAfter: limits.stalledAfter)
            let event = move(name, verdict, measure, at: look.at)
            if let event { events.append(event) }
            if let since = alerts[name]?.since {
                let since = Date(timeIntervalSince1970: since)
                active.append(
                    .init(
                        name: name,
                        since: since,
                        value: measure.value,
                        threshold: measure.threshold
                    )
                )
            }
        }
        return (stats(look, of: queue, active), events)
    }

    // MARK: Rates

    private static func growth(to count: Int?, from before: inout Int?) -> Int? {
        guard let count else { return nil }
        defer { before = count }
        // It sinks when workers of long ago are forgotten.
        return before.map { max(0, count - $0) }
    }

    private mutating func note(_ look: QueueLook) {
        guard let ready = look.ready else { return }
        if let last = points.last, look.at <= last.at { points = [] }
        points.removeAll { $0.at < look.at - Self.longestSpan }
        while points.count > 1, points[1].at <= look.at - Self.span { points.removeFirst() }
        points.append(
            Point(
                at: look.at,
                backlog: ready + (look.unacked ?? 0),
                drained: look.settled == nil ? nil : drained,
                done: look.done == nil ? nil : done
            )
        )
    }

    private func stats(
        _ look: QueueLook,
        of queue: String,
        _ alerts: [QueueStats.Alert]
    ) -> QueueStats {
        var stats = QueueStats(
            queue: queue,
            observedAt: Date(timeIntervalSince1970: look.at),
            ready: look.ready,
            unacked: look.unacked,
            unackedSource: look.unackedSource,
            consumers: look.consumers,
            workersConsuming: look.workersConsuming,
            foreignConsumers: look.foreignConsumers,
            oldestAgeSeconds: look.oldestAge,
            retrying: look.retrying,
            deadLetters: look.deadLetters,
            alerts: alerts
        )
        guard look.ready != nil, let first = points.first, let last = points.last,
            last.at > first.at
        else { return stats }
        let seconds = last.at - first.at
        let slope = Double(last.backlog - first.backlog) / seconds
        if let before = first.drained, let after = last.drained {
            let drain = Double(after - before) / seconds
            stats.drainPerSecond = drain
            stats.arrivalPerSecond = max(0, drain + slope)
        }
        if let before = first.done, let after = last.done {
            stats.donePerSecond = Double(after - before) / seconds
        }
        if last.backlog == 0 {
            stats.secondsToEmpty = 0
        } else if slope < 0 {
            stats.secondsToEmpty = Double(last.backlog) / -slope
        }
        return stats
    }

    // MARK: Alerts

    private mutating func noteIdleness(_ look: QueueLook, growth: Int?) {
        guard let ready = look.ready, let consumers = look.consumers, look.settled != nil
        else { return }
        if ready == 0 || consumers == 0 || (growth ?? 0) > 0 {
            idleSince = nil
        } else {
            idleSince = min(idleSince ?? look.at, look.at)
        }
    }

    private func measure(
        _ name: AlertName,
        _ look: QueueLook,
        _ limits: AlertLimits
    ) -> Measure {
        switch name {
        case .queueDepth: (look.ready.map(Double.init), Double(limits.queueDepth))
        case .oldestAge: (look.oldestAge, Double(limits.oldestAge))
        case .deadLetters: (look.deadLetters.map(Double.init), Double(limits.deadLetters))
        case .noConsumers: (look.consumers.map(Double.init), nil)
        case .stalled: (idleSince.map { look.at - $0 } ?? 0, nil)
        case .foreignConsumers: (look.foreignCount.map(Double.init), nil)
        case .brokerAlarm: (look.blockedWorkers.map(Double.init), nil)
        }
    }

    private func verdict(
        _ name: AlertName,
        _ measure: Measure,
        _ look: QueueLook,
        stalledAfter: Double
    ) -> Verdict {
        guard let value = measure.value else { return measure.threshold == 0 ? .off : .hold }
        switch name {
        case .queueDepth, .oldestAge, .deadLetters:
            guard let threshold = measure.threshold, threshold > 0,
                value >= threshold * Self.endsBelow
            else { return .off }
            return value >= threshold ? .on : .hold
        case .noConsumers: return value == 0 ? .on : .off
        case .foreignConsumers, .brokerAlarm: return value > 0 ? .on : .off
        case .stalled:
            if look.ready == nil || look.settled == nil { return .hold }
            if idleSince == nil { return .off }
            return value >= stalledAfter ? .on : .hold
        }
    }

    private mutating func move(
        _ name: AlertName,
        _ verdict: Verdict,
        _ measure: Measure,
        at now: Double
    ) -> AlertEvent? {
        var memory = alerts[name] ?? AlertMemory()
        defer { alerts[name] = memory }
        let speaksForChange =
            switch verdict {
            case .on: memory.since == nil
            case .off: memory.since != nil
            case .hold: false
            }
        memory.doubts = speaksForChange ? memory.doubts + 1 : 0
        if memory.doubts < Self.looksToChange { return nil }
        memory.doubts = 0
        if let since = memory.since {
            memory.since = nil
            return .cleared(name, lastedSeconds: max(0, now - since))
        }
        memory.since = now
        return .raised(name, value: measure.value, threshold: measure.threshold)
    }
}
