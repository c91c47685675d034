import Foundation
import Postgres
import Tasks

/// What an operator can pause.
package enum PauseSubject: Hashable, Sendable {
    case type(String)
    /// Of a limit, with its type: `mail:acc-7`.
    case key(String)
    case pool(String)

    /// Of a key, in characters. Chosen: longer than people type.
    package static let longestKey = 4_000

    private static let pools = "pool/"

    /// As the table names it. No type has a colon or a slash in its name.
    package var text: String {
        switch self {
        case .type(let name), .key(let name): name
        case .pool(let name): Self.pools + name
        }
    }

    package init(_ text: String) {
        if text.hasPrefix(Self.pools) {
            self = .pool(String(text.dropFirst(Self.pools.count)))
        } else {
            self = text.contains(":") ? .key(text) : .type(text)
        }
    }

    /// Of a type or a key.
    package var type: String? {
        switch self {
        case .type(let name): name
        case .key(let key): String(key.prefix { $0 != ":" })
        case .pool: nil
        }
    }
}

package struct TaskPause: Sendable, Equatable {
    package var subject: PauseSubject
    package var by: String
    package var since: Date
}

extension TaskStore {
    /// Lets no more tasks of a type, a key or a pool begin. What runs goes on.
    ///
    /// - Parameter name: who does it, for others to see.
    package func pause(_ subject: PauseSubject, by name: String) throws(PostgresError) {
        try count(of: PauseSQL.pause, [.text(subject.text), .text(name)])
    }

    /// - Returns: whether it was paused.
    package func resume(_ subject: PauseSubject) throws(PostgresError) -> Bool {
        try count(of: PauseSQL.resume, [.text(subject.text)]) > 0
    }

    package func pauses() throws(PostgresError) -> [TaskPause] {
        try rows(of: PauseSQL.list, []) { row throws(PostgresError) in
            TaskPause(
                subject: PauseSubject(try row.text() ?? ""),
                by: try row.text() ?? "",
                since: Date(timeIntervalSince1970: try row.double() ?? 0)
            )
        }
    }

    /// Has a queued task wait whose type or key is paused: the scheduler lets it go once it is
    /// resumed. Its message may be settled.
    ///
    /// - Returns: whether that is so.
    package func park(_ id: TaskID, run: Int) throws(PostgresError) -> Bool {
        try count(of: PauseSQL.park, [.text(id.text), .integer(run)]) > 0
    }
}

enum PauseSQL {
    /// $1: what; $2: who.
    static let pause = Statement(
        "pause_tasks",
        """
        INSERT INTO amity_pauses (subject, paused_by, paused_at)
        VALUES (\(TaskSQL.limitKey("$1::text")), $2, clock_timestamp())
        ON CONFLICT (subject) DO NOTHING
        """,
        commits: true
    )

    /// $1: what; or the very words of a version that did not know of digests here.
    static let resume = Statement(
        "resume_tasks",
        """
        DELETE FROM amity_pauses WHERE subject IN ($1::text, \(TaskSQL.limitKey("$1::text")))
        RETURNING 1
        """,
        commits: true
    )

    static let list = Statement(
        "list_pauses",
        """
        SELECT subject, paused_by, extract(epoch FROM paused_at)::float8 FROM amity_pauses
        ORDER BY subject
        """
    )

    /// A task without a limit is given the key of its type: so it waits once, and is not published
    /// and put back again and again.
    static let park = Statement(
        "park_task",
        """
        UPDATE amity_tasks
        SET state = \(TaskSQL.waiting), limit_key = coalesce(limit_key, type), due_at = deadline
        WHERE id = $1::uuid AND run = $2::int AND (state = \(TaskSQL.queued)) IS TRUE
          AND (SELECT true FROM amity_pauses WHERE subject IN (type, limit_key) LIMIT 1)
        RETURNING 1
        """,
        commits: true
    )
}
