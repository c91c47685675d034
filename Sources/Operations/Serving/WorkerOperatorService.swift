import AMQP
import Concurrency
import Conversations
import DeadLetters
import Foundation
import Logging
import Postgres
import QueueAccess

/// The service of a worker that runs: it asks the database on the worker's own sessions, so that it
/// never holds more of them than it may, and the broker on connections that last as long as the
/// question.
package final class WorkerOperatorService: OperatorService {
    /// Stack of a thread that asks.
    package static let stackBytes = Publisher.stackBytes
    /// Chosen: shorter than the timeout of the clients. An answer at this limit is incomplete.
    static let patience: Duration = .seconds(8)
    /// Chosen: more than one user has, and what a page can show.
    private static let mostDeadLetters = 100

    private let explainerOptions: ExplainerOptions
    private let deadLetterOptions: DeadLetterOptions
    let taskTables = TaskTables()
    let logger: Logger
    /// Written once, by the worker that begins.
    private let sessions = Locked<SessionPool?>(nil)
    /// Those that move tasks. Written once, by the worker that begins.
    private let taskSessions = Locked<SessionPool?>(nil)
    /// Written once, by the worker that begins.
    private let consumptionSwitch = Locked<ConsumptionSwitch?>(nil)
    /// Held during an action on dead letters: a second one at once would see an empty queue.
    private let turn = Locked(())

    package init(
        explainer: ExplainerOptions,
        deadLetters: DeadLetterOptions,
        logger: Logger
    ) {
        explainerOptions = explainer
        deadLetterOptions = deadLetters
        self.logger = logger
    }

    /// - Parameter taskPool: for what moves tasks; may be the same.
    package func open(
        _ pool: SessionPool,
        tasks taskPool: SessionPool,
        _ consumptionSwitch: ConsumptionSwitch
    ) {
        self.consumptionSwitch.withLock { $0 = consumptionSwitch }
        sessions.withLock { $0 = pool }
        taskSessions.withLock { $0 = taskPool }
    }

    // MARK: What is known

    package func workers() throws(OperatorServiceError) -> [WorkerStats] {
        try ask { try $0.workers() }
    }

    package func queues() throws(OperatorServiceError) -> [QueueStats] {
        try ask { try $0.queues() }
    }

    package func history() throws(OperatorServiceError) -> History {
        try ask { try $0.history() }
    }

    package func explanation(
        of conversationID: String
    ) throws(OperatorServiceError) -> Explanation {
        try read { try Explainer(options: explainerOptions, sessions: $0).explain(conversationID) }
    }

    private func ask<Answer>(
        _ question: (Statistics) throws -> Answer
    ) throws(OperatorServiceError) -> Answer {
        try read { pool in
            try question(Statistics(sessions: pool, queue: deadLetterOptions.topology.names.main))
        }
    }

    /// - Parameter grants: what gives the role its rights.
    func read<Answer>(
        fromTasks: Bool = false,
        else grants: String = "deploy/grants.sql for the worker's role",
        _ question: (SessionPool) throws -> Answer
    ) throws(OperatorServiceError) -> Answer {
        guard let pool = (fromTasks ? taskSessions : sessions).withLock({ $0 }) else {
            throw .early
        }
        do {
            return try question(pool)
        } catch let error as PostgresError where error.isMissingOrForbidden {
            throw .database("\(error); run amity migrate, and \(grants)")
        } catch let error as PostgresError {
            throw .database("\(error)")
        } catch {
            throw .database("a row that another version of Amity wrote cannot be read")
        }
    }

    // MARK: This worker

    package func servingWorker() throws(OperatorServiceError) -> ServingWorker {
        guard let consumptionSwitch = consumptionSwitch.withLock({ $0 }) else { throw .early }
        let process = ProcessInfo.processInfo
        return ServingWorker(
            host: process.hostName,
            processID: Int(process.processIdentifier),
            isPaused: consumptionSwitch.isOff
        )
    }

    package func setConsumption(isOn: Bool) throws(OperatorServiceError) -> ServingWorker {
        guard let consumptionSwitch = consumptionSwitch.withLock({ $0 }) else { throw .early }
        consumptionSwitch.set(isOn: isOn, by: .http)
        return try servingWorker()
    }

    // MARK: Dead letters

    package func deadLetters(
        ofUser userID: String
    ) throws(OperatorServiceError) -> [DeadLetter] {
        var filter = DeadLetterFilter()
        filter.user = ExactText(userID)
        return try read { pool in
            try DeadLetterTable(sessions: pool, queue: deadLetterOptions.topology.names.main)
                .list(filter, limit: Self.mostDeadLetters)
        }
    }

    package func deadLetters() throws(OperatorServiceError) -> DeadLetterOverview {
        guard let pool = sessions.withLock({ $0 }) else { throw .early }
        let names = deadLetterOptions.topology.names
        var overview = DeadLetterOverview(queue: names.dead, lookedAt: Date())
        let recorded: Int?
        do {
            recorded = try overview.read(DeadLetterTable(sessions: pool, queue: names.main))
        } catch {
            throw .database("\(error)")
        }
        do throws(AMQPError) {
            let endpoint = deadLetterOptions.endpoint.named("amity dead-letters")
            let presence = try QueuePresence(of: names.dead, at: endpoint)
            overview.add(DeadLetterCounts(recorded: recorded, presence: presence))
        } catch {
            // The rows are what is asked for.
            if recorded == nil { throw .broker("\(error)") }
            overview.isComplete = false
            overview.remarks = ["the broker could not be asked: \(error)"]
        }
        return overview
    }

    package func retry(_ order: DeadLetterSelection) throws(OperatorServiceError)
        -> DeadLetterActionResult
    {
        try deal(order, "dead-letters.retried") { deadLetterQueue, deadline in
            try deadLetterQueue.retry(
                order.filter,
                limit: order.limit,
                perSecond: nil,
                until: deadline
            )
        }
    }

    package func purge(_ order: DeadLetterSelection) throws(OperatorServiceError)
        -> DeadLetterActionResult
    {
        try deal(order, "dead-letters.purged") { deadLetterQueue, deadline in
            try deadLetterQueue.purge(order.filter, limit: order.limit, until: deadline)
        }
    }

    private func deal(
        _ order: DeadLetterSelection,
        _ event: Logger.Message,
        _ actionResponse: (DeadLetterQueue, ContinuousClock.Instant) throws -> Int
    ) throws(OperatorServiceError) -> DeadLetterActionResult {
        guard let pool = sessions.withLock({ $0 }) else { throw .early }
        let deadLetterQueue = DeadLetterQueue(
            options: deadLetterOptions,
            sessions: pool,
            logger: logger
        )
        let deadline = ContinuousClock.now + Self.patience
        do {
            let count = try turn.withLock { _ in try actionResponse(deadLetterQueue, deadline) }
            log(event, order, count)
            let isComplete = count < order.limit && ContinuousClock.now < deadline
            return DeadLetterActionResult(count: count, isComplete: isComplete)
        } catch let error as DeadLetterError {
            log(event, order, error.done)
            throw .unfinished("\(error)", done: error.done)
        } catch let error as AMQPError where error.isQueueMissing {
            return DeadLetterActionResult(count: 0, isComplete: true)
        } catch {
            throw .broker("\(error)")
        }
    }

    /// Who asks over HTTP leaves no other trace of what became of a dead letter.
    private func log(_ event: Logger.Message, _ order: DeadLetterSelection, _ count: Int) {
        var metadata: Logger.Metadata = [
            "letters": .stringConvertible(count), "by": "http",
            "selected_ids": .stringConvertible(order.filter.ids.count),
            "selected_conversations": .stringConvertible(order.filter.conversationIDs.count),
        ]
        metadata["code"] = order.filter.code.map { "\($0)" }
        logger.notice(event, metadata: metadata)
    }
}
