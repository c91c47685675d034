import Concurrency
import Logging

/// Whether the worker does what it is there for, and if not, why. Ready means consuming.
package final class Readiness: Sendable {
    /// What keeps it from being ready.
    package enum Blocker: String, Sendable, CaseIterable {
        case notConsuming = "not consuming from the broker"
        case databaseUnknown = "the database has not answered yet"
        case stalled = "messages are ready and none is delivered"
        case databaseAway = "the database is away"
        case databaseRefused = "the database refuses the worker"
        case schemaUnfit = "the schema is not as Amity needs it"
        case consumptionOff = "intake is switched off"
        case draining = "draining"
        case tasksNotConsumed = "not consuming from the task queues"

        /// With one of these a worker has no consumer on the queue.
        package static let withoutConsumer: [Blocker] = [.notConsuming, .consumptionOff, .draining]

        /// As a metric's label has it.
        package var label: String {
            switch self {
            case .notConsuming: "not-consuming"
            case .databaseUnknown: "database-unknown"
            case .stalled: "stalled"
            case .databaseAway: "database-away"
            case .databaseRefused: "database-refused"
            case .schemaUnfit: "schema-unfit"
            case .consumptionOff: "intake-off"
            case .draining: "draining"
            case .tasksNotConsumed: "tasks-not-consumed"
            }
        }
    }

    private struct State {
        var blockers: Set<Blocker> = [.notConsuming, .databaseUnknown]
        var hasSpoken = false
    }

    private let state = Locked(State())
    private let logger: Logger
    private let onChange: @Sendable ([Blocker]) -> Void

    /// - Parameter onChange: called with each new answer, in order, under the lock; must not block.
    package init(
        logger: Logger,
        onChange: @escaping @Sendable ([Blocker]) -> Void = { _ in }
    ) {
        self.logger = logger
        self.onChange = onChange
    }

    /// In the order in which they are declared; empty when it is ready.
    package var reasons: [Blocker] {
        state.withLock { state in Blocker.allCases.filter(state.blockers.contains) }
    }

    /// Logs every change of the answer, with the blockers; quiet during start-up until the first
    /// `ready` or a new blocker.
    package func set(_ blocker: Blocker, _ isThere: Bool) {
        change { if isThere { $0.insert(blocker) } else { $0.remove(blocker) } }
    }

    /// Puts one blocker in the place of another, in one go.
    package func replace(_ old: Blocker, with new: Blocker) {
        change {
            $0.remove(old)
            $0.insert(new)
        }
    }

    private func change(_ body: (inout Set<Blocker>) -> Void) {
        // Logged under the lock, so that two changes cannot be told in the wrong order.
        state.withLock { state in
            let before = state.blockers
            body(&state.blockers)
            if state.blockers == before { return }
            let answer = Blocker.allCases.filter(state.blockers.contains)
            onChange(answer)
            let reasons = answer.map(\.rawValue)
            let hasNewBlocker = !state.blockers.isSubset(of: before)
            guard reasons.isEmpty || hasNewBlocker || state.hasSpoken else { return }
            state.hasSpoken = true
            if reasons.isEmpty {
                logger.notice("worker.ready")
            } else {
                logger.notice(
                    "worker.not-ready",
                    metadata: ["reasons": .array(reasons.map { "\($0)" })]
                )
            }
        }
    }
}
