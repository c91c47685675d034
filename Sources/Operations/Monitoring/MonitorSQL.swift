import Foundation
import Postgres
import WorkerHealth

/// The statements of the queue monitor. All times are the database's.
enum MonitorSQL {
    /// $1: queue.
    static let recall = Statement(
        "recall_queue",
        "SELECT watch, stats FROM amity_queues WHERE queue = $1"
    )

    static func recalled(
        _ row: inout RowReader
    ) throws(PostgresError) -> (watch: Data?, stats: Data?)? {
        (try row.data(), try row.data())
    }

    /// $1 queue, $2 worker, $3 the watch's memory, $4 the statistics, $5 to $8 the sample. Returns
    /// no row where another worker has taken the lease meanwhile.
    static let save = Statement(
        "save_queue",
        """
        WITH saved AS (
            UPDATE amity_queues SET watch = $3::jsonb, stats = $4::jsonb
            WHERE queue = $1 AND leader = $2
            RETURNING queue)
        INSERT INTO amity_queue_samples (queue, ready, oldest_age_seconds, retrying, dead_letters)
        SELECT queue, $5::integer, $6::float8, $7::integer, $8::integer FROM saved
        RETURNING 1
        """
    )

    static let forgetSamples = Statement(
        "forget_queue_samples",
        "DELETE FROM amity_queue_samples WHERE taken_at < now() - interval '65 minutes'"
    )

    static let forgetQueues = Statement(
        "forget_queues",
        "DELETE FROM amity_queues WHERE lease_until < now() - interval '1 day'"
    )

    /// For the next statement of this transaction. Its plan is made once, perhaps while the table
    /// is empty, and must not sort all that waits later.
    static let inOrder = Statement(
        "plan_in_order",
        """
        SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)
        """
    )

    /// The oldest of the hundred PENDING conversations that are due first, by the index on what is
    /// due: as a rule they are the oldest there are, because each is due a fixed time after it was
    /// made, until the sweep pushes it forward.
    static let oldest = Statement(
        "find_oldest",
        """
        SELECT extract(epoch FROM now()), extract(epoch FROM now() - min(created_at))
        FROM (SELECT created_at FROM conversation_events
              WHERE status = 'PENDING' ORDER BY next_attempt_at LIMIT 100) AS due
        """
    )

    static func age(_ row: inout RowReader) throws(PostgresError) -> QueueLook? {
        var look = QueueLook(at: try row.double() ?? 0)
        look.oldestAge = max(0, try row.double() ?? 0)
        return look
    }

    /// $1: queue. What its workers have settled, the gone ones too; what the living have in hand;
    /// how many may consume; from how many the broker takes no messages; how many settled are done.
    ///
    /// One that died without a word may be a consumer until the broker has missed two of its
    /// heartbeats, at most 60 s each: until then it counts.
    static let settled = Statement(
        "sum_workers",
        """
        SELECT sum(done + retried + dead),
               sum(in_flight) FILTER (WHERE state NOT IN ('stopped', 'lost')),
               count(*) FILTER (WHERE state <> 'stopped'
                   AND heartbeat_at > now() - interval '150 seconds' AND NOT reasons && $2::text[]),
               count(*) FILTER (WHERE state NOT IN ('stopped', 'lost')
                   AND problems @> '[{"kind": "blocked"}]'),
               sum(done)
        FROM amity_workers WHERE queue = $1
        """
    )

    static func addSettled(
        to look: inout QueueLook,
        from row: inout RowReader
    ) throws(PostgresError) {
        look.settled = try row.integer()
        look.unacked = try row.integer()
        look.unackedSource = look.unacked.map { _ in .workers }
        look.workersConsuming = try row.integer()
        look.blockedWorkers = try row.integer()
        look.done = try row.integer()
    }

    /// $2 of `settled`: reasons with which a worker is no consumer.
    static let noConsumer = Parameter.textArray(
        Readiness.Blocker.withoutConsumer.map(\.rawValue)
    )

    /// All of them.
    static let queues = Statement(
        "read_queues",
        "SELECT stats FROM amity_queues WHERE stats IS NOT NULL ORDER BY queue LIMIT 100"
    )

    static func stats(_ row: inout RowReader) throws -> QueueStats {
        try JSONDecoder().decode(QueueStats.self, from: try row.data() ?? Data())
    }

    /// $1 queue, $2 seconds of a step. The last hour, in steps that are the same for every reader.
    static let history = Statement(
        "read_history",
        """
        WITH work AS (
            SELECT floor(extract(epoch FROM taken_at) / $2::float8) AS step, sum(done) AS done,
                   sum(retried) AS retried, sum(dead) AS dead,
                   sum(ack_seconds_p50 * acked) / nullif(sum(acked), 0) AS p50,
                   max(ack_seconds_p99) AS p99
            FROM amity_worker_samples
            WHERE queue = $1 AND taken_at > now() - interval '1 hour'
            GROUP BY step),
        waiting AS (
            SELECT DISTINCT ON (step) floor(extract(epoch FROM taken_at) / $2::float8) AS step,
                   ready, oldest_age_seconds, retrying, dead_letters
            FROM amity_queue_samples
            WHERE queue = $1 AND taken_at > now() - interval '1 hour'
            ORDER BY step, taken_at DESC)
        SELECT step * $2::float8, done, retried, dead, p50, p99,
               ready, oldest_age_seconds, retrying, dead_letters
        FROM work FULL JOIN waiting USING (step)
        ORDER BY step
        """
    )

    static func point(_ row: inout RowReader) throws(PostgresError) -> History.Point {
        History.Point(
            at: Date(timeIntervalSince1970: try row.double() ?? 0),
            done: try row.integer(),
            retried: try row.integer(),
            dead: try row.integer(),
            ackSecondsP50: try row.double(),
            ackSecondsP99: try row.double(),
            ready: try row.integer(),
            oldestAgeSeconds: try row.double(),
            retrying: try row.integer(),
            deadLetters: try row.integer()
        )
    }
}
