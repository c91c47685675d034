import Logging

/// Whether the worker does what it is there for, and if not, why. Ready means consuming.
package final class Readiness: Sendable {
    /// What keeps it from being ready.
    package enum Obstacle: String, Sendable, CaseIterable {
        case notConsuming = "not consuming from the broker"
        case databaseUnknown = "the database has not answered yet"
        case stalled = "messages are ready and none is delivered"
        case databaseAway = "the database is away"
        case databaseRefused = "the database refuses the worker"
        case schemaUnfit = "the schema is not as Amity needs it"
        case intakeOff = "intake is switched off"
        case draining = "draining"

        /// With one of these a worker has no consumer on the queue.
        package static let withoutConsumer: [Obstacle] = [.notConsuming, .intakeOff, .draining]

        /// As a metric's label has it.
        var label: String {
            switch self {
            case .notConsuming: "not-consuming"
            case .databaseUnknown: "database-unknown"
            case .stalled: "stalled"
            case .databaseAway: "database-away"
            case .databaseRefused: "database-refused"
            case .schemaUnfit: "schema-unfit"
            case .intakeOff: "intake-off"
            case .draining: "draining"
            }
        }
    }

    private struct State {
        var obstacles: Set<Obstacle> = [.notConsuming, .databaseUnknown]
        var hasSpoken = false
    }

    private let state = Locked(State())
    private let logger: Logger
    private let onChange: @Sendable ([Obstacle]) -> Void

    /// - Parameter onChange: told every new answer, in order, and not to wait for anybody.
    package init(
        logger: Logger,
        onChange: @escaping @Sendable ([Obstacle]) -> Void = { _ in }
    ) {
        self.logger = logger
        self.onChange = onChange
    }

    /// In the order in which they are declared; empty when it is ready.
    package var reasons: [Obstacle] {
        state.withLock { state in Obstacle.allCases.filter(state.obstacles.contains) }
    }

    /// Every change of the answer is logged, with what is in the way; but a start is no news until
    /// it has come to its end, or something gets in its way.
    package func set(_ obstacle: Obstacle, _ isThere: Bool) {
        change { if isThere { $0.insert(obstacle) } else { $0.remove(obstacle) } }
    }

    /// Puts one obstacle in the place of another, in one go.
    package func replace(_ old: Obstacle, with new: Obstacle) {
        change {
            $0.remove(old)
            $0.insert(new)
        }
    }

    private func change(_ body: (inout Set<Obstacle>) -> Void) {
        // Logged under the lock, so that two changes cannot be told in the wrong order.
        state.withLock { state in
            let before = state.obstacles
            body(&state.obstacles)
            if state.obstacles == before { return }
            let answer = Obstacle.allCases.filter(state.obstacles.contains)
            onChange(answer)
            let reasons = answer.map(\.rawValue)
            let isNews = !state.obstacles.isSubset(of: before)
            guard reasons.isEmpty || isNews || state.hasSpoken else { return }
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
