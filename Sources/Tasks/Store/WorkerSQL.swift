import Postgres

/// The statements of leases, and of what a worker does each second.
package enum WorkerSQL {
    /// Takes or renews. $1: name; $2: holder; $3: seconds; $4: JSON, or NULL.
    package static let renew = Statement(
        "renew_lease",
        """
        INSERT INTO amity_leases (name, holder, renewed_at, lease_until, facts)
        SELECT $1, $2::uuid, now, now + make_interval(secs => $3::float8), $4::jsonb
        FROM (SELECT clock_timestamp() AS now OFFSET 0) AS clock
        ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder, renewed_at = excluded.renewed_at,
                lease_until = excluded.lease_until, facts = excluded.facts
            WHERE amity_leases.holder = excluded.holder
               OR amity_leases.lease_until < excluded.renewed_at
        RETURNING 1
        """,
        commits: true
    )

    /// $1: the name of the request.
    static let isDrainAsked = Statement(
        "is_drain_asked",
        "SELECT EXISTS (SELECT FROM amity_leases WHERE name = $1)"
    )

    /// $1: the name of the request; $2: the worker; $3: the name of its lease. Answers no row where
    /// the worker does not live.
    static let askToDrain = Statement(
        "ask_to_drain",
        """
        INSERT INTO amity_leases (name, holder, renewed_at, lease_until)
        SELECT $1, holder, clock_timestamp(), clock_timestamp() FROM amity_leases
        WHERE name = $3 AND holder = $2::uuid AND lease_until > clock_timestamp()
        ON CONFLICT (name) DO UPDATE SET name = excluded.name
        RETURNING 1
        """,
        commits: true
    )

    /// $1: name; $2: holder.
    package static let release = Statement(
        "release_lease",
        "DELETE FROM amity_leases WHERE name = $1 AND holder = $2::uuid",
        commits: true
    )

    /// By queue.
    static let unclaimed = Statement(
        "unclaimed_deliveries",
        """
        SELECT queue, sum(held::bigint)::bigint
        FROM amity_leases
        CROSS JOIN LATERAL jsonb_each_text(
            CASE WHEN jsonb_typeof(facts -> 'unclaimed') = 'object' THEN facts -> 'unclaimed' END
        ) AS unclaimed (queue, held)
        WHERE name LIKE 'worker %' AND lease_until > clock_timestamp()
        GROUP BY queue
        """
    )

    /// $1: the worker.
    static let ownRuns = Statement(
        "own_task_runs",
        """
        SELECT id, run, cancel_at IS NOT NULL FROM amity_tasks
        WHERE state = \(TaskSQL.processing) AND worker = $1::uuid
        """
    )

    /// $1 to $4: ids, runs, percents and notes, which may be NULL. In the order of ids; a row that
    /// another session has locked waits for the next second.
    static let progress = Statement(
        "write_task_progress",
        """
        WITH locked AS MATERIALIZED (
            SELECT task.id, percent, new.note
            FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[])
                AS new (id, run, percent, note)
            JOIN amity_tasks AS task ON task.id = new.id AND task.run = new.run
            WHERE task.id = ANY ($1::uuid[]) AND \(TaskSQL.isProcessing)
            ORDER BY task.id
            FOR UPDATE OF task SKIP LOCKED),
        moved AS (
            UPDATE amity_tasks AS task SET progress = locked.percent::int
            FROM locked
            WHERE task.id = ANY (ARRAY(SELECT locked.id FROM locked)) AND task.id = locked.id
              AND locked.percent IS NOT NULL),
        noted AS (
            UPDATE amity_task_data AS data SET note = locked.note
            FROM locked
            WHERE data.id = ANY (ARRAY(SELECT locked.id FROM locked)) AND data.id = locked.id
              AND locked.note IS NOT NULL)
        SELECT id FROM locked
        """,
        commits: true
    )

    /// Leases of workers that have been silent for an hour say nothing any more, nor do requests to
    /// them.
    static let forgetLeases = Statement(
        "forget_leases",
        """
        DELETE FROM amity_leases
        WHERE (name LIKE 'worker %' OR name LIKE 'drain %')
          AND lease_until < clock_timestamp() - interval '1 hour'
        """,
        commits: true
    )
}
