-- The tables as an older installation of the Python service has them, with its indexes: timestamps
-- without a zone in the events, with one in the friendships. The tests try all mixtures.
CREATE TABLE conversation_events (
    id serial PRIMARY KEY,
    conversation_id varchar(255) NOT NULL UNIQUE,
    user_id varchar(255) NOT NULL,
    bot_type varchar(50) NOT NULL,
    bot_id varchar(255) NOT NULL,
    bot_name varchar(255) NOT NULL,
    start_time timestamp NOT NULL,
    end_time timestamp NOT NULL,
    duration_seconds integer
        GENERATED ALWAYS AS (extract(epoch FROM (end_time - start_time))::integer) STORED,
    conversation_log jsonb NOT NULL DEFAULT '[]',
    raw_conversation_log jsonb DEFAULT NULL,
    status varchar(50) NOT NULL DEFAULT 'PENDING'
        CHECK (status IN ('PENDING', 'PROCESSING', 'PROCESSED', 'FAILED', 'SKIPPED')),
    attempt_count integer NOT NULL DEFAULT 0,
    created_at timestamp NOT NULL DEFAULT current_timestamp,
    next_attempt_at timestamp NOT NULL DEFAULT current_timestamp + interval '6 hours',
    processed_at timestamp,
    error_code varchar(50),
    error_details text,
    friendship_score_change float,
    new_friendship_level varchar(50),
    updated_at timestamp NOT NULL DEFAULT current_timestamp,
    agent_tag varchar(255) NULL,
    score_calculation_details jsonb DEFAULT NULL
);
CREATE INDEX ON conversation_events (status);
CREATE INDEX ON conversation_events (next_attempt_at);
CREATE INDEX ON conversation_events (user_id);
CREATE INDEX ON conversation_events (created_at);
CREATE INDEX ON conversation_events (bot_type);
CREATE INDEX ON conversation_events (bot_id);
CREATE INDEX ON conversation_events (status, next_attempt_at);
CREATE INDEX ON conversation_events USING gin (conversation_log);
CREATE INDEX ON conversation_events USING gin (raw_conversation_log);
CREATE TABLE friendship_status (
    user_id varchar(255) PRIMARY KEY,
    friendship_score float DEFAULT 0.0 NOT NULL,
    friendship_level varchar(50) DEFAULT 'PHASE1_STRANGER' NOT NULL,
    last_interaction_date timestamptz,
    streak_day integer DEFAULT 0 NOT NULL,
    topic_metrics jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_emotion varchar(50),
    last_followup_topic varchar(255),
    created_at timestamptz DEFAULT current_timestamp,
    updated_at timestamptz DEFAULT current_timestamp
);
CREATE INDEX ON friendship_status (friendship_score);
CREATE INDEX ON friendship_status (friendship_level);
CREATE INDEX ON friendship_status (updated_at DESC);
CREATE TABLE agenda_agent_prompting (
    id serial PRIMARY KEY,
    topic_id varchar(255) NOT NULL,
    agent_id varchar(255) NOT NULL,
    talking_agenda text NOT NULL,
    friendship_level varchar(50) NOT NULL,
    agent_type varchar(50) NOT NULL,
    UNIQUE (topic_id, friendship_level, agent_type)
);
