import Postgres

enum ScheduleSQL {
    static let clock = Statement(
        "schedule_clock",
        "SELECT extract(epoch FROM clock_timestamp())::float8"
    )

    static func parameters(_ definition: ScheduleDefinition) -> [Parameter] {
        [
            .text(definition.name), .text(definition.cron), .text(definition.timeZone),
            .text(definition.catchUp.rawValue), .text(definition.type),
            .optional(definition.kbID), .text(definition.payload),
            .optional(definition.priority?.rawValue), .optional(definition.retryLimit),
            .optional(definition.timeout), .optional(definition.uniqueKey),
            .textArray(definition.tags),
        ]
    }

    /// $1 to $12: `parameters`; $13: the next tick; $14: the token; $15: the kb of who asks, or
    /// NULL. No row where another kb has the name.
    static let apply = Statement(
        "apply_schedule",
        """
        INSERT INTO amity_schedules AS known (name, cron, time_zone, catch_up, type, kb_id,
            payload, priority, retry_limit, timeout_seconds, unique_key, tags, next_at, due_at,
            created_by, created_at, changed_at)
        SELECT $1, $2, $3, $4, $5, $6, $7::jsonb, $8::int, $9::int, $10::int, $11, $12::text[],
            to_timestamp($13::float8), to_timestamp($13::float8), nullif($14::int, 0), now, now
        FROM (SELECT clock_timestamp() AS now) AS clock
        ON CONFLICT (name) DO UPDATE
            SET cron = excluded.cron, time_zone = excluded.time_zone, catch_up = excluded.catch_up,
                type = excluded.type, kb_id = excluded.kb_id, payload = excluded.payload,
                priority = excluded.priority, retry_limit = excluded.retry_limit,
                timeout_seconds = excluded.timeout_seconds, unique_key = excluded.unique_key,
                tags = excluded.tags, changed_at = excluded.changed_at, last_error = NULL,
                next_at = \(next),
                due_at = CASE WHEN known.paused_at IS NULL THEN \(next) END
            WHERE $15::text IS NULL OR known.kb_id = $15
        RETURNING \(Schedule.columns)
        """
    )

    /// An outage that nothing has caught up with is not forgotten when a file is applied again.
    private static let next = """
        CASE WHEN known.cron = excluded.cron AND known.time_zone = excluded.time_zone
            THEN known.next_at ELSE excluded.next_at END
        """

    /// $1: kb, or NULL; $2: the name before; $3: the most rows.
    static let list = Statement(
        "list_schedules",
        """
        SELECT \(Schedule.columns) FROM amity_schedules
        WHERE ($1::text IS NULL OR kb_id = $1) AND name > $2
        ORDER BY name LIMIT $3::int
        """
    )

    /// The same without payloads, and with what became of the last task, while its row is there.
    /// $1: the name before; $2: the most rows.
    static let facts = Statement(
        "list_schedule_facts",
        """
        SELECT \(Schedule.factColumns),
            (SELECT state FROM amity_tasks AS task WHERE task.id = schedule.last_task)
        FROM amity_schedules AS schedule WHERE name > $1 ORDER BY name LIMIT $2::int
        """
    )

    /// $1: name; $2: kb, or NULL; so with the next ones.
    private static let named = "name = $1 AND ($2::text IS NULL OR kb_id = $2)"

    static let get = Statement(
        "get_schedule",
        "SELECT \(Schedule.columns) FROM amity_schedules WHERE \(named)"
    )

    static let lock = Statement(
        "lock_schedule",
        """
        SELECT \(Schedule.columns), extract(epoch FROM clock_timestamp())::float8
        FROM amity_schedules WHERE \(named) FOR UPDATE
        """
    )

    static let delete = Statement(
        "delete_schedule",
        "DELETE FROM amity_schedules WHERE \(named) RETURNING \(Schedule.columns)",
        commits: true
    )

    /// $3: by whom; NULL for the role.
    static let pause = Statement(
        "pause_schedule",
        """
        UPDATE amity_schedules
        SET paused_by = coalesce(paused_by, $3, session_user),
            paused_at = coalesce(paused_at, clock_timestamp()), due_at = NULL
        WHERE \(named) RETURNING \(Schedule.columns)
        """,
        commits: true
    )

    /// $1: name; $2: the next tick.
    static let resume = Statement(
        "resume_schedule",
        """
        UPDATE amity_schedules
        SET paused_by = NULL, paused_at = NULL, last_error = NULL,
            next_at = to_timestamp($2::float8), due_at = to_timestamp($2::float8)
        WHERE name = $1 RETURNING \(Schedule.columns)
        """
    )

    // MARK: Ticks

    /// $1: now, or NULL for the database's clock; $2: the most rows; $3: the only one, or NULL.
    private static let dueRows = """
        FROM amity_schedules
        WHERE due_at <= (SELECT coalesce(to_timestamp($1::float8), clock_timestamp()))
          AND ($3::text IS NULL OR name = $3)
        ORDER BY due_at LIMIT $2::int
        """

    static let anyDue = Statement("any_due_schedule", "SELECT name \(dueRows)")

    static let lockDue = Statement(
        "lock_due_schedules",
        """
        SELECT \(Schedule.columns),
            extract(epoch FROM coalesce(to_timestamp($1::float8), clock_timestamp()))::float8
        \(dueRows)
        FOR UPDATE SKIP LOCKED
        """
    )

    /// $1 to $5: names, next ticks, last ticks, last tasks, errors; $6: seconds until one with an
    /// error is looked at again; $7: now, or NULL.
    static let ticked = Statement(
        "schedules_ticked",
        """
        UPDATE amity_schedules AS known
        SET next_at = to_timestamp(new.next_at::float8),
            due_at = CASE WHEN error IS NULL THEN to_timestamp(new.next_at::float8)
                ELSE coalesce(to_timestamp($7::float8), clock_timestamp())
                    + make_interval(secs => $6::float8) END,
            last_at = coalesce(to_timestamp(new.last_at::float8), known.last_at),
            last_task = coalesce(new.last_task::uuid, known.last_task),
            last_error = error
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
            AS new (name, next_at, last_at, last_task, error)
        WHERE known.name = new.name
        """
    )

    /// $1: name; $2: error; $3: seconds until it is looked at again; $4: now, or NULL.
    static let putOff = Statement(
        "put_schedule_off",
        """
        UPDATE amity_schedules
        SET last_error = $2, due_at = coalesce(to_timestamp($4::float8), clock_timestamp())
            + make_interval(secs => $3::float8)
        WHERE name = $1 AND due_at IS NOT NULL
        """,
        commits: true
    )
}
