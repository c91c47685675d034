import Postgres

extension Schema {
    /// A row for each dead letter: why it is one, and whose, never its body. Logged: it is what
    /// lists, pages and retention read.
    static let deadLetters = Step(
        name: "dead letters",
        statements: [
            Statement(
                "create_amity_dead_letters",
                """
                CREATE TABLE amity_dead_letters (
                    id text PRIMARY KEY,
                    queue text NOT NULL,
                    code text NOT NULL,
                    reason text NOT NULL,
                    attempts integer NOT NULL,
                    replays integer NOT NULL,
                    first_failure_at timestamptz,
                    last_failure_at timestamptz,
                    worker text NOT NULL,
                    body_bytes bigint NOT NULL,
                    body_sha256 text NOT NULL,
                    headers jsonb NOT NULL,
                    conversation_id text,
                    user_id text,
                    message_id text,
                    copies integer NOT NULL,
                    dead_at timestamptz NOT NULL DEFAULT now(),
                    settled_at timestamptz,
                    settled_how text CHECK (settled_how IN ('replayed', 'purged', 'gone'))
                )
                """
            ),
            // What is listed and counted are those that wait, by age and by code.
            Statement(
                "index_amity_dead_letters_waiting",
                "CREATE INDEX ON amity_dead_letters (queue, dead_at) WHERE settled_at IS NULL"
            ),
            Statement(
                "index_amity_dead_letters_code",
                "CREATE INDEX ON amity_dead_letters (queue, code, dead_at) WHERE settled_at IS NULL"
            ),
            Statement(
                "index_amity_dead_letters_conversation",
                "CREATE INDEX ON amity_dead_letters (conversation_id)"
            ),
            Statement(
                "index_amity_dead_letters_user",
                "CREATE INDEX ON amity_dead_letters (user_id)"
            ),
            Statement(
                "index_amity_dead_letters_settled",
                "CREATE INDEX ON amity_dead_letters (settled_at) WHERE settled_at IS NOT NULL"
            ),
        ]
    )
}
