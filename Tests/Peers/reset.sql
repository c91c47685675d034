TRUNCATE conversation_events, friendship_status;
INSERT INTO conversation_events (id, conversation_id, user_id, bot_type, bot_id, bot_name,
    agent_tag, start_time, end_time, conversation_log, status, attempt_count, created_at,
    next_attempt_at, updated_at)
SELECT id, conversation_id, user_id, bot_type, bot_id, bot_name, agent_tag, start_time, end_time,
    conversation_log, status, attempt_count, created_at, next_attempt_at, updated_at
FROM conversation_events_seed;
VACUUM ANALYZE conversation_events;
VACUUM ANALYZE friendship_status;
CHECKPOINT;
