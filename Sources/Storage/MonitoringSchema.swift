import Postgres

extension Schema {
    /// What workers tell of themselves and of their queue. Unlogged: after a crash of the database
    /// they tell it again within seconds, and what was lost were figures of an hour.
    static let monitoring = Step(
        name: "registry and monitor",
        statements: [
            // Half of each page is free, so that a heartbeat stays on its page (HOT).
            Statement(
                "create_amity_workers",
                """
                CREATE UNLOGGED TABLE amity_workers (
                    boot_id text PRIMARY KEY,
                    host text NOT NULL,
                    pid integer NOT NULL,
                    version text NOT NULL,
                    queue text NOT NULL,
                    settings jsonb NOT NULL,
                    started_at timestamptz NOT NULL,
                    heartbeat_at timestamptz NOT NULL DEFAULT now(),
                    state text NOT NULL,
                    reasons text[] NOT NULL,
                    done bigint NOT NULL,
                    duplicates bigint NOT NULL,
                    retried bigint NOT NULL,
                    dead bigint NOT NULL,
                    interrupted bigint NOT NULL,
                    reconnects bigint NOT NULL,
                    busy_threads integer NOT NULL,
                    in_flight integer NOT NULL,
                    resident_bytes bigint NOT NULL,
                    last_delivery_at timestamptz,
                    failures jsonb NOT NULL
                ) WITH (fillfactor = 50)
                """
            ),
            Statement(
                "create_amity_worker_samples",
                """
                CREATE UNLOGGED TABLE amity_worker_samples (
                    taken_at timestamptz NOT NULL DEFAULT now(),
                    boot_id text NOT NULL,
                    queue text NOT NULL,
                    done integer NOT NULL,
                    retried integer NOT NULL,
                    dead integer NOT NULL,
                    acked integer NOT NULL,
                    ack_seconds_p50 float8,
                    ack_seconds_p99 float8,
                    PRIMARY KEY (taken_at, boot_id)
                )
                """
            ),
            Statement(
                "create_amity_queues",
                """
                CREATE UNLOGGED TABLE amity_queues (
                    queue text PRIMARY KEY,
                    leader text NOT NULL,
                    lease_until timestamptz NOT NULL,
                    watch jsonb,
                    stats jsonb
                ) WITH (fillfactor = 50)
                """
            ),
            Statement(
                "create_amity_queue_samples",
                """
                CREATE UNLOGGED TABLE amity_queue_samples (
                    taken_at timestamptz NOT NULL DEFAULT now(),
                    queue text NOT NULL,
                    ready integer,
                    oldest_age_seconds float8,
                    retrying integer,
                    dead_letters integer,
                    PRIMARY KEY (taken_at, queue)
                )
                """
            ),
        ]
    )

    /// Why a worker is as it is: the problems of its links, and who paused it.
    static let causes = Step(
        name: "causes in the registry",
        statements: [
            Statement(
                "add_causes_to_amity_workers",
                """
                ALTER TABLE amity_workers
                    ADD COLUMN IF NOT EXISTS problems jsonb NOT NULL DEFAULT '[]',
                    ADD COLUMN IF NOT EXISTS paused jsonb
                """
            )
        ]
    )
}
