import Concurrency
import DeadLetters
import Foundation
import Operations
import Tasks

/// A service that knows what a test gives it, and writes down what it is asked.
final class StubOperatorService: OperatorService {
    let failure = Locked<OperatorServiceError?>(nil)
    let orders = Locked<[(verb: String, order: DeadLetterSelection)]>([])
    let questions = Locked(0)
    /// What was looked for, and whose.
    let lookups = Locked<[String]>([])
    let isPaused = Locked(false)
    /// nil where there are no tables of tasks.
    let overview = Locked<TaskOverview?>(nil)
    let filters = Locked<[TaskFilter]>([])
    let moves = Locked<[String]>([])
    let outcome = Locked<MoveOutcome>(.missing)
    /// While it is raised, an answer waits.
    let gate = Locked<DispatchSemaphore?>(nil)

    private func ask<Answer>(_ answer: Answer) throws(OperatorServiceError) -> Answer {
        questions.withLock { $0 += 1 }
        gate.withLock { $0 }?.wait()
        if let failure = failure.withLock({ $0 }) { throw failure }
        return answer
    }

    private func take(
        _ verb: String,
        _ order: DeadLetterSelection
    ) throws(OperatorServiceError) -> DeadLetterActionResult {
        orders.withLock { $0.append((verb, order)) }
        return try ask(DeadLetterActionResult(count: 3, isComplete: true))
    }

    func workers() throws(OperatorServiceError) -> [WorkerStats] { try ask([]) }
    func queues() throws(OperatorServiceError) -> [QueueStats] { try ask([]) }

    func history() throws(OperatorServiceError) -> History {
        try ask(History(queue: "q", stepSeconds: 30, points: []))
    }

    func deadLetters() throws(OperatorServiceError) -> DeadLetterOverview {
        try ask(DeadLetterOverview(queue: "q.dead", lookedAt: Date(timeIntervalSince1970: 0)))
    }

    func deadLetters(ofUser userID: String) throws(OperatorServiceError) -> [DeadLetter] {
        lookups.withLock { $0.append("user \(userID)") }
        return try ask([])
    }

    func explanation(of conversationID: String) throws(OperatorServiceError) -> Explanation {
        lookups.withLock { $0.append("conversation \(conversationID)") }
        return try ask(Explanation(conversationID: conversationID, state: .unknown))
    }

    func servingWorker() throws(OperatorServiceError) -> ServingWorker {
        try ask(ServingWorker(host: "h", processID: 7, isPaused: isPaused.withLock { $0 }))
    }

    func setConsumption(isOn: Bool) throws(OperatorServiceError) -> ServingWorker {
        isPaused.withLock { $0 = !isOn }
        return try servingWorker()
    }

    func taskAlerts() throws(OperatorServiceError) -> [TaskAlert]? {
        let isThere = overview.withLock { $0 != nil }
        let since = Date(timeIntervalSince1970: 0)
        return try ask(isThere ? [TaskAlert(name: "task_wait", queue: "p.low", since: since)] : nil)
    }

    func taskOverview() throws(OperatorServiceError) -> TaskOverview? {
        try ask(overview.withLock { $0 })
    }

    func tasks(_ filter: TaskFilter) throws(OperatorServiceError) -> TaskPage {
        filters.withLock { $0.append(filter) }
        return try ask(TaskPage(tasks: [], hasMore: true))
    }

    func task(_ id: TaskID) throws(OperatorServiceError) -> TaskRecord? {
        try ask(id.text == APISample.task.id ? APISample.task : nil)
    }

    private func move(_ verb: String, _ id: TaskID) throws(OperatorServiceError) -> MoveOutcome {
        moves.withLock { $0.append("\(verb) \(id)") }
        return try ask(outcome.withLock { $0 })
    }

    func cancelTask(_ id: TaskID) throws(OperatorServiceError) -> MoveOutcome {
        try move("cancel", id)
    }

    func retryTask(_ id: TaskID) throws(OperatorServiceError) -> MoveOutcome {
        try move("retry", id)
    }

    func retryTasks(_ filter: TaskFilter) throws(OperatorServiceError) -> TaskRetryResult {
        filters.withLock { $0.append(filter) }
        return try ask(TaskRetryResult(retried: 3, isComplete: false))
    }

    func retry(_ order: DeadLetterSelection) throws(OperatorServiceError) -> DeadLetterActionResult
    {
        try take("retry", order)
    }

    func purge(_ order: DeadLetterSelection) throws(OperatorServiceError) -> DeadLetterActionResult
    {
        try take("purge", order)
    }
}
