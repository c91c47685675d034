/// What the doctor asks the database.
enum DoctorSQL {
    static let facts = """
        SELECT current_setting('server_version_num')::int, current_user,
               pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean,
               current_setting('plan_cache_mode'), pg_backend_pid(),
               extract(epoch FROM clock_timestamp())
        """

    static let process = "SELECT pg_backend_pid()"

    /// $1: names of tables, found as a worker finds them.
    static let columns = """
        SELECT wanted.name, attname, format_type(atttypid, NULL)
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_attribute ON attrelid = to_regclass(wanted.name)
        WHERE attnum > 0 AND NOT attisdropped
        """

    /// $1 and $2: tables and privileges.
    static let lacking = """
        SELECT name, privilege FROM unnest($1::text[], $2::text[]) AS wanted (name, privilege)
        WHERE NOT has_table_privilege(to_regclass(name), privilege)
        """

    /// As `deploy/grants.sql` gives them.
    static let privileges: [(table: String, privilege: String)] =
        [
            ("conversation_events", "SELECT"), ("conversation_events", "UPDATE"),
            ("friendship_status", "SELECT"), ("friendship_status", "INSERT"),
            ("friendship_status", "UPDATE"), ("agenda_agent_prompting", "SELECT"),
        ]
        + Schema.ownTables.flatMap { table in
            ["SELECT", "INSERT", "UPDATE", "DELETE"].map { (table, $0) }
        }

    /// $1: names of tables.
    static let indexes = """
        SELECT own.relname, wanted.name, amname,
               (SELECT string_agg(pg_get_indexdef(indexrelid, place, true), ', ' ORDER BY place)
                FROM generate_series(1, indnkeyatts) AS place),
               pg_relation_size(indexrelid)
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_index ON indrelid = to_regclass(wanted.name)
        JOIN pg_class AS own ON own.oid = indexrelid
        JOIN pg_am ON pg_am.oid = own.relam
        ORDER BY wanted.name, own.relname
        """

    /// Whose sessions are ours: `application_name` may be set in DATABASE_URL.
    private static let isOurs = """
        (application_name LIKE 'amity%' OR application_name = current_setting('application_name'))
        """

    /// Our own sessions count as ours only where they can be seen: those of the same role.
    static let room = """
        SELECT current_setting('max_connections')::int,
               current_setting('superuser_reserved_connections')::int
                   + coalesce(current_setting('reserved_connections', true)::int, 0),
               (SELECT sum(numbackends) FROM pg_stat_database)
                   - (SELECT count(*) FROM pg_stat_activity WHERE \(isOurs)),
               (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
               (SELECT datconnlimit FROM pg_database WHERE datname = current_database())
        """

    /// $1: the queue.
    static let liveWorkers = """
        SELECT count(*) FROM amity_workers
        WHERE queue = $1 AND heartbeat_at > now() - interval '1 minute'
        """

    /// Statements of other roles can be seen only by members of pg_monitor.
    static let rivals = """
        SELECT DISTINCT coalesce(nullif(application_name, ''), 'a client without a name')
               || ' as ' || usename
        FROM pg_stat_activity
        WHERE datname = current_database() AND NOT \(isOurs)
          AND query ~* '(update|insert\\s+into)\\s+("?\\w+"?\\.)?"?friendship_status'
        """

    /// Only friendships of the last day: older ones may have been doubled before Amity came.
    static let doubled = """
        SELECT count(*) FILTER (WHERE abs(friendship_score - 2 * brought) < 0.001), count(*)
        FROM (SELECT DISTINCT user_id
              FROM (SELECT user_id FROM conversation_events
                    WHERE status = 'PROCESSED' ORDER BY id DESC LIMIT 200) AS last) AS users
        JOIN friendship_status USING (user_id)
        CROSS JOIN LATERAL (
            SELECT sum(friendship_score_change) AS brought FROM conversation_events AS event
            WHERE event.user_id = users.user_id AND status = 'PROCESSED') AS conversations
        WHERE friendship_status.created_at > now() - interval '1 day' AND brought > 0
        """
}
