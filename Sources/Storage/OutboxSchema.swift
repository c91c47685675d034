import Postgres

extension Schema {
    /// Messages that are to be published after the commit that they stand for. Logged: a row is all
    /// that is left of a message whose process died.
    static let outbox = Step(
        name: "outbox",
        statements: [
            Statement(
                "create_amity_outbox",
                """
                CREATE TABLE amity_outbox (
                    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    due_at timestamptz NOT NULL,
                    exchange text NOT NULL,
                    routing_key text NOT NULL,
                    headers jsonb,
                    body text,
                    conversation_id text
                ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)
                """
            ),
            Statement("index_amity_outbox_due", "CREATE INDEX ON amity_outbox (due_at)"),
        ]
    )
}
