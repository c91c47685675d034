import Postgres

extension Schema {
    /// Tasks that need others, and tasks that belong together.
    static let needs = Step(
        name: "needs and batches",
        isForTasks: true,
        statements: [
            // Kept as long as both tasks are.
            Statement(
                "create_amity_task_needs",
                """
                CREATE TABLE amity_task_needs (
                    task uuid NOT NULL,
                    needs uuid NOT NULL,
                    must_succeed boolean NOT NULL,
                    PRIMARY KEY (task, needs)
                )
                """
            ),
            Statement(
                "index_amity_task_needs_needs",
                "CREATE INDEX amity_task_needs_needs_idx ON amity_task_needs (needs)"
            ),
            // Open until `closed_at`; when the last member has ended, `finished_at` is set. The
            // scheduler looks at `due_at`.
            Statement(
                "create_amity_batches",
                """
                CREATE TABLE amity_batches (
                    id uuid PRIMARY KEY,
                    kb_id text,
                    created_by integer,
                    created_at timestamptz NOT NULL,
                    open_until timestamptz,
                    closed_at timestamptz,
                    cancelled_at timestamptz,
                    finished_at timestamptz,
                    due_at timestamptz NOT NULL
                ) WITH (
                    fillfactor = 85,
                    autovacuum_vacuum_scale_factor = 0.02,
                    autovacuum_vacuum_cost_delay = 0
                )
                """
            ),
            Statement(
                "index_amity_batches_due",
                """
                CREATE INDEX amity_batches_due_idx ON amity_batches (due_at)
                WHERE finished_at IS NULL
                """
            ),
            Statement(
                "index_amity_batches_finished",
                """
                CREATE INDEX amity_batches_finished_idx ON amity_batches (finished_at)
                WHERE finished_at IS NOT NULL
                """
            ),
            Statement(
                "index_amity_batches_kb",
                "CREATE INDEX amity_batches_kb_idx ON amity_batches (kb_id, id)"
            ),
            Statement(
                "index_amity_tasks_blocked",
                "CREATE INDEX amity_tasks_blocked_idx ON amity_tasks (due_at) WHERE state = 1"
            ),
            Statement(
                "index_amity_tasks_living_members",
                """
                CREATE INDEX amity_tasks_living_members_idx ON amity_tasks (batch_id)
                WHERE batch_id IS NOT NULL AND state < 5
                """
            ),
        ]
    )

    /// How many tasks of a type, or of a key of it, may begin.
    static let limits = Step(
        name: "limits",
        isForTasks: true,
        statements: [
            // What an operator sets. `rate` in starts a second, with `burst`; `cap` at a time.
            Statement(
                "create_amity_limits",
                """
                CREATE TABLE amity_limits (
                    type text PRIMARY KEY,
                    limited_by text NOT NULL,
                    rate float8,
                    burst integer,
                    cap integer,
                    is_strict boolean NOT NULL
                )
                """
            ),
            // What is left of a key's bucket, and how many of its tasks were queued when that was
            // counted. Written at each admission: half of a page is free.
            Statement(
                "create_amity_limit_keys",
                """
                CREATE TABLE amity_limit_keys (
                    key text PRIMARY KEY,
                    type text NOT NULL,
                    tokens float8 NOT NULL,
                    queued integer NOT NULL DEFAULT 0,
                    refilled_at timestamptz NOT NULL
                ) WITH (
                    fillfactor = 50,
                    autovacuum_vacuum_scale_factor = 0.02,
                    autovacuum_vacuum_cost_delay = 0
                )
                """
            ),
            Statement(
                "index_amity_limit_keys_queued",
                """
                CREATE INDEX amity_limit_keys_queued_idx ON amity_limit_keys (refilled_at)
                WHERE queued > 0
                """
            ),
            // Of a type, a key or a pool: see `PauseSubject`.
            Statement(
                "create_amity_pauses",
                """
                CREATE TABLE amity_pauses (
                    subject text PRIMARY KEY,
                    paused_by text NOT NULL,
                    paused_at timestamptz NOT NULL
                )
                """
            ),
            // `IS TRUE`: a statement that says so can use no index of all that waits or runs.
            Statement(
                "index_amity_tasks_limit_waiting",
                """
                CREATE INDEX amity_tasks_limit_waiting_idx
                ON amity_tasks (limit_key, priority, id) WHERE (state = 2) IS TRUE
                """
            ),
            Statement(
                "index_amity_tasks_limit_occupied",
                """
                CREATE INDEX amity_tasks_limit_occupied_idx ON amity_tasks (limit_key, state)
                WHERE limit_key IS NOT NULL AND (state IN (3, 4)) IS TRUE
                """
            ),
            Statement(
                "index_amity_tasks_limit_begun",
                """
                CREATE INDEX amity_tasks_limit_begun_idx ON amity_tasks (limit_key)
                WHERE limit_key IS NOT NULL AND started_at IS NOT NULL AND state < 5
                """
            ),
        ]
    )
}
