-- The least a worker's role needs, for a role that exists already:
--
--     psql "$DATABASE_URL" -v role=amity_worker -f deploy/grants.sql
--
-- Run it as the owner of the tables, after `amity migrate`. The role creates nothing. With
-- `-v tasks=1` the role may also take, run and make tasks.
GRANT SELECT, UPDATE ON conversation_events TO :"role";
GRANT SELECT, INSERT, UPDATE ON friendship_status TO :"role";
GRANT SELECT ON agenda_agent_prompting TO :"role";
-- What is Amity's own, where `amity migrate` has been.
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', own, :'role')
FROM unnest(ARRAY['amity_in_hand', 'amity_crashes', 'amity_workers', 'amity_worker_samples',
                  'amity_queues', 'amity_queue_samples', 'amity_analyses', 'amity_dead_letters',
                  'amity_outbox'])
    AS own
WHERE to_regclass(own) IS NOT NULL \gexec
-- For a role that takes conversations over HTTP, too: with -v intake=1.
\if :{?intake}
GRANT INSERT ON conversation_events TO :"role";
SELECT format('GRANT USAGE ON SEQUENCE %s TO %I', made, :'role')
FROM pg_get_serial_sequence('conversation_events', 'id') AS made
WHERE made IS NOT NULL \gexec
\endif
\if :{?tasks}
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', own, :'role')
FROM unnest(ARRAY['amity_tasks', 'amity_task_data', 'amity_requests', 'amity_leases',
                  'amity_task_needs', 'amity_batches', 'amity_limit_keys', 'amity_pauses',
                  'amity_documents', 'amity_chunks', 'amity_schedules',
                  'amity_disabled_callbacks', 'amity_locks'])
    AS own
WHERE to_regclass(own) IS NOT NULL \gexec
-- Types and tokens are what an operator sets.
SELECT format('GRANT SELECT ON %s TO %I', own, :'role')
FROM unnest(ARRAY['amity_task_types', 'amity_limits', 'amity_tokens']) AS own
WHERE to_regclass(own) IS NOT NULL \gexec
\endif
