-- Tables of the benchmark workload. The *_seed table keeps the untouched
-- starting state; reset.sql copies it back before every run.
DROP TABLE IF EXISTS conversation_events, conversation_events_seed,
                     friendship_status, agenda_agent_prompting CASCADE;

CREATE TABLE conversation_events (
    id                        bigserial PRIMARY KEY,
    conversation_id           varchar(255) NOT NULL UNIQUE,
    user_id                   varchar(255) NOT NULL,
    bot_type                  varchar(50)  NOT NULL,
    bot_id                    varchar(255) NOT NULL,
    bot_name                  varchar(255) NOT NULL,
    agent_tag                 varchar(255),
    start_time                timestamptz  NOT NULL,
    end_time                  timestamptz  NOT NULL,
    conversation_log          jsonb        NOT NULL,
    status                    varchar(50)  NOT NULL DEFAULT 'PENDING',
    attempt_count             int          NOT NULL DEFAULT 0,
    created_at                timestamptz  NOT NULL DEFAULT now(),
    next_attempt_at           timestamptz  NOT NULL DEFAULT now(),
    processed_at              timestamptz,
    error_code                varchar(50),
    error_details             text,
    friendship_score_change   float8,
    new_friendship_level      varchar(50),
    score_calculation_details jsonb,
    updated_at                timestamptz  NOT NULL DEFAULT now()
);
CREATE INDEX ON conversation_events (status);
CREATE INDEX ON conversation_events (next_attempt_at);
CREATE INDEX ON conversation_events (user_id);

CREATE TABLE friendship_status (
    user_id               varchar(255) PRIMARY KEY,
    friendship_score      float8       NOT NULL DEFAULT 0,
    friendship_level      varchar(50)  NOT NULL DEFAULT 'PHASE1_STRANGER',
    last_interaction_date timestamptz,
    streak_day            int          NOT NULL DEFAULT 0,
    topic_metrics         jsonb        NOT NULL DEFAULT '{}',
    created_at            timestamptz  NOT NULL DEFAULT now(),
    updated_at            timestamptz  NOT NULL DEFAULT now()
);

-- read by workers that look the topic up, as the Python service does
CREATE TABLE agenda_agent_prompting (
    id               serial PRIMARY KEY,
    topic_id         varchar(255) NOT NULL,
    agent_id         varchar(255) NOT NULL,
    talking_agenda   text         NOT NULL,
    friendship_level varchar(50)  NOT NULL,
    agent_type       varchar(50)  NOT NULL
);
CREATE INDEX ON agenda_agent_prompting (agent_id);
INSERT INTO agenda_agent_prompting
    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
SELECT 'movie', 'talk_movie', 'Talk about movies.', l, 'TALK'
FROM unnest(ARRAY['PHASE1_STRANGER','PHASE2_ACQUAINTANCE','PHASE3_FRIEND']) l;

CREATE TABLE conversation_events_seed (LIKE conversation_events INCLUDING DEFAULTS);
