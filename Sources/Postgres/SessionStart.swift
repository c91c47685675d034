// What a session asks for when it starts.

extension Session {
    /// How long the server may keep a session waiting. Chosen: a worker that is stopped in a
    /// transaction then delays others by seconds instead of stopping them.
    ///
    /// Plans are generic: the planner overestimates the cost of arrays of unknown length, so by
    /// default it would plan every statement again on each call, which takes longer than to run it.
    /// Plans use indexes: a plan made while a table was empty must not read the whole table later.
    /// The planner then estimates a high cost for them and would compile them (JIT), which takes
    /// longer still, so JIT is off.
    ///
    /// The server sends keepalives as the client does: the locks of a host that has vanished are
    /// free within seconds.
    ///
    /// The lock timeout is well below the statement timeout, so that the error of a wait for a lock
    /// says that it was one.
    ///
    /// What is read after a lock must be newer than the lock: so READ COMMITTED, whatever the
    /// role's default is.
    static func guards(_ statementTimeout: Duration) -> String {
        let milliseconds = Int(statementTimeout / .milliseconds(1))
        return """
            -c TimeZone=UTC -c default_transaction_isolation=read\\ committed \
            -c lock_timeout=\(min(1000, milliseconds / 2)) \
            -c idle_in_transaction_session_timeout=2s -c statement_timeout=\(milliseconds) \
            -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off \
            -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3
            """
    }

    /// How long the link may keep it waiting.
    static let link: [(String, String)] = [
        ("keepalives_idle", "5"), ("keepalives_interval", "2"),
        ("keepalives_count", "3"), ("tcp_user_timeout", "10000"), ("client_encoding", "UTF8"),
    ]

    /// For a flight whose statements are given up one after the other, and a server that is slow to
    /// notice. Chosen.
    static func patience(_ statementTimeout: Duration) -> Duration {
        statementTimeout * 2 + .seconds(5)
    }
}
