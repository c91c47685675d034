import Foundation
import Postgres
import TaskRunning
import Tasks

/// Runs the tasks of a type.
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
    /// What a task's payload is decoded to; one that does not fit fails the task for good, with
    /// the code `INVALID_PAYLOAD`.
    associatedtype Payload: Decodable
    /// At most 64 KB of JSON.
    associatedtype Result: Encodable

    /// The type of the tasks that it runs: 1 to 100 of a to z, A to Z, 0 to 9, `.`, `_` and `-`.
    static var type: String { get }

    /// Runs on a thread of the worker's own, and may block it.
    ///
    /// A task may run more than once: after a crash, a drain, or a failure. What it changes outside
    /// of ``TaskContext/inFinalTransaction(_:_:)`` has to bear that; `context.id` names the task in
    /// all of its runs.
    ///
    /// - Throws: ``TaskFailure`` to say how it failed; `CancellationError` when the run is to stop
    ///   (see ``TaskContext/checkStop()``); anything else fails the run with `HANDLER_ERROR`, and
    ///   the task runs again while it has attempts left.
    func run(_ payload: Payload, in context: TaskContext) throws -> Result
}

/// How a run failed.
public struct TaskFailure: Error, Sendable {
    /// UPPER_SNAKE_CASE, for programs.
    public var code: String
    /// For people; stored with the task, in no log.
    public var message: String
    /// Whether another run may succeed.
    public var retries: Bool
    /// Seconds until then; nil for the backoff: 1 s, doubled with each failure up to 300 s.
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
    case null
    case text(String)
    case integer(Int)
    case double(Double)
    case bool(Bool)

    var parameter: Parameter {
        switch self {
        case .null: .null
        case .text(let text): .text(text)
        case .integer(let integer): .integer(integer)
        case .double(let double): .double(double)
        case .bool(let bool): .text(bool ? "t" : "f")
        }
    }
}
