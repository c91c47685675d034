import Foundation

/// What becomes of ticks that came while no process could see to them.
package enum CatchUp: String, CaseIterable, Sendable {
    /// Those that are a minute late, or more, get no task.
    case none
    /// The last of them gets a task.
    case one
    /// Each gets a task, the oldest one first.
    case all
}

/// What is made of a schedule that is due. Pure.
struct TickPlan: Equatable {
    /// Those that get a task, the oldest one first.
    private(set) var ticks: [Date]
    /// When it is due again: at once where there were more than its budget.
    private(set) var next: Date?

    /// Chosen: what the change of a leader takes, and a database that restarts, is less.
    static let grace = 60.0

    /// - Parameters:
    ///   - first: the tick that it is due for, not after `now`.
    ///   - limit: the most ticks.
    init(
        _ recurrence: Recurrence,
        from first: Date,
        _ catchUp: CatchUp,
        at now: Date,
        atMost limit: Int
    ) {
        switch catchUp {
        case .none:
            let last = recurrence.last(notAfter: now, from: first)
            ticks = now.timeIntervalSince(last) < Self.grace ? [last] : []
            next = recurrence.next(after: now)
        case .one:
            ticks = [recurrence.last(notAfter: now, from: first)]
            next = recurrence.next(after: now)
        case .all:
            ticks = []
            next = first
            while let tick = next, tick <= now, ticks.count < limit {
                ticks.append(tick)
                next = recurrence.next(after: tick)
            }
        }
    }
}
