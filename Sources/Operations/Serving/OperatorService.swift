import DeadLetters
import Foundation

/// What an operator can ask a worker about its queue and all its workers, and the actions on them.
/// Every call blocks its thread, which needs `WorkerOperatorService.stackBytes` of stack.
package protocol OperatorService: TaskOperatorService {
    func workers() throws(OperatorServiceError) -> [WorkerStats]
    func queues() throws(OperatorServiceError) -> [QueueStats]
    func history() throws(OperatorServiceError) -> History
    func deadLetters() throws(OperatorServiceError) -> DeadLetterOverview
    /// The latest dead letters of a user, up to a hundred.
    func deadLetters(ofUser userID: String) throws(OperatorServiceError) -> [DeadLetter]
    func explanation(of conversationID: String) throws(OperatorServiceError) -> Explanation
    func servingWorker() throws(OperatorServiceError) -> ServingWorker
    /// Pauses the worker that answers, or resumes it; no other.
    func setConsumption(isOn: Bool) throws(OperatorServiceError) -> ServingWorker
    /// Puts dead letters back to work.
    func retry(_ order: DeadLetterSelection) throws(OperatorServiceError) -> DeadLetterActionResult
    /// Throws dead letters away.
    func purge(_ order: DeadLetterSelection) throws(OperatorServiceError) -> DeadLetterActionResult
}

/// The worker whose process answers.
package struct ServingWorker: Sendable, Equatable, Encodable {
    package var host: String
    package var processID: Int
    /// Whether an operator has switched its consumption off.
    package var isPaused: Bool

    package init(host: String, processID: Int, isPaused: Bool) {
        self.host = host
        self.processID = processID
        self.isPaused = isPaused
    }
}

/// Which dead letters something is to be done to.
package struct DeadLetterSelection: Sendable {
    /// Chosen: what takes a second or two.
    package static let most = 1000

    package var filter: DeadLetterFilter
    /// Most dead letters.
    package var limit: Int

    package init(_ filter: DeadLetterFilter, limit: Int = DeadLetterSelection.most) {
        self.filter = filter
        self.limit = limit
    }
}

/// What has come of it.
package struct DeadLetterActionResult: Sendable, Equatable {
    /// Dead letters that were retried, or purged.
    package var count: Int
    /// Whether no dead letter is left that was meant: else ask again.
    package var isComplete: Bool

    package init(count: Int, isComplete: Bool) {
        self.count = count
        self.isComplete = isComplete
    }
}

/// Why there is no answer; safe to show.
package enum OperatorServiceError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The worker does not run yet.
    case early
    /// The database is away, or the tables are not there.
    case database(String)
    case broker(String)
    /// Some dead letters could not be handled, e.g. because another consumer holds them; `done`
    /// were handled before.
    case unfinished(String, done: Int)

    package var description: String {
        switch self {
        case .early: "the worker has only begun"
        case .database(let reason): "database: \(reason)"
        case .broker(let reason): "broker: \(reason)"
        case .unfinished(let reason, _): reason
        }
    }
}
