import Postgres

/// Parameters of DATABASE_URL that other drivers take and libpq does not, with libpq's form.
enum ForeignParameters {
    private static let pooling =
        "Amity prepares its statements once a session; a pooler needs pool_mode = session, or is "
        + "PgBouncer 1.21 or later"
    private static let sessions = "DATABASE_SESSIONS_MAX bounds the sessions"
    private static let limits = "Amity sets limits of its own (TASK_TIMEOUT_SECONDS)"
    private static let search = "use options=-csearch_path%3Dname"

    /// By the name of asyncpg, psycopg, Prisma, node-postgres, JDBC, Npgsql or SQLAlchemy.
    private static let hints: [String: String] = [
        "ssl": "use sslmode=require, or verify-full to check the server too",
        "sslaccept": "use sslmode=require, or verify-full to check the server too",
        "sslfactory": "use sslmode=require, or verify-full to check the server too",
        "tlsmode": "use sslmode=require, or verify-full to check the server too",
        "sslidentity": "use sslcert and sslkey", "sslca": "use sslrootcert",
        "schema": search, "currentSchema": search, "search_path": search,
        "server_settings": "use options=-cname%3Dvalue",
        "pgbouncer": pooling, "prepared_statement_cache_size": pooling,
        "prepared_statement_name_func": pooling, "statement_cache_size": pooling,
        "statement_cache_capacity": pooling, "default_query_exec_mode": pooling,
        "prepare_threshold": pooling, "prepareThreshold": pooling, "preferQueryMode": pooling,
        "preparedStatementCacheQueries": pooling, "preparedStatementCacheSizeMiB": pooling,
        "connection_limit": sessions, "pool_size": sessions, "max_overflow": sessions,
        "pool_timeout": sessions, "pool_max_conns": sessions, "pool_min_conns": sessions,
        "min_size": sessions, "max_size": sessions, "minPoolSize": sessions,
        "maxPoolSize": sessions,
        "statement_timeout": limits, "lock_timeout": limits, "command_timeout": limits,
        "query_timeout": limits, "socket_timeout": limits, "socketTimeout": limits,
        "idle_in_transaction_session_timeout": limits,
        "timeout": "use connect_timeout", "connectTimeout": "use connect_timeout",
        "loginTimeout": "use connect_timeout", "connection_timeout": "use connect_timeout",
        "ApplicationName": "use application_name", "tcpKeepAlive": "use keepalives=1",
        "targetServerType": "use target_session_attrs", "username": "use user",
        "database": "use dbname", "encoding": "Amity speaks UTF-8",
        "charset": "Amity speaks UTF-8",
    ]

    /// What is wrong with a URL's query. Names parameters, never their values.
    static func mistakes(in query: String) -> [String] {
        query.split(separator: "&").compactMap { parameter in
            let parts = parameter.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            let name = String(parts[0])
            // JDBC's way, which libpq takes.
            if name == "ssl", parts.count == 2, parts[1] == "true" { return nil }
            if ConnectionTarget.known.contains(name) || name.contains("%") { return nil }
            let hint = hints[name] ?? "leave it out"
            // Not a name: a part of something else, which may be a password.
            let shown = name.wholeMatch(of: /[A-Za-z][A-Za-z_]{0,40}/) == nil ? "a parameter" : name
            return "DATABASE_URL: \(shown) is not a parameter of libpq's: \(hint)"
        }
    }
}
