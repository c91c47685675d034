import Postgres

extension Schema {
    /// Tasks that are made again and again.
    static let schedules = Step(
        name: "schedules",
        isForTasks: true,
        statements: [
            // What is NULL of a task, the type says at each tick. `next_at` is the next tick,
            // `due_at` when the scheduler looks: later after a failure, never while paused.
            Statement(
                "create_amity_schedules",
                """
                CREATE TABLE amity_schedules (
                    name text PRIMARY KEY,
                    cron text NOT NULL,
                    time_zone text NOT NULL,
                    catch_up text NOT NULL,
                    type text NOT NULL,
                    kb_id text,
                    payload jsonb NOT NULL,
                    priority smallint,
                    retry_limit smallint,
                    timeout_seconds integer,
                    unique_key text,
                    tags text[] NOT NULL DEFAULT '{}',
                    next_at timestamptz,
                    due_at timestamptz,
                    last_at timestamptz,
                    last_task uuid,
                    last_error text,
                    paused_by text,
                    paused_at timestamptz,
                    created_by integer,
                    created_at timestamptz NOT NULL,
                    changed_at timestamptz NOT NULL
                )
                """
            ),
            Statement(
                "index_amity_schedules_due",
                """
                CREATE INDEX amity_schedules_due_idx ON amity_schedules (due_at)
                WHERE due_at IS NOT NULL
                """
            ),
        ]
    )
}
