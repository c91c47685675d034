import Foundation
import Postgres
import TaskRunning
import Tasks

/// Runs the tasks of a type. One value serves all threads of a worker at once.
///
///     struct Thumbnail: TaskHandler {
///         struct Payload: Decodable { var width: Int }
///         static let type = "thumbnail"
///
///         func run(_ payload: Payload, in context: TaskContext) throws -> [String: Int] {
///             ["width": payload.width / 10]
///         }
///     }
public protocol TaskHandler: Sendable {
    /// What a task's payload, at most 256 KB of JSON, is decoded to, by a `JSONDecoder` as it is at
    /// first. One that does not fit fails the task for good, with the code `INVALID_PAYLOAD`.
    associatedtype Payload: Decodable
    /// What clients read of a task that has succeeded, encoded with sorted keys. More than 64 KB of
    /// JSON fails the task for good with `RESULT_TOO_LARGE`, what PostgreSQL does not store as JSON
    /// (`\u0000`) with `RESULT_REFUSED`.
    associatedtype Result: Encodable

    /// The type of the tasks that it runs: 1 to 100 of a to z, A to Z, 0 to 9, `.`, `_` and `-`.
    /// Names that begin with `amity.` are Amity's own.
    static var type: String { get }

    /// Runs one run of a task, on a thread of the worker's own, and may block it.
    ///
    /// It has as long as the type's or the task's `timeout_seconds` say. Ten seconds later the run
    /// is fenced off, with the code `TIMEOUT`, and its thread is lost until it returns.
    ///
    /// A task may run more than once: after a crash, a drain, or a failure. What it changes outside
    /// of ``TaskContext/inFinalTransaction(_:_:)`` has to bear that; `context.id` names the task in
    /// all of its runs.
    ///
    /// - Parameters:
    ///   - payload: of the task, the same in all of its runs.
    ///   - context: of this run.
    /// - Returns: the task's result.
    /// - Throws: ``TaskFailure`` to say how it failed; `CancellationError` when the run is to stop
    ///   (see ``TaskContext/checkStop()``), and where none was asked for fails it with `STOPPED`;
    ///   anything else fails the run with `HANDLER_ERROR`, with its description as the message. It
    ///   runs again while the task has attempts left.
    func run(_ payload: Payload, in context: TaskContext) throws -> Result
}

/// How a run failed: to be thrown by a handler.
public struct TaskFailure: Error, Sendable {
    /// For programs: UPPER_SNAKE_CASE, at most 50 characters. Another is stored as it is, and is
    /// `OTHER` in the log and missing in events.
    public var code: String
    /// For people; stored with the task, in no log, event or metric. What is beyond 1,000
    /// characters is cut off.
    public var message: String
    /// Whether another run may succeed. With false the task has failed for good; with true it runs
    /// again while it has attempts left.
    public var retries: Bool
    /// Seconds until then, 0 to ten years (315,360,000): what is below or above counts as the
    /// nearest. nil for the backoff: at random up to 1 s, doubled with each failure up to 300 s.
    public var after: Double?

    public init(code: String, message: String = "", retries: Bool = true, after: Double? = nil) {
        self.code = code
        self.message = message
        self.retries = retries
        self.after = after
    }
}

/// A value for a statement of a handler's own.
public enum SQLValue: Sendable {
    /// SQL's NULL.
    case null
    /// NUL, which no text of PostgreSQL's holds, becomes U+FFFD.
    case text(String)
    case integer(Int)
    case double(Double)
    case bool(Bool)

    var parameter: Parameter {
        switch self {
        case .null: .null
        case .text(let text): .text(text.replacing("\0", with: "\u{FFFD}"))
        case .integer(let integer): .integer(integer)
        case .double(let double): .double(double)
        case .bool(let bool): .text(bool ? "t" : "f")
        }
    }
}
