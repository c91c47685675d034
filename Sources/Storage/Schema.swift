import Postgres

/// The contract's tables as a fresh database gets them, and the steps that add what is Amity's own.
///
/// Compared with older installations: `friendship_status` leaves half of each page free and has no
/// index on what every score changes, so that updates stay on their page (HOT); the logs have no
/// GIN index, which would cost half the throughput; long logs leave the row early, so that a status
/// update does not rewrite them.
package enum Schema {
    package struct Table {
        package let name: String
        /// What Amity reads or writes in a table that another program made.
        package let columns: [String]
        let definition: [Statement]
    }

    /// Something of Amity's own, applied once. Steps are only ever added at the end. `SchemaObject`
    /// reads from each statement what it makes, so that what is lost can be made again.
    struct Step {
        let name: String
        /// Whether only processes that take or make tasks use it.
        var isForTasks = false
        let statements: [Statement]
    }

    package static let ledgerName = "amity_migrations"

    /// Which steps have been applied.
    static let ledger = Statement(
        "create_amity_migrations",
        """
        CREATE TABLE amity_migrations (
            name text PRIMARY KEY,
            version text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )

    static let steps = [
        Step(
            name: "crash attribution",
            statements: [
                // Unlogged: it must outlive a worker, not the database, and is written for every
                // batch that comes again.
                Statement(
                    "create_amity_in_hand",
                    """
                    CREATE UNLOGGED TABLE amity_in_hand (
                        process text NOT NULL,
                        thread integer NOT NULL,
                        keys text[] NOT NULL,
                        taken_at timestamptz NOT NULL DEFAULT now(),
                        PRIMARY KEY (process, thread)
                    )
                    """
                ),
                Statement(
                    "create_amity_crashes",
                    """
                    CREATE TABLE amity_crashes (
                        key text PRIMARY KEY,
                        crashes integer NOT NULL,
                        charged_at timestamptz NOT NULL DEFAULT now()
                    )
                    """
                ),
            ]
        ),
        monitoring,
        Step(
            name: "analyses",
            statements: [
                // What services were paid for, until its conversation is settled. No text of a
                // conversation.
                Statement(
                    "create_amity_analyses",
                    """
                    CREATE TABLE amity_analyses (
                        conversation_id text PRIMARY KEY,
                        questions integer,
                        emotion text,
                        model text,
                        memories integer,
                        created_at timestamptz NOT NULL DEFAULT now()
                    )
                    """
                )
            ]
        ),
        causes,
        deadLetters,
        outbox,
        tasks,
        documents,
        needs,
        limits,
        schedules,
        callbacks,
        events,
    ]

    package static let tables = [conversationEvents, friendshipStatus, agendaAgentPrompting]

    private static let conversationEvents = Table(
        name: "conversation_events",
        columns: [
            "id", "conversation_id", "user_id", "bot_type", "bot_id", "agent_tag",
            "conversation_log", "status", "created_at",
            "attempt_count", "next_attempt_at", "processed_at", "error_code", "error_details",
            "friendship_score_change", "new_friendship_level", "score_calculation_details",
            "updated_at",
        ],
        definition: [
            Statement(
                "create_conversation_events",
                """
                CREATE TABLE conversation_events (
                    id serial PRIMARY KEY,
                    conversation_id varchar(255) NOT NULL UNIQUE,
                    user_id varchar(255) NOT NULL,
                    bot_type varchar(50) NOT NULL,
                    bot_id varchar(255) NOT NULL,
                    bot_name varchar(255) NOT NULL,
                    agent_tag varchar(255),
                    start_time timestamptz NOT NULL,
                    end_time timestamptz NOT NULL,
                    duration_seconds integer
                        GENERATED ALWAYS AS (extract(epoch FROM (end_time - start_time))::integer)
                        STORED,
                    conversation_log jsonb NOT NULL DEFAULT '[]',
                    raw_conversation_log jsonb,
                    status varchar(50) NOT NULL DEFAULT 'PENDING' CHECK (status IN
                        ('PENDING', 'PROCESSING', 'PROCESSED', 'FAILED', 'SKIPPED')),
                    attempt_count integer NOT NULL DEFAULT 0,
                    created_at timestamptz NOT NULL DEFAULT now(),
                    next_attempt_at timestamptz NOT NULL DEFAULT now() + interval '6 hours',
                    processed_at timestamptz,
                    error_code varchar(50),
                    error_details text,
                    friendship_score_change float8,
                    new_friendship_level varchar(50),
                    score_calculation_details jsonb,
                    updated_at timestamptz NOT NULL DEFAULT now()
                ) WITH (toast_tuple_target = 256)
                """
            ),
            Statement(
                "index_conversation_events_user_id",
                "CREATE INDEX ON conversation_events (user_id)"
            ),
            Statement(
                "index_conversation_events_due",
                """
                CREATE INDEX ON conversation_events (next_attempt_at)
                WHERE status IN ('PENDING', 'PROCESSING', 'FAILED')
                """
            ),
        ]
    )

    private static let friendshipStatus = Table(
        name: "friendship_status",
        columns: [
            "user_id", "friendship_score", "friendship_level", "last_interaction_date",
            "topic_metrics", "updated_at",
        ],
        definition: [
            Statement(
                "create_friendship_status",
                """
                CREATE TABLE friendship_status (
                    user_id varchar(255) PRIMARY KEY,
                    friendship_score float8 NOT NULL DEFAULT 0 CHECK (friendship_score >= 0),
                    friendship_level varchar(50) NOT NULL DEFAULT 'PHASE1_STRANGER',
                    last_interaction_date timestamptz,
                    streak_day integer NOT NULL DEFAULT 0,
                    topic_metrics jsonb NOT NULL DEFAULT '{}',
                    last_emotion varchar(50),
                    last_followup_topic varchar(255),
                    created_at timestamptz DEFAULT now(),
                    updated_at timestamptz DEFAULT now()
                ) WITH (fillfactor = 50)
                """
            )
        ]
    )

    private static let agendaAgentPrompting = Table(
        name: "agenda_agent_prompting",
        columns: ["id", "topic_id", "agent_id", "friendship_level"],
        definition: [
            Statement(
                "create_agenda_agent_prompting",
                """
                CREATE TABLE agenda_agent_prompting (
                    id serial PRIMARY KEY,
                    topic_id varchar(255) NOT NULL,
                    agent_id varchar(255) NOT NULL,
                    talking_agenda text NOT NULL,
                    friendship_level varchar(50) NOT NULL,
                    agent_type varchar(50) NOT NULL,
                    UNIQUE (topic_id, friendship_level, agent_type)
                )
                """
            )
        ]
    )
}
