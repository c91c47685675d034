import Postgres

extension Schema {
    /// Events of tasks. Whatever statement moves a task, of whatever process, the row of the event
    /// is written in the same transaction: none can be forgotten. It is written while the task's
    /// row is locked, so for one task the ids in the outbox are in the order of its changes.
    ///
    /// Only transactions that ask for events write them (`amity.events`): those of processes that
    /// `EVENTS` tells to.
    static let events = Step(
        name: "events",
        isForTasks: true,
        statements: [
            // Ids, states, numbers and codes: no payload, result or message, and no key, for that
            // may be made of a payload. The run of `retried` is the one that failed. Intake never
            // looks at rows of which `due_at` is infinite.
            Statement(
                "create_amity_task_event",
                """
                CREATE FUNCTION amity_task_event() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE
                    what text := CASE
                        WHEN TG_OP = 'INSERT' THEN 'created'
                        WHEN NEW.state = 4 THEN 'started'
                        WHEN NEW.state = 5 THEN 'completed'
                        WHEN NEW.state = 6 THEN 'failed'
                        WHEN NEW.state = 7 THEN 'cancelled'
                        WHEN OLD.state > 4 OR NEW.attempts > OLD.attempts THEN 'retried' END;
                    run integer := CASE what WHEN 'retried' THEN OLD.run ELSE NEW.run END;
                    code text;
                BEGIN
                    IF what IS NULL THEN
                        RETURN NULL;
                    END IF;
                    IF what IN ('retried', 'failed', 'cancelled') AND TG_OP = 'UPDATE' THEN
                        SELECT substring(errors -> -1 ->> 'code' FROM '^[A-Z0-9_]{1,50}$')
                        INTO code FROM amity_task_data
                        WHERE id = NEW.id AND (errors -> -1 ->> 'run')::integer = OLD.run;
                    END IF;
                    INSERT INTO amity_outbox (due_at, exchange, routing_key, headers, body)
                    VALUES (
                        'infinity', 'amity.events', 'task.' || what || '.' || NEW.type,
                        jsonb_build_object(
                            'cloudEvents:id', NEW.id || '.' || run || '.' || what,
                            'cloudEvents:source', '/amity/tasks',
                            'cloudEvents:specversion', '1.0',
                            'cloudEvents:type', 'amity.task.' || what,
                            'cloudEvents:subject', NEW.id,
                            'cloudEvents:time', to_char(clock_timestamp() AT TIME ZONE 'UTC',
                                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
                        json_strip_nulls(json_build_object(
                            'task_id', NEW.id, 'task_type', NEW.type,
                            'status', (ARRAY['scheduled', 'blocked', 'waiting', 'queued',
                                'processing', 'completed', 'failed', 'cancelled'])[NEW.state + 1],
                            'run', run, 'failures', NEW.attempts,
                            'max_attempts', NEW.max_attempts,
                            'pool', NEW.pool, 'priority',
                            (ARRAY['critical', 'high', 'normal', 'low'])[NEW.priority + 1],
                            'kb_id', NEW.kb_id, 'batch_id', NEW.batch_id, 'error_code', code,
                            'seconds', CASE WHEN NEW.state > 4 THEN
                                round(extract(epoch FROM NEW.finished_at - NEW.started_at)::numeric,
                                    3) END))::text);
                    RETURN NULL;
                END $$
                """
            ),
            // The conditions are asked of every row, and cost less than a call.
            Statement(
                "create_amity_task_created",
                """
                CREATE TRIGGER amity_task_created AFTER INSERT ON amity_tasks
                FOR EACH ROW WHEN (current_setting('amity.events', true) = 'tasks')
                EXECUTE FUNCTION amity_task_event()
                """
            ),
            Statement(
                "create_amity_task_moved",
                """
                CREATE TRIGGER amity_task_moved AFTER UPDATE OF state ON amity_tasks
                FOR EACH ROW WHEN (OLD.state <> NEW.state
                    AND current_setting('amity.events', true) = 'tasks')
                EXECUTE FUNCTION amity_task_event()
                """
            ),
        ]
    )
}
