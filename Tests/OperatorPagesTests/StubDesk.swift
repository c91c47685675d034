import Concurrency
import DeadLetters
import Foundation
import Operations

/// A service that knows what a test gives it, and writes down what it is asked.
final class StubOperatorService: OperatorService {
    let failure = Locked<OperatorServiceError?>(nil)
    let orders = Locked<[(verb: String, order: DeadLetterSelection)]>([])
    let questions = Locked(0)
    /// What was looked for, and whose.
    let lookups = Locked<[String]>([])
    let isPaused = Locked(false)
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

    func retry(_ order: DeadLetterSelection) throws(OperatorServiceError) -> DeadLetterActionResult
    {
        try take("retry", order)
    }

    func purge(_ order: DeadLetterSelection) throws(OperatorServiceError) -> DeadLetterActionResult
    {
        try take("purge", order)
    }
}
