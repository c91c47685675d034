import Concurrency
import Foundation
import Logging
import Postgres
import Tasks

/// Whether there are tables of tasks. A worker of conversations has none as a rule: so it asks
/// once a minute, and only while a page is open.
final class TaskTables: Sendable {
    private static let lifetime: Duration = .seconds(60)
    private let known = Locked<(areThere: Bool, at: ContinuousClock.Instant)?>(nil)

    func areThere(_ store: TaskStore) throws(PostgresError) -> Bool {
        if let known = known.withLock({ $0 }), known.at.duration(to: .now) < Self.lifetime {
            return known.areThere
        }
        let areThere = try store.hasTables()
        known.withLock { $0 = (areThere, .now) }
        return areThere
    }
}

extension WorkerOperatorService {
    /// Chosen: what a screen shows.
    private static let pageSize = 10

    package func taskAlerts() throws(OperatorServiceError) -> [TaskAlert]? {
        try readTasks(TaskAlert.read)
    }

    package func taskOverview() throws(OperatorServiceError) -> TaskOverview? {
        try readTasks(TaskOverview.read)
    }

    package func tasks(_ filter: TaskFilter) throws(OperatorServiceError) -> TaskPage {
        let page = try readTasks { store in
            // One more tells whether there is a next page.
            let found = try store.facts(filter, limit: Self.pageSize + 1)
            return TaskPage(
                tasks: found.prefix(Self.pageSize).map(TaskRecord.init),
                hasMore: found.count > Self.pageSize
            )
        }
        return page ?? TaskPage(tasks: [], hasMore: false)
    }

    package func task(_ id: TaskID) throws(OperatorServiceError) -> TaskRecord? {
        try readTasks { try $0.facts(of: id).map(TaskRecord.init) } ?? nil
    }

    package func cancelTask(_ id: TaskID) throws(OperatorServiceError) -> MoveOutcome {
        try move("tasks.cancelled") { try $0.cancel(id) }
    }

    package func retryTask(_ id: TaskID) throws(OperatorServiceError) -> MoveOutcome {
        try move("tasks.retried") { try $0.retry(id) }
    }

    package func retryTasks(
        _ filter: TaskFilter
    ) throws(OperatorServiceError) -> TaskRetryResult {
        var filter = filter
        filter.state = .failed
        let deadline = ContinuousClock.now + Self.patience
        let result = try readTasks { [filter] store in
            let found = try store.retryable(filter)
            var retried = 0
            for (index, task) in found.enumerated() {
                if case .moved = try store.retry(task.id) { retried += 1 }
                if ContinuousClock.now > deadline, index + 1 < found.count {
                    return TaskRetryResult(retried: retried, isComplete: false)
                }
            }
            let isComplete = found.count < TaskStore.mostAtOnce
            return TaskRetryResult(retried: retried, isComplete: isComplete)
        }
        guard let result else { return TaskRetryResult(retried: 0, isComplete: true) }
        var metadata: Logger.Metadata = [
            "tasks": .stringConvertible(result.retried), "by": "http",
        ]
        metadata["type"] = filter.type.map { "\($0)" }
        metadata["code"] = filter.code.map { "\($0)" }
        logger.notice("tasks.retried", metadata: metadata)
        return result
    }

    private func move(
        _ event: Logger.Message,
        _ change: (TaskStore) throws -> MoveOutcome
    ) throws(OperatorServiceError) -> MoveOutcome {
        let outcome = try readTasks(change) ?? .missing
        if case .moved(let task) = outcome {
            logger.notice(event, metadata: ["task": "\(task.id)", "by": "http"])
        }
        return outcome
    }

    /// - Returns: nil where there are no tables of tasks, or none that the role may read.
    package func readTasks<Answer>(
        _ question: (TaskStore) throws -> Answer
    ) throws(OperatorServiceError) -> Answer? {
        let grants = "deploy/grants.sql with -v tasks=1 for the worker's role"
        return try read(fromTasks: true, else: grants) { pool in
            let store = TaskStore(sessions: pool)
            return try taskTables.areThere(store) ? question(store) : nil
        }
    }
}
