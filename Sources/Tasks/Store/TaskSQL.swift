import Postgres

/// Parts of statements. States are written as numbers: the partial indexes have them so.
///
/// Every change names the state that it expects and, where a sender knows one, the run: see
/// `Transition`.
package enum TaskSQL {
    package static let scheduled = TaskState.scheduled.rawValue
    package static let blocked = TaskState.blocked.rawValue
    package static let waiting = TaskState.waiting.rawValue
    package static let queued = TaskState.queued.rawValue
    package static let processing = TaskState.processing.rawValue
    package static let completed = TaskState.completed.rawValue
    package static let failed = TaskState.failed.rawValue
    package static let cancelled = TaskState.cancelled.rawValue
    /// What counts in a pool, and what may be retried by hand: each as its partial index has it.
    package static let inPool = "\(waiting), \(queued), \(processing)"
    package static let retryable = "\(failed), \(cancelled)"

    /// For a statement that names its rows by id. `IS TRUE` keeps the planner from the partial
    /// indexes of all that wait or run: its statistics may not know yet how much that is.
    static let isQueued = "(state = \(queued)) IS TRUE"
    static let isProcessing = "(state = \(processing)) IS TRUE"

    /// A publishing process has so long until the scheduler does it.
    package static let lease = "interval '\(TaskLife.lease) milliseconds'"

    /// In UTC, whatever the session's zone is.
    package static func iso(_ time: String) -> String {
        "to_char((\(time)) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    }

    /// The key of a limit, for `type:value`: a long value is named by its digest. The one rule for
    /// what tasks get and for what people name. No type or pool is so long.
    ///
    /// - Parameter key: a column or parameter.
    package static func limitKey(_ key: String) -> String {
        let colon = "strpos(\(key), ':')"
        let digest = "sha256(convert_to(substr(\(key), \(colon) + 1), 'UTF8'))"
        return """
            CASE WHEN length(\(key)) - \(colon) > 200
                THEN left(\(key), \(colon)) || encode(\(digest), 'hex') ELSE \(key) END
            """
    }

    /// What becomes of a run that leaves `processing` without success.
    ///
    /// - Parameters:
    ///   - isOver: the condition under which the task fails for good.
    ///   - state: where it goes else, if no cancellation was asked for.
    ///   - due: its `due_at` there.
    static func leaving(failsIf isOver: String, to state: String, due: String) -> String {
        let ends = "(\(isOver)) OR cancel_at IS NOT NULL"
        return """
            state = CASE WHEN \(isOver) THEN \(failed)
                WHEN cancel_at IS NOT NULL THEN \(cancelled) ELSE \(state) END,
            run = CASE WHEN \(ends) THEN run ELSE run + 1 END,
            due_at = CASE WHEN \(ends) THEN NULL ELSE \(due) END,
            finished_at = CASE WHEN \(ends) THEN clock_timestamp() END,
            worker = CASE WHEN \(ends) THEN worker END,
            progress = CASE WHEN \(ends) THEN progress END
            """
    }

    /// Where a run goes that was interrupted.
    static let givenBackState = "CASE WHEN limit_key IS NULL THEN \(queued) ELSE \(waiting) END"
    static let givenBackDue = "CASE WHEN limit_key IS NULL THEN clock_timestamp() ELSE deadline END"

    /// - Parameter delay: seconds, as SQL; where NULL, the backoff.
    static func retryDue(_ delay: String) -> String {
        // `attempts` is the number of failures before this one.
        let ceiling = """
            least(\(RetryRule.cap), \(RetryRule.first) * power(\(RetryRule.factor), \
            least(attempts, 20)))
            """
        return """
            least(clock_timestamp()
                + make_interval(secs => coalesce(\(delay), random() * \(ceiling))), deadline)
            """
    }

    /// The list of failures with one more; the last ten are kept.
    static func errors(with run: String, _ code: String, _ message: String) -> String {
        list("coalesce(errors, '[]')", run, "'code', \(code), 'message', \(message)")
    }

    /// The same with an answer that has put the task off in place of the last one, if that was the
    /// last that happened: `since` is the time of the first in a row.
    static func errors(puttingOff run: String, _ code: String, _ message: String) -> String {
        let since = "coalesce(errors -> -1 ->> 'since', \(iso("clock_timestamp()")))"
        return list(
            "coalesce(\(errorsThatCount), '[]')",
            run,
            "'code', \(code), 'message', \(message), 'since', \(since)"
        )
    }

    /// The list without what has put the task off last.
    static let errorsThatCount = """
        CASE WHEN errors -> -1 ? 'since' THEN errors - (-1) ELSE errors END
        """

    private static func list(_ before: String, _ run: String, _ members: String) -> String {
        """
        jsonb_path_query_array(\(before) || jsonb_build_object('run', \(run), \(members),
            'at', \(iso("clock_timestamp()"))), '$[last - 9 to last]')
        """
    }
}

/// A row that was moved, for metrics and log lines.
package struct MovedTask: Sendable, Equatable {
    package var id: TaskID
    package var type: String
    package var pool: String
    package var priority: Priority
    package var state: TaskState
    package var run: Int

    package static let columns = "id, type, pool, priority, state, run"
}

extension MovedTask {
    init(_ row: inout RowReader) throws(PostgresError) {
        id = TaskID(stored: try row.text() ?? "")
        type = try row.text() ?? ""
        pool = try row.text() ?? ""
        priority = try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal
        state = try row.integer().flatMap(TaskState.init(rawValue:)) ?? .queued
        run = try row.integer() ?? 0
    }
}

extension Publication {
    /// Of a row with the columns of `MovedTask` and then `due_at` as text: the lease's token.
    package init(leased row: inout RowReader) throws(PostgresError) {
        try self.init(MovedTask(&row), leasedIn: &row)
    }

    init(_ moved: MovedTask, leasedIn row: inout RowReader) throws(PostgresError) {
        self.init(
            id: moved.id,
            run: moved.run,
            type: moved.type,
            pool: moved.pool,
            priority: moved.priority,
            lease: try row.text() ?? ""
        )
    }
}
