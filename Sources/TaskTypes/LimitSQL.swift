import Postgres
import Tasks

/// The statements of limits: which of the tasks that wait may go onto the broker.
///
/// A key's bucket shares its room with what is queued: tokens and queued tasks together are at
/// most the burst, also after the workers were away. So no span of time has more starts than the
/// burst and what the rate gives meanwhile, whatever the fleet is. When queued tasks have begun
/// since the last admission is not known; they count as if they had begun just now, for what the
/// rate gave before a start found no room.
enum LimitSQL {
    /// $1: the last key of the scan before; $2: the most keys. Keys with waiting tasks, and keys
    /// of which some were queued: what has begun of those gives room back, also where nothing
    /// waits any more.
    static let waitingKeys = Statement(
        "waiting_limit_keys",
        """
        WITH RECURSIVE \(keysWithWaiting(after: "$1"))
        SELECT limit_key, type, bool_or(waits) FROM (
            (SELECT limit_key, type, true AS waits FROM keys LIMIT $2::int)
            UNION ALL
            (SELECT key, type, false FROM amity_limit_keys WHERE queued > 0
             ORDER BY refilled_at LIMIT $2::int)) AS found
        GROUP BY limit_key, type ORDER BY limit_key
        """
    )

    /// `keys`, with the type of each: one look at the index for each, however many wait.
    private static func keysWithWaiting(after key: String) -> String {
        """
        keys AS (
            (SELECT limit_key, type FROM amity_tasks
             WHERE \(isWaiting) AND limit_key > \(key)
             ORDER BY limit_key, priority, id LIMIT 1)
            UNION ALL
            SELECT next.limit_key, next.type
            FROM keys CROSS JOIN LATERAL (
                SELECT limit_key, type FROM amity_tasks AS task
                WHERE \(isWaiting) AND task.limit_key > keys.limit_key
                ORDER BY limit_key, priority, id LIMIT 1) AS next)
        """
    }

    /// $1 and $2: keys and their types. A new one begins with a full bucket.
    static let makeKeys = Statement(
        "make_limit_keys",
        """
        INSERT INTO amity_limit_keys (key, type, tokens, refilled_at)
        SELECT key, new.type, coalesce(burst, 0), clock_timestamp()
        FROM unnest($1::text[], $2::text[]) AS new (key, type)
        LEFT JOIN amity_limits AS rule ON rule.type = new.type
        ORDER BY key
        ON CONFLICT DO NOTHING
        """
    )

    /// $1: keys.
    static let lockKeys = Statement(
        "lock_limit_keys",
        "SELECT 1 FROM amity_limit_keys WHERE key = ANY ($1::text[]) ORDER BY key FOR UPDATE"
    )

    /// Those of operators, and one that is built in: a receiver of callbacks that hangs keeps no
    /// others waiting.
    private static let rules = """
        (SELECT type, limited_by, rate, burst, cap, is_strict FROM amity_limits
         UNION ALL SELECT '\(TaskCallback.type)', 'payload.host', NULL, NULL,
            \(TaskCallback.mostAtOnce), false)
        """

    /// $1: a key. Whether a task of it may follow one that has ended: it has a cap, and one waits.
    static let mayFollow = Statement(
        "limit_key_follows",
        """
        SELECT 1 FROM amity_limit_keys AS limited
        WHERE key = $1
          AND EXISTS (SELECT FROM \(rules) AS rule
              WHERE rule.type = limited.type AND cap IS NOT NULL)
          AND EXISTS (SELECT FROM amity_tasks WHERE limit_key = $1 AND \(isWaiting))
        """
    )

    /// $1: keys. Another process that holds one is admitting at this moment.
    static let lockKeysAtOnce = Statement(
        "lock_limit_keys_at_once",
        """
        SELECT 1 FROM amity_limit_keys WHERE key = ANY ($1::text[]) ORDER BY key
        FOR UPDATE NOWAIT
        """
    )

    /// A leader's next look mends what a crash of the server takes back.
    static let lazily = Statement("limits_lazily", "SET LOCAL synchronous_commit TO off")

    /// In strict order what has begun before goes first: it failed, and comes again.
    ///
    /// $1: keys, locked; $2: the most tasks of each. What is queued and runs is counted after the
    /// lock, in a statement of its own. `IS TRUE` keeps the planner from all that waits. Nothing is
    /// written where nothing has changed: what the rate gives is reckoned from the last time.
    static let admit = Statement(
        "admit_tasks",
        """
        WITH known AS MATERIALIZED (
            SELECT limited.key, rate, cap, coalesce(is_strict, false) AS is_strict,
                clock_timestamp() AS now,
                EXISTS (SELECT FROM amity_pauses
                    WHERE subject IN (limited.key, limited.type)) AS is_paused,
                \(occupied(TaskSQL.queued)) AS queued,
                \(occupied(TaskSQL.processing)) AS running,
                burst, tokens, limited.queued AS queued_then, refilled_at
            FROM amity_limit_keys AS limited
            LEFT JOIN \(rules) AS rule ON rule.type = limited.type
            WHERE limited.key = ANY ($1::text[])),
        filled AS MATERIALIZED (
            SELECT *, CASE WHEN rate IS NULL THEN 0 ELSE greatest(0, least(
                burst - greatest(queued, queued_then),
                tokens + rate * extract(epoch FROM now - refilled_at)::float8)) END AS filled
            FROM known),
        room AS MATERIALIZED (
            SELECT key, is_strict, CASE
                WHEN is_paused THEN 0
                WHEN is_strict AND (SELECT true FROM amity_tasks
                    WHERE limit_key = filled.key AND limit_key IS NOT NULL
                      AND started_at IS NOT NULL AND state < \(TaskSQL.completed)
                      AND (state <> \(TaskSQL.waiting)) IS TRUE LIMIT 1) THEN 0
                ELSE greatest(0, least($2::int, floor(CASE WHEN rate IS NOT NULL THEN filled END),
                    cap - queued - running))::int END AS room
            FROM filled),
        chosen AS MATERIALIZED (
            SELECT id FROM room CROSS JOIN LATERAL (
                SELECT id FROM amity_tasks WHERE limit_key = room.key AND \(mayBegin)
                ORDER BY priority, id LIMIT CASE WHEN is_strict THEN 0 ELSE room END) AS next
            UNION ALL
            SELECT id FROM room CROSS JOIN LATERAL (
                SELECT id, 0 AS turn FROM amity_tasks
                WHERE limit_key = room.key AND limit_key IS NOT NULL
                  AND started_at IS NOT NULL AND state < \(TaskSQL.completed)
                  AND \(mayBegin)
                UNION ALL
                SELECT first.id, 1 FROM generate_series(0, 3) AS part (priority)
                CROSS JOIN LATERAL (
                    SELECT id FROM amity_tasks AS task WHERE limit_key = room.key
                      AND task.priority = part.priority AND \(mayBegin)
                    ORDER BY id LIMIT 1) AS first
                ORDER BY turn, id LIMIT CASE WHEN is_strict THEN room ELSE 0 END) AS next),
        moved AS (
            UPDATE amity_tasks
            SET state = \(TaskSQL.queued), due_at = clock_timestamp() + \(TaskSQL.lease)
            WHERE id = ANY (ARRAY(SELECT id FROM chosen)) AND (\(mayBegin)) IS TRUE
            RETURNING \(MovedTask.columns), due_at, limit_key),
        spent AS (
            UPDATE amity_limit_keys AS limited
            SET tokens = filled - coalesce(began, 0), refilled_at = now,
                queued = filled.queued + coalesce(began, 0)
            FROM filled
            LEFT JOIN (SELECT limit_key, count(*) AS began FROM moved GROUP BY limit_key) AS spent
                ON spent.limit_key = filled.key
            WHERE limited.key = filled.key
              AND (began > 0 OR filled.queued <> filled.queued_then))
        SELECT \(MovedTask.columns), due_at::text FROM moved
        """
    )

    /// As the index of those that wait for their limits has it.
    private static let isWaiting = "(state = \(TaskSQL.waiting)) IS TRUE"

    private static let mayBegin = """
        \(isWaiting) AND (deadline IS NULL OR deadline > clock_timestamp())
        """

    /// `IS TRUE`, as in `TaskSQL.isProcessing`.
    private static func occupied(_ state: Int) -> String {
        """
        (SELECT count(*) FROM amity_tasks WHERE limit_key = limited.key
            AND limit_key IS NOT NULL AND (state IN (3, 4)) IS TRUE AND (state = \(state)) IS TRUE)
        """
    }

    // MARK: Operators

    /// $1: the last key before, or NULL; $2: the most rows; $3: the most tasks that are counted of
    /// a key and state, or NULL; $4: a type, or NULL.
    static let list = Statement(
        "list_limit_keys",
        view(
            of: """
                SELECT key, type, tokens, refilled_at FROM amity_limit_keys
                WHERE ($1::text IS NULL OR key > $1) AND ($4::text IS NULL OR type = $4)
                ORDER BY key LIMIT $2::int
                """
        )
    )

    /// The same of keys that keep tasks waiting, or are paused; without $4. A new key has no bucket
    /// yet: it counts as a full one.
    static let holding = Statement(
        "list_holding_limit_keys",
        view(
            of: """
                WITH RECURSIVE \(keysWithWaiting(after: "coalesce($1::text, '')"))
                SELECT found.key, found.type, tokens, refilled_at
                FROM (
                    SELECT key, min(type) AS type FROM (
                        (SELECT limit_key AS key, type FROM keys LIMIT $2::int)
                        UNION ALL
                        (SELECT subject, split_part(subject, ':', 1) FROM amity_pauses
                         WHERE subject > coalesce($1::text, '') AND subject NOT LIKE 'pool/%'
                         ORDER BY subject LIMIT $2::int)) AS counted
                    GROUP BY key ORDER BY key LIMIT $2::int) AS found
                LEFT JOIN amity_limit_keys AS bucket ON bucket.key = found.key
                """
        )
    )

    /// The same of one key or type: of any that has a bucket or a limit, keeps tasks waiting or is
    /// paused. $1: it; $2: 1; $3 as above.
    static let one = Statement(
        "get_limit_key",
        view(
            of: """
                SELECT key, coalesce(bucket.type, split_part(key, ':', 1)) AS type, tokens,
                    refilled_at
                FROM (SELECT \(TaskSQL.limitKey("$1::text")) AS key LIMIT $2::int) AS wanted
                LEFT JOIN amity_limit_keys AS bucket USING (key)
                WHERE tokens IS NOT NULL
                  OR EXISTS (SELECT FROM amity_tasks WHERE limit_key = key AND \(isWaiting))
                  OR EXISTS (SELECT FROM amity_limits AS rule WHERE rule.type = key)
                  OR EXISTS (SELECT FROM amity_pauses WHERE subject = key)
                """
        )
    )

    /// Keys as operators see them, with tokens as they are now. `least` leaves out what is NULL.
    ///
    /// - Parameter keys: a query for keys, their types and their buckets.
    private static func view(of keys: String) -> String {
        """
        SELECT limited.key, limited.type, limited_by, rate, burst, cap,
            coalesce(is_strict, false),
            CASE WHEN rate IS NOT NULL AND (limited_by = 'type' OR limited.key <> limited.type)
                THEN greatest(0, least(burst - limited.now_queued, tokens
                + rate * extract(epoch FROM clock_timestamp() - refilled_at)::float8)) END,
            (SELECT count(*) FROM (SELECT FROM amity_tasks
             WHERE limit_key = limited.key AND \(isWaiting) LIMIT $3::int) AS counted),
            limited.now_queued, \(counted(TaskSQL.processing)), paused_by,
            extract(epoch FROM paused_at)::float8
        FROM (
            SELECT *, \(counted(TaskSQL.queued)) AS now_queued FROM (\(keys)) AS limited
        ) AS limited
        LEFT JOIN \(rules) AS rule ON rule.type = limited.type
        LEFT JOIN LATERAL (
            SELECT paused_by, paused_at FROM amity_pauses
            WHERE subject IN (limited.key, limited.type)
            ORDER BY paused_at LIMIT 1) AS pause ON true
        ORDER BY limited.key
        """
    }

    /// `occupied`, but no more than $3.
    private static func counted(_ state: Int) -> String {
        """
        (SELECT count(*) FROM (SELECT FROM amity_tasks WHERE limit_key = limited.key
            AND limit_key IS NOT NULL AND (state IN (3, 4)) IS TRUE AND (state = \(state)) IS TRUE
            LIMIT $3::int) AS counted)
        """
    }

    /// Buckets that are full and that no task needs. $1: the most rows.
    static let forget = Statement(
        "forget_limit_keys",
        """
        DELETE FROM amity_limit_keys WHERE key IN (
            SELECT key FROM amity_limit_keys AS limited
            LEFT JOIN amity_limits AS rule ON rule.type = limited.type
            WHERE refilled_at < (SELECT clock_timestamp()) - interval '1 day'
              AND (rate IS NULL OR tokens + rate
                * extract(epoch FROM clock_timestamp() - refilled_at)::float8 >= burst)
              AND NOT EXISTS (SELECT FROM amity_tasks
                WHERE limit_key = limited.key AND \(isWaiting))
              AND NOT EXISTS (SELECT FROM amity_tasks
                WHERE limit_key = limited.key AND limit_key IS NOT NULL
                  AND (state IN (3, 4)) IS TRUE)
            LIMIT $1::int
            FOR UPDATE OF limited SKIP LOCKED)
        RETURNING 1
        """,
        commits: true
    )
}
