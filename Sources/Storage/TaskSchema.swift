import Postgres

extension Schema {
    /// Tasks, and who may make and run them.
    static let tasks = Step(
        name: "tasks",
        isForTasks: true,
        statements: [uuid7] + taskTables + taskIndexes
    )

    /// A UUID of version 7 for an instant: 48 bits of milliseconds, 12 of their fraction, 62 random
    /// ones. So ids are in the order of their instants, to a microsecond.
    ///
    /// All versions of PostgreSQL from 12 on can run it; `sha256` is there also where a policy
    /// forbids MD5. The random bits tell ids apart; they are no secret.
    private static let uuid7 = Statement(
        "create_amity_uuid7",
        """
        CREATE FUNCTION amity_uuid7(instant timestamptz) RETURNS uuid
        LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
            SELECT encode(
                substring(int8send(micros / 1000) FROM 3 FOR 6)
                || substring(int8send(28672 + micros % 1000 * 4096 / 1000) FROM 7 FOR 2)
                || set_byte(random, 0, get_byte(random, 0) & 63 | 128), 'hex')::uuid
            FROM (
                SELECT round(extract(epoch FROM instant) * 1000000)::bigint AS micros,
                    substring(sha256(convert_to(random()::text || random()::text
                        || clock_timestamp()::text || pg_backend_pid()::text, 'UTF8'))
                        FROM 1 FOR 8) AS random
                OFFSET 0) AS parts
        $$
        """
    )

    private static let taskTables = [
        // Narrow and hot. Some room in each page, so that one more version of a row finds a place
        // near; dead rows are removed early and without pauses.
        Statement(
            "create_amity_tasks",
            """
            CREATE TABLE amity_tasks (
                id uuid PRIMARY KEY,
                type text NOT NULL,
                pool text NOT NULL,
                priority smallint NOT NULL,
                state smallint NOT NULL,
                due_at timestamptz,
                run integer NOT NULL DEFAULT 1,
                attempts smallint NOT NULL DEFAULT 0,
                max_attempts smallint NOT NULL,
                crashes smallint NOT NULL DEFAULT 0,
                worker uuid,
                cancel_at timestamptz,
                deadline timestamptz,
                progress smallint,
                kb_id text,
                batch_id uuid,
                limit_key text,
                unique_key text,
                created_by integer,
                created_at timestamptz NOT NULL,
                started_at timestamptz,
                finished_at timestamptz
            ) WITH (
                fillfactor = 85,
                autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_cost_delay = 0
            )
            """
        ),
        // What a run needs once and a list never.
        Statement(
            "create_amity_task_data",
            """
            CREATE TABLE amity_task_data (
                id uuid PRIMARY KEY,
                payload jsonb NOT NULL,
                timeout_seconds integer NOT NULL,
                tags jsonb,
                callback jsonb,
                result jsonb,
                errors jsonb,
                note text,
                run_token bytea
            ) WITH (
                autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_cost_delay = 0
            )
            """
        ),
        Statement(
            "create_amity_task_types",
            """
            CREATE TABLE amity_task_types (
                type text PRIMARY KEY,
                pool text NOT NULL,
                priority smallint NOT NULL,
                handler jsonb NOT NULL,
                timeout_seconds integer NOT NULL,
                retry_limit smallint NOT NULL,
                changed_at timestamptz NOT NULL DEFAULT now()
            )
            """
        ),
        // Answers to requests with an idempotency key. Token 0: none, or API_TOKEN.
        Statement(
            "create_amity_requests",
            """
            CREATE TABLE amity_requests (
                token integer NOT NULL,
                key text NOT NULL,
                digest bytea NOT NULL,
                answer jsonb,
                created_at timestamptz NOT NULL,
                PRIMARY KEY (token, key)
            ) WITH (autovacuum_vacuum_scale_factor = 0.02)
            """
        ),
        // Logged: were it empty after a crash of the database, all workers would count as lost.
        // Half of each page is free, so that a renewal stays on its page (HOT).
        Statement(
            "create_amity_leases",
            """
            CREATE TABLE amity_leases (
                name text PRIMARY KEY,
                holder uuid NOT NULL,
                renewed_at timestamptz NOT NULL,
                lease_until timestamptz NOT NULL,
                facts jsonb
            ) WITH (fillfactor = 50, autovacuum_vacuum_cost_delay = 0)
            """
        ),
        // What a client shows is kept as its SHA-256 only.
        Statement(
            "create_amity_tokens",
            """
            CREATE TABLE amity_tokens (
                id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                name text NOT NULL,
                digest bytea NOT NULL,
                scopes text[] NOT NULL,
                kb_id text,
                created_at timestamptz NOT NULL DEFAULT now(),
                revoked_at timestamptz
            )
            """
        ),
    ]

    /// The states by number, as `TaskState` has them: 1 to 4 are blocked, waiting, queued and
    /// processing; from 5 on they are final.
    private static let taskIndexes =
        [
            ("due", "INDEX", "(priority, due_at) WHERE due_at IS NOT NULL"),
            ("deadline", "INDEX", "(deadline) WHERE deadline IS NOT NULL AND state < 4"),
            ("worker", "INDEX", "(worker) WHERE state = 4"),
            ("pool", "INDEX", "(pool, priority) WHERE state IN (2, 3, 4)"),
            ("kb", "INDEX", "(kb_id, id)"),
            ("failed", "INDEX", "(id) WHERE state IN (6, 7)"),
            ("finished", "INDEX", "(finished_at) WHERE state >= 5"),
            ("batch", "INDEX", "(batch_id, id) WHERE batch_id IS NOT NULL"),
            (
                "unique", "UNIQUE INDEX",
                "(coalesce(kb_id, ''), type, unique_key) WHERE unique_key IS NOT NULL AND state < 5"
            ),
        ].map { name, kind, rest in
            Statement(
                "index_amity_tasks_\(name)",
                "CREATE \(kind) amity_tasks_\(name)_idx ON amity_tasks \(rest)"
            )
        } + [
            Statement(
                "index_amity_requests_created_at",
                "CREATE INDEX ON amity_requests (created_at)"
            ),
            Statement(
                "index_amity_tokens_digest",
                "CREATE UNIQUE INDEX amity_tokens_digest_idx ON amity_tokens (digest)"
            ),
        ]
}
