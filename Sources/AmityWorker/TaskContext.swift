import Concurrency
import Digests
import Postgres
import TaskRunning
import Tasks

/// What a run is told, and what it can tell. Any thread may use it; after the run's end it has no
/// effect.
public final class TaskContext: Sendable {
    private let task: ClaimedTask
    let context: RunContext
    private let statements = Locked<[(Statement, [Parameter])]>([])

    init(_ task: ClaimedTask, _ context: RunContext) {
        self.task = task
        self.context = context
    }

    /// A UUID in lower case, such as `019ac0de-4d1c-7a90-8d11-2f3b8c1e9a10`: the same in every run
    /// of the task.
    public var id: String { task.id.text }
    /// Of all runs of the task, from 1 on; goes up also where no attempt was spent.
    public var run: Int { task.run }
    /// From 1 on: one more than runs that failed.
    public var attempt: Int { task.attempt }
    /// Of the knowledge base, or tenant, that the task was made for; nil where none was named.
    public var kbID: String? { task.kbID }

    /// Whether the run is to stop: cancelled, over its time limit, its worker ends, or its task was
    /// given to another run. What it does from now on does not count, or is done again elsewhere.
    /// A result that is returned all the same counts where the task is still this run's.
    public var isStopped: Bool { context.stopReason != nil }

    /// Ends a run that is to stop, where the handler lets the error through. Call it often: a run
    /// that is over its time limit by ten seconds loses its thread.
    ///
    /// - Throws: `CancellationError` when the run is to stop (``isStopped``). Let it through: what
    ///   becomes of the task is decided by why it was to stop.
    public func checkStop() throws {
        if isStopped { throw CancellationError() }
    }

    /// Has `action` called once when the run is to stop, to wake a thread that waits: on a thread
    /// of the worker's, or on this one, at once, where the run is to stop already. It must not
    /// block.
    public func onStop(_ action: @escaping @Sendable () -> Void) {
        context.onStop { _ in action() }
    }

    /// Tells how far the run is, for clients and operators; returns at once. The last of what is
    /// told within a second is written.
    ///
    /// - Parameters:
    ///   - percent: 0 to 100; what is below or above counts as 0 or 100.
    ///   - note: for people; stored with the task, in no log. What is beyond 1,000 characters is
    ///     cut off; nil leaves the last one.
    public func report(_ percent: Int, _ note: String? = nil) {
        context.report(progress: percent, note: note)
    }

    /// Adds a statement to the transaction that completes the task: it takes effect once, or not at
    /// all where the run fails or its task was given to another run meanwhile. In the worker's
    /// database, with its role: grant that what the statements need.
    ///
    /// The statements run in the order in which they were added, once the handler has returned.
    /// Nothing is read back. One that is refused, for whatever reason, takes the others and the
    /// task's end back with it: the run fails with `EFFECT_REFUSED` and the SQLSTATE, and the task
    /// runs again while it has attempts left. What lost a race (a deadlock, or a lock that was not
    /// to be had) is tried fifty times before that, what a function of the database raised as if
    /// the database were away five times; what found it away is tried until it is back.
    ///
    /// - Parameters:
    ///   - sql: one statement that changes rows: none that begins or ends a transaction, and none
    ///     that leaves something in the session, which other runs use (`SET`, `LISTEN`); `$1`,
    ///     `$2` … stand for the values. The same text each time: every session prepares it once.
    ///   - values: in PostgreSQL's types as the statement wants them (`$2::int`).
    public func inFinalTransaction(_ sql: String, _ values: SQLValue...) {
        let digest = Digest.sha256(Array(sql.utf8)).prefix(8)
        let statement = Statement(
            "\(OwnStatement.prefix)\(Array(digest).hexadecimal)",
            sql,
            timer: "handler"
        )
        statements.withLock { $0.append((statement, values.map(\.parameter))) }
    }

    var effects: [(Statement, [Parameter])] { statements.withLock { $0 } }
}
