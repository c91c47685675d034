import Postgres

extension Schema {
    /// Who is told of ends, and locks for clients.
    static let callbacks = Step(
        name: "callbacks and locks",
        isForTasks: true,
        statements: [
            Statement(
                "add_amity_batches_callback",
                "ALTER TABLE amity_batches ADD COLUMN callback jsonb"
            ),
            // Its URL without the query; `id` is a digest of all of it.
            Statement(
                "create_amity_disabled_callbacks",
                """
                CREATE TABLE amity_disabled_callbacks (
                    id text PRIMARY KEY,
                    url text NOT NULL,
                    task uuid NOT NULL,
                    disabled_at timestamptz NOT NULL
                )
                """
            ),
            // A row stays for a day after it was given up: the next holder's token must be larger.
            // Renewed in place: half of each page is free.
            Statement(
                "create_amity_locks",
                """
                CREATE TABLE amity_locks (
                    kb_id text NOT NULL,
                    name text NOT NULL,
                    owner text NOT NULL,
                    token bigint GENERATED ALWAYS AS IDENTITY,
                    acquired_at timestamptz NOT NULL,
                    lease_until timestamptz NOT NULL,
                    PRIMARY KEY (kb_id, name)
                ) WITH (fillfactor = 50, autovacuum_vacuum_cost_delay = 0)
                """
            ),
        ]
    )
}
