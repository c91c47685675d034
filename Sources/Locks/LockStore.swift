import Foundation
import Postgres

/// A lock that a client holds until its lease ends.
package struct ClientLock: Sendable, Equatable {
    /// nil: of no kb.
    package var kbID: String?
    package var name: String
    package var owner: String
    /// Larger with each holder: what is guarded refuses a smaller one than it has seen.
    package var token: Int
    package var acquiredAt: Date
    package var leaseUntil: Date
    /// Seconds until then, by the database's clock; none left for one that is free.
    package var secondsLeft: Double

    package static let leases = 1.0...86_400.0

    init(_ row: inout RowReader) throws(PostgresError) {
        kbID = try row.text().flatMap { $0.isEmpty ? nil : $0 }
        name = try row.text() ?? ""
        owner = try row.text() ?? ""
        token = try row.integer() ?? 0
        acquiredAt = Date(timeIntervalSince1970: try row.double() ?? 0)
        leaseUntil = Date(timeIntervalSince1970: try row.double() ?? 0)
        secondsLeft = try row.double() ?? 0
    }
}

package enum LockOutcome: Sendable, Equatable {
    case held(ClientLock)
    /// By another owner.
    case taken(ClientLock)
}

package enum UnlockOutcome: Sendable, Equatable {
    case released(ClientLock)
    /// Another owner has it, or had the token.
    case foreign(ClientLock)
    case free
}

/// Locks in PostgreSQL. All times are the database's.
package struct LockStore: Sendable {
    private let sessions: SessionPool

    package init(sessions: SessionPool) { self.sessions = sessions }

    /// Takes or renews a lock. Its owner keeps the token for as long as it renews it in time.
    ///
    /// - Parameter seconds: in `ClientLock.leases`.
    package func lock(
        _ name: String,
        owner: String,
        for seconds: Double,
        kbID: String? = nil
    ) throws(PostgresError) -> LockOutcome {
        let parameters: [Parameter] = [
            .text(kbID ?? ""), .text(name), .text(owner), .double(seconds),
        ]
        // What is there may be gone when it is looked at.
        for _ in 0..<3 {
            let held = try sessions.withSession { session throws(PostgresError) -> [ClientLock] in
                let rows = try session.flight([
                    (LockSQL.renew, parameters), (LockSQL.take, parameters),
                ])
                return try rows[0].map(ClientLock.init) + rows[1].map(ClientLock.init)
            }
            if let lock = held.first { return .held(lock) }
            if let other = try lock(named: name, kbID: kbID) { return .taken(other) }
        }
        throw PostgresError(sqlState: "40001", operation: LockSQL.take.name, message: "")
    }

    /// - Returns: nil for one that is free.
    package func lock(
        named name: String,
        kbID: String? = nil
    ) throws(PostgresError) -> ClientLock? {
        try locks(by: LockSQL.get, [.text(kbID ?? ""), .text(name)]).first
    }

    /// - Parameters:
    ///   - owner: nil for any.
    ///   - token: nil for any.
    package func unlock(
        _ name: String,
        owner: String?,
        token: Int?,
        kbID: String? = nil
    ) throws(PostgresError) -> UnlockOutcome {
        let parameters: [Parameter] = [
            .text(kbID ?? ""), .text(name), owner.map(Parameter.text) ?? .null,
            token.map(Parameter.integer) ?? .null,
        ]
        if let lock = try locks(by: LockSQL.release, parameters).first {
            return .released(lock)
        }
        return try lock(named: name, kbID: kbID).map(UnlockOutcome.foreign) ?? .free
    }

    /// A page of those that are held, by kb and name.
    package func locks(
        kbID: String? = nil,
        after cursor: (kbID: String?, name: String)? = nil,
        limit: Int
    ) throws(PostgresError) -> [ClientLock] {
        let parameters: [Parameter] = [
            .integer(limit), kbID.map(Parameter.text) ?? .null,
            cursor.map { .text($0.kbID ?? "") } ?? .null,
            cursor.map { .text($0.name) } ?? .null,
        ]
        return try locks(by: LockSQL.list, parameters)
    }

    /// Deletes a slice of locks that were given up a day ago.
    package func forgetLocks(atMost limit: Int) throws(PostgresError) -> Int {
        try sessions.withSession { session throws(PostgresError) in
            try session.flight([(LockSQL.forget, [.integer(limit)])])[0].count
        }
    }

    private func locks(
        by statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) -> [ClientLock] {
        try sessions.withSession { session throws(PostgresError) in
            try session.flight([(statement, parameters)])[0].map(ClientLock.init)
        }
    }
}

enum LockSQL {
    private static let columns = """
        kb_id, name, owner, token, extract(epoch FROM acquired_at)::float8,
            extract(epoch FROM lease_until)::float8,
            extract(epoch FROM lease_until - clock_timestamp())::float8
        """

    /// $1 to $4: kb or nothing, name, owner, seconds.
    static let renew = Statement(
        "renew_lock",
        """
        UPDATE amity_locks SET lease_until = clock_timestamp() + make_interval(secs => $4::float8)
        WHERE kb_id = $1 AND name = $2 AND owner = $3 AND lease_until > clock_timestamp()
        RETURNING \(columns)
        """
    )

    /// The same, for one that is free. DEFAULT takes the next token while the row is locked: two
    /// owners in turn cannot have theirs in the other order.
    static let take = Statement(
        "take_lock",
        """
        INSERT INTO amity_locks AS lock (kb_id, name, owner, acquired_at, lease_until)
        SELECT $1, $2, $3, now, now + make_interval(secs => $4::float8)
        FROM (SELECT clock_timestamp() AS now OFFSET 0) AS clock
        ON CONFLICT (kb_id, name) DO UPDATE
            SET owner = excluded.owner, token = DEFAULT, acquired_at = clock_timestamp(),
                lease_until = clock_timestamp() + make_interval(secs => $4::float8)
            WHERE lock.lease_until <= clock_timestamp()
        RETURNING \(columns)
        """,
        commits: true
    )

    /// $1: kb or nothing; $2: name.
    static let get = Statement(
        "get_lock",
        """
        SELECT \(columns) FROM amity_locks
        WHERE kb_id = $1 AND name = $2 AND lease_until > clock_timestamp()
        """
    )

    /// $1 and $2: kb or nothing, name; $3 and $4: owner and token, or NULL.
    static let release = Statement(
        "release_lock",
        """
        UPDATE amity_locks SET lease_until = clock_timestamp()
        WHERE kb_id = $1 AND name = $2 AND lease_until > clock_timestamp()
          AND ($3::text IS NULL OR owner = $3) AND ($4::bigint IS NULL OR token = $4)
        RETURNING \(columns)
        """,
        commits: true
    )

    /// $1: the most rows; $2: kb, or NULL; $3 and $4: kb and name of the last one before, or NULL.
    static let list = Statement(
        "list_locks",
        """
        SELECT \(columns) FROM amity_locks
        WHERE lease_until > clock_timestamp() AND ($2::text IS NULL OR kb_id = $2)
          AND ($4::text IS NULL OR (kb_id, name) > ($3, $4))
        ORDER BY kb_id, name LIMIT $1::int
        """
    )

    /// $1: the most rows.
    static let forget = Statement(
        "forget_locks",
        """
        DELETE FROM amity_locks WHERE (kb_id, name) IN (
            SELECT kb_id, name FROM amity_locks
            WHERE lease_until < (SELECT clock_timestamp()) - interval '1 day'
            LIMIT $1::int
            FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """,
        commits: true
    )
}
