import DeadLetters
import Foundation
import Operations
import WorkerRuntime

/// A desk that knows what a test gives it, and writes down what it is asked.
final class StubDesk: OperatorDesk {
    let failure = Locked<OperatorDeskError?>(nil)
    let orders = Locked<[(verb: String, order: LetterOrder)]>([])
    let questions = Locked(0)
    /// While it is raised, an answer waits.
    let gate = Locked<DispatchSemaphore?>(nil)

    private func ask<Answer>(_ answer: Answer) throws(OperatorDeskError) -> Answer {
        questions.withLock { $0 += 1 }
        gate.withLock { $0 }?.wait()
        if let failure = failure.withLock({ $0 }) { throw failure }
        return answer
    }

    private func take(
        _ verb: String,
        _ order: LetterOrder
    ) throws(OperatorDeskError) -> LetterResult {
        orders.withLock { $0.append((verb, order)) }
        return try ask(LetterResult(count: 3, isComplete: true))
    }

    func workers() throws(OperatorDeskError) -> [WorkerStats] { try ask([]) }
    func queues() throws(OperatorDeskError) -> [QueueStats] { try ask([]) }

    func history() throws(OperatorDeskError) -> History {
        try ask(History(queue: "q", stepSeconds: 30, points: []))
    }

    func deadLetters() throws(OperatorDeskError) -> DeadLetterOverview {
        try ask(DeadLetterOverview(queue: "q.dead", lookedAt: Date(timeIntervalSince1970: 0)))
    }

    func retry(_ order: LetterOrder) throws(OperatorDeskError) -> LetterResult {
        try take("retry", order)
    }

    func purge(_ order: LetterOrder) throws(OperatorDeskError) -> LetterResult {
        try take("purge", order)
    }
}
