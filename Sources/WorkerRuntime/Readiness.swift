import Logging

/// Whether the worker does what it is there for, and if not, why. Ready means consuming.
package final class Readiness: Sendable {
    /// What keeps it from being ready.
    package enum Obstacle: String, Sendable, CaseIterable {
        case notConsuming = "not consuming from the broker"
        case stalled = "messages are ready and none is delivered"
        case databaseAway = "the database is away"
        case intakeOff = "intake is switched off"
        case draining = "draining"
    }

    private let obstacles = Locked<Set<Obstacle>>([.notConsuming])
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
        obstacles.withLock { obstacles in Obstacle.allCases.filter(obstacles.contains) }
    }

    /// Every change of the answer is logged, with what is in the way.
    package func set(_ obstacle: Obstacle, _ isThere: Bool) {
        // Logged under the lock, so that two changes cannot be told in the wrong order.
        obstacles.withLock { obstacles in
            let before = obstacles
            if isThere { obstacles.insert(obstacle) } else { obstacles.remove(obstacle) }
            if obstacles == before { return }
            let answer = Obstacle.allCases.filter(obstacles.contains)
            onChange(answer)
            let reasons = answer.map(\.rawValue)
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
