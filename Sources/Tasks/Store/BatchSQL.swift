import Foundation
import Postgres

/// The statements of batches. No count is kept: it is made when it is asked for.
enum BatchSQL {
    private static let columns = """
        id, kb_id, extract(epoch FROM created_at)::float8,
            CASE WHEN closed_at IS NULL THEN extract(epoch FROM open_until)::float8 END,
            cancelled_at IS NOT NULL, extract(epoch FROM finished_at)::float8,
            \(counts)
        """

    /// Of each state, in their order.
    private static let counts = TaskState.allCases
        .map { "members.count_\($0.rawValue)" }.joined(separator: ", ")
    private static let counted = """
        LEFT JOIN LATERAL (
            SELECT \(TaskState.allCases.map {
                "count(*) FILTER (WHERE state = \($0.rawValue)) AS count_\($0.rawValue)"
            }.joined(separator: ", "))
            FROM amity_tasks WHERE batch_id = batch.id) AS members ON true
        """

    /// $1: id; $2: kb, or NULL.
    static let get = Statement(
        "get_batch",
        """
        SELECT \(columns) FROM amity_batches AS batch \(counted)
        WHERE id = $1::uuid AND ($2::text IS NULL OR kb_id = $2)
        """
    )

    /// $1: ids.
    static let some = Statement(
        "get_batches",
        "SELECT \(columns) FROM amity_batches AS batch \(counted) WHERE id = ANY ($1::uuid[])"
    )

    /// $1: the most rows; $2: kb, or NULL; $3: the cursor, or NULL.
    static let list = Statement(
        "list_batches",
        """
        SELECT \(columns)
        FROM (SELECT * FROM amity_batches
              WHERE ($2::text IS NULL OR kb_id = $2) AND ($3::text IS NULL OR id < $3::uuid)
              ORDER BY id DESC LIMIT $1::int) AS batch
        \(counted)
        ORDER BY id DESC
        """
    )

    /// $1: id; $2: the most rows.
    static let members = Statement(
        "members_of_batch",
        """
        SELECT id, type, state, (SELECT string_agg(needs::text, ',' ORDER BY needs)
            FROM amity_task_needs AS need WHERE need.task = member.id)
        FROM (SELECT id, type, state FROM amity_tasks
              WHERE batch_id = $1::uuid AND batch_id IS NOT NULL
              ORDER BY id LIMIT $2::int) AS member
        ORDER BY id
        """
    )

    /// $1: id; $2: kb, or NULL.
    static let close = Statement(
        "close_batch",
        """
        UPDATE amity_batches SET closed_at = clock_timestamp(), due_at = clock_timestamp()
        WHERE id = $1::uuid AND closed_at IS NULL AND ($2::text IS NULL OR kb_id = $2)
        """,
        commits: true
    )

    /// $1: id; $2: kb, or NULL.
    static let cancel = Statement(
        "cancel_batch",
        """
        UPDATE amity_batches
        SET cancelled_at = clock_timestamp(), due_at = clock_timestamp(),
            closed_at = coalesce(closed_at, clock_timestamp())
        WHERE id = $1::uuid AND finished_at IS NULL AND cancelled_at IS NULL
          AND ($2::text IS NULL OR kb_id = $2)
        """
    )

    /// $1: the most rows. What adds to one holds it; it is met again.
    static let lockDue = Statement(
        "lock_due_batches",
        """
        SELECT id FROM amity_batches
        WHERE finished_at IS NULL AND due_at <= (SELECT clock_timestamp())
        ORDER BY due_at LIMIT $1::int
        FOR UPDATE SKIP LOCKED
        """
    )

    /// $1: ids. In a statement of its own: it sees the tasks that the lock waited for. A batch that
    /// takes its time is looked at less often. A list of one, and no EXISTS: that may be answered
    /// from all members of all batches. One that was cancelled when nothing was left to cancel has
    /// finished: its tasks ended before they were reached. The end of one makes its callback.
    static let decide = Statement(
        "decide_batches",
        """
        WITH ended AS (
            UPDATE amity_batches AS batch
            SET closed_at = CASE WHEN \(isOver) THEN coalesce(closed_at, clock_timestamp()) END,
                finished_at = CASE WHEN \(isOver) AND (
                    SELECT true FROM amity_tasks
                    WHERE batch_id = batch.id AND batch_id IS NOT NULL
                      AND state < \(TaskSQL.completed) LIMIT 1) IS NULL
                    THEN clock_timestamp() END,
                cancelled_at = CASE WHEN cancelled_at IS NOT NULL AND (
                    SELECT bool_and(state IN (\(TaskSQL.completed), \(TaskSQL.failed)))
                    FROM amity_tasks WHERE batch_id = batch.id AND batch_id IS NOT NULL)
                    THEN NULL ELSE cancelled_at END,
                due_at = CASE WHEN \(isOver) THEN clock_timestamp() + least(interval '5 seconds',
                        greatest(interval '1 second', (clock_timestamp() - created_at) / 20))
                    ELSE open_until END
            WHERE id = ANY ($1::uuid[]) AND finished_at IS NULL
            RETURNING id, kb_id, created_at, finished_at, cancelled_at, callback),
        \(CallbackSQL.batches),
        \(CallbackSQL.make)
        """
    )

    private static let isOver = "(closed_at IS NOT NULL OR open_until <= clock_timestamp())"

    /// $1: seconds since the end; $2: the most rows.
    static let forget = Statement(
        "forget_batches",
        """
        DELETE FROM amity_batches WHERE id IN (
            SELECT id FROM amity_batches AS batch
            WHERE finished_at IS NOT NULL
              AND finished_at < (SELECT clock_timestamp()) - make_interval(secs => $1::float8)
              AND NOT EXISTS (SELECT FROM amity_tasks
                WHERE batch_id = batch.id AND batch_id IS NOT NULL)
            ORDER BY finished_at LIMIT $2::int
            FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """,
        commits: true
    )

    static func view(_ row: inout RowReader) throws(PostgresError) -> BatchView {
        var view = BatchView(
            id: TaskID(stored: try row.text() ?? ""),
            kbID: try row.text(),
            createdAt: Date(timeIntervalSince1970: try row.double() ?? 0),
            openUntil: try row.double().map(Date.init(timeIntervalSince1970:)),
            isCancelled: try row.bool() ?? false,
            finishedAt: try row.double().map(Date.init(timeIntervalSince1970:)),
            counts: [:]
        )
        for state in TaskState.allCases { view.counts[state] = try row.integer() ?? 0 }
        return view
    }
}
