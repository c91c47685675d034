import Concurrency
import Digests
import Postgres
import TaskRunning
import Tasks

/// What a run is told, and what it can tell.
public final class TaskContext: Sendable {
    private let task: ClaimedTask
    let context: RunContext
    private let statements = Locked<[(Statement, [Parameter])]>([])

    init(_ task: ClaimedTask, _ context: RunContext) {
        self.task = task
        self.context = context
    }

    /// A UUID: the same in every run of the task.
    public var id: String { task.id.text }
    /// Of all runs of the task, from 1 on; goes up also where no attempt was spent.
    public var run: Int { task.run }
    /// From 1 on: one more than runs that failed.
    public var attempt: Int { task.attempt }
    /// nil where the task was made without one.
    public var kbID: String? { task.kbID }

    /// Whether the run is to stop: cancelled, late, or its worker ends. What it does from now on
    /// does not count, or is done again elsewhere.
    public var isStopped: Bool { context.stopReason != nil }

    /// - Throws: `CancellationError` when the run is to stop. Let it through: what becomes of the
    ///   task is decided by why it was to stop.
    public func checkStop() throws {
        if isStopped { throw CancellationError() }
    }

    /// Has `action` called once when the run is to stop, on another thread: to wake one that waits.
    public func onStop(_ action: @escaping @Sendable () -> Void) {
        context.onStop { _ in action() }
    }

    /// Tells how far it is; returns at once. Written once a second.
    ///
    /// - Parameters:
    ///   - percent: 0 to 100.
    ///   - note: at most 1,000 characters; nil leaves the last one.
    public func report(_ percent: Int, _ note: String? = nil) {
        context.report(progress: percent, note: note)
    }

    /// Adds a statement to the transaction that completes the task: it takes effect once, or not at
    /// all where the run fails or its task was given to another run meanwhile. In the worker's
    /// database, with its role.
    ///
    /// A statement that is refused fails the run with `EFFECT_REFUSED`.
    ///
    /// - Parameters:
    ///   - sql: one statement; `$1`, `$2` … stand for the values.
    ///   - values: in PostgreSQL's types as the statement wants them.
    public func inFinalTransaction(_ sql: String, _ values: SQLValue...) {
        let digest = Digest.sha256(Array(sql.utf8)).prefix(8)
        let statement = Statement("handler_\(Array(digest).hexadecimal)", sql, timer: "handler")
        statements.withLock { $0.append((statement, values.map(\.parameter))) }
    }

    var effects: [(Statement, [Parameter])] { statements.withLock { $0 } }
}
