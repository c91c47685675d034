/// Where a task is in its life; `rawValue` is what the column `state` holds. The partial indexes of
/// `amity_tasks` name these numbers.
package enum TaskState: Int, CaseIterable, Sendable {
    /// Waits for its time: `due_at`.
    case scheduled
    /// Waits for other tasks.
    case blocked
    /// Waits until its limit lets it onto the broker.
    case waiting
    /// On the broker, or about to be.
    case queued
    /// A worker runs it, or a service that reports later.
    case processing
    case completed
    case failed
    case cancelled

    package var isFinal: Bool { self >= .completed }

    package var name: String { "\(self)" }

    /// As it is told: while a worker has not stopped a task yet that is cancelled, and the task's
    /// unique key is still taken, that is said.
    package func status(isCancelAsked: Bool) -> String {
        self == .processing && isCancelAsked ? "cancelling" : name
    }

    package init?(name: String) {
        guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = state
    }
}

extension TaskState: Comparable {
    package static func < (one: TaskState, other: TaskState) -> Bool {
        one.rawValue < other.rawValue
    }
}

/// Several states.
package struct TaskStates: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package init(_ state: TaskState) { rawValue = 1 << UInt8(state.rawValue) }

    package static let scheduled = TaskStates(.scheduled)
    package static let blocked = TaskStates(.blocked)
    package static let waiting = TaskStates(.waiting)
    package static let queued = TaskStates(.queued)
    package static let processing = TaskStates(.processing)
    package static let completed = TaskStates(.completed)
    package static let failed = TaskStates(.failed)
    package static let cancelled = TaskStates(.cancelled)

    /// Before their first or next run.
    package static let pending: TaskStates = [.scheduled, .blocked, .waiting, .queued]

    package func contains(_ state: TaskState) -> Bool { contains(TaskStates(state)) }
}

/// `rawValue` is what the column `priority` holds: the lower, the earlier.
package enum Priority: Int, CaseIterable, Sendable {
    case critical, high, normal, low

    package var name: String { "\(self)" }

    package init?(name: String) {
        guard let priority = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = priority
    }
}
