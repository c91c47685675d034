import Foundation
import Postgres
import Storage

/// What the doctor asks the database.
enum DoctorSQL {
    static let facts = """
        SELECT current_setting('server_version_num')::int, current_user, current_database(),
               pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean,
               '0' NOT IN (current_setting('lock_timeout'), current_setting('statement_timeout'),
                           current_setting('idle_in_transaction_session_timeout')),
               current_setting('default_transaction_isolation'), current_setting('TimeZone'),
               pg_backend_pid(), extract(epoch FROM clock_timestamp())
        """

    struct Facts {
        var version: Int
        var role: String
        var database: String
        var isStandby: Bool
        var isReadOnlyByDefault: Bool
        var isLimited: Bool
        var isolation: String
        var timeZone: String
        var process: Int?
        /// Seconds since 1970.
        var clock: Double

        init(_ row: inout RowReader) throws(PostgresError) {
            version = try row.integer() ?? 0
            role = try row.text() ?? ""
            database = try row.text() ?? ""
            isStandby = try row.bool() ?? false
            isReadOnlyByDefault = try row.bool() ?? false
            isLimited = try row.bool() ?? false
            isolation = try row.text() ?? ""
            timeZone = try row.text() ?? ""
            process = try row.integer()
            clock = try row.double() ?? 0
        }
    }

    static let isStandby = "SELECT pg_is_in_recovery()"

    static func isStandby(_ row: inout RowReader) throws(PostgresError) -> Bool {
        try row.bool() ?? false
    }

    /// What is set for the role or for the database, whatever a session asks for when it starts.
    /// The more special come last.
    static let ownSettings = """
        SELECT split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1)
        FROM pg_db_role_setting, unnest(setconfig) AS entry
        WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
          AND setdatabase IN
              (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ORDER BY setrole <> 0, setdatabase <> 0
        """

    static func setting(
        _ row: inout RowReader
    ) throws(PostgresError) -> (name: String, value: String?) {
        (try row.text() ?? "", try row.text())
    }

    static let process = "SELECT pg_backend_pid()"

    static func process(_ row: inout RowReader) throws(PostgresError) -> Int? {
        try row.integer()
    }

    /// $1 and $2: tables and privileges.
    static let lacking = """
        SELECT name, privilege FROM unnest($1::text[], $2::text[]) AS wanted (name, privilege)
        WHERE NOT has_table_privilege(to_regclass(name), privilege)
        """

    static func lack(
        _ row: inout RowReader
    ) throws(PostgresError) -> (table: String, privilege: String) {
        (try row.text() ?? "", try row.text() ?? "")
    }

    /// As `deploy/grants.sql` gives them.
    static let privileges: [(table: String, privilege: String)] =
        [
            ("conversation_events", "SELECT"), ("conversation_events", "UPDATE"),
            ("friendship_status", "SELECT"), ("friendship_status", "INSERT"),
            ("friendship_status", "UPDATE"), ("agenda_agent_prompting", "SELECT"),
        ]
        + Schema.tablesOfWorkers.flatMap { table in
            ["SELECT", "INSERT", "UPDATE", "DELETE"].map { (table.name, $0) }
        }

    /// As it gives them with `-v tasks=1`: types and tokens are what an operator sets.
    static let privilegesForTasks = Schema.tablesOfTasks.flatMap { table in
        let isOperators = ["amity_task_types", "amity_limits", "amity_tokens"].contains(table.name)
        return (isOperators ? ["SELECT"] : ["SELECT", "INSERT", "UPDATE", "DELETE"]).map {
            (table: table.name, privilege: $0)
        }
    }

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

    static func room(_ row: inout RowReader) throws(PostgresError) -> SessionSnapshot.Room {
        func limit(_ number: Int?) -> Int? { number.flatMap { $0 < 0 ? nil : $0 } }
        return .init(
            maximum: try row.integer() ?? 0,
            reserved: try row.integer() ?? 0,
            others: max(0, try row.integer() ?? 0),
            roleLimit: limit(try row.integer()),
            databaseLimit: limit(try row.integer())
        )
    }

    /// $1: the queue. An older database may lack the last two columns.
    static let workers = """
        SELECT host || ':' || pid, state, to_json(reasons), to_jsonb(own) -> 'problems',
               to_jsonb(own) -> 'paused'
        FROM amity_workers AS own
        WHERE queue = $1 AND state NOT IN ('stopped', 'lost')
          AND heartbeat_at > now() - interval '1 minute'
        ORDER BY host, pid LIMIT 1000
        """

    static func worker(_ row: inout RowReader) throws(PostgresError) -> WorkerSnapshot {
        func decoded<Value: Decodable>(_ json: Data?) throws -> Value? {
            try json.map { try JSONDecoder().decode(Value?.self, from: $0) } ?? nil
        }
        var worker = WorkerSnapshot(
            name: try row.text() ?? "",
            state: try row.text() ?? "",
            reasons: []
        )
        let (reasons, problems, pause) = (try row.data(), try row.data(), try row.data())
        do {
            worker.reasons = try decoded(reasons) ?? []
            worker.problems = try decoded(problems) ?? []
            worker.pause = try decoded(pause)
        } catch {
            // Another version's; its state alone says something, too.
        }
        return worker
    }

    /// $1: the queue. What the monitor has stored of it, and how old that is; instants are counted
    /// from 2001.
    static let alerts = """
        SELECT json_agg(json_build_object('name', alert ->> 'name', 'value', alert -> 'value',
            'age', extract(epoch FROM now()) - 978307200 - (alert ->> 'since')::float8))
        FROM amity_queues, jsonb_array_elements(stats -> 'alerts') AS alert
        WHERE queue = $1
          AND (stats ->> 'observedAt')::float8
              > extract(epoch FROM now()) - 978307200 - 120
        """

    /// JSON of `AlertSnapshot`s; nil for none.
    static func alerts(_ row: inout RowReader) throws(PostgresError) -> Data? { try row.data() }

    /// Statements of other roles can be seen only by members of pg_monitor.
    static let rivals = """
        SELECT DISTINCT coalesce(nullif(application_name, ''), 'a client without a name')
               || ' as ' || usename
        FROM pg_stat_activity
        WHERE datname = current_database() AND NOT \(isOurs)
          AND query ~* '(update|insert\\s+into)\\s+("?\\w+"?\\.)?"?friendship_status'
        """

    static func rival(_ row: inout RowReader) throws(PostgresError) -> String? { try row.text() }

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

    static func doubled(
        _ row: inout RowReader
    ) throws(PostgresError) -> (users: Int, of: Int) {
        (try row.integer() ?? 0, try row.integer() ?? 0)
    }
}
