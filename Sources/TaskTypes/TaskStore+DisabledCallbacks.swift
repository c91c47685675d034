import Foundation
import Postgres
import Tasks

/// A URL that has said that it is gone: nothing is sent there any more.
package struct DisabledCallback: Sendable, Equatable {
    /// A digest of the URL.
    package var id: String
    /// Without its query, which may be confidential.
    package var url: String
    /// The callback that was refused.
    package var task: TaskID?
    package var disabledAt: Date
}

extension TaskStore {
    package func isDisabled(_ id: String) throws(PostgresError) -> Bool {
        try count(of: DisabledSQL.isDisabled, [.text(id)]) > 0
    }

    /// - Parameter url: as operators may see it.
    package func disable(
        _ id: String,
        url: String,
        because task: TaskID
    ) throws(PostgresError) {
        try count(of: DisabledSQL.disable, [.text(id), .text(url), .text(task.text)])
    }

    /// - Returns: whether it was disabled.
    package func enableCallback(_ id: String) throws(PostgresError) -> Bool {
        try count(of: DisabledSQL.enable, [.text(id)]) > 0
    }

    /// Those that have been so for a month: a receiver that is still gone says so again.
    ///
    /// - Returns: how many.
    package func forgetDisabledCallbacks(atMost limit: Int) throws(PostgresError) -> Int {
        try count(of: DisabledSQL.forget, [.integer(limit)])
    }

    /// A page, by id.
    package func disabledCallbacks(
        after id: String? = nil,
        limit: Int
    ) throws(PostgresError) -> [DisabledCallback] {
        let parameters: [Parameter] = [.integer(limit), id.map(Parameter.text) ?? .null]
        return try rows(of: DisabledSQL.disabled, parameters) { row throws(PostgresError) in
            DisabledCallback(
                id: try row.text() ?? "",
                url: try row.text() ?? "",
                task: try row.text().flatMap { TaskID($0) },
                disabledAt: Date(timeIntervalSince1970: try row.double() ?? 0)
            )
        }
    }
}

enum DisabledSQL {
    /// $1: the digest of a URL.
    static let isDisabled = Statement(
        "is_callback_disabled",
        "SELECT 1 FROM amity_disabled_callbacks WHERE id = $1"
    )

    /// $1 to $3: the digest of a URL, the URL as it may be shown, the task.
    static let disable = Statement(
        "disable_callback",
        """
        INSERT INTO amity_disabled_callbacks (id, url, task, disabled_at)
        VALUES ($1, $2, $3::uuid, clock_timestamp())
        ON CONFLICT DO NOTHING
        """,
        commits: true
    )

    /// $1: the digest of a URL.
    static let enable = Statement(
        "enable_callback",
        "DELETE FROM amity_disabled_callbacks WHERE id = $1 RETURNING 1",
        commits: true
    )

    /// $1: the most rows.
    static let forget = Statement(
        "forget_disabled_callbacks",
        """
        DELETE FROM amity_disabled_callbacks WHERE id IN (
            SELECT id FROM amity_disabled_callbacks
            WHERE disabled_at < clock_timestamp() - interval '30 days' LIMIT $1::int)
        RETURNING 1
        """,
        commits: true
    )

    /// $1: the most rows; $2: the last id of the page before, or NULL.
    static let disabled = Statement(
        "disabled_callbacks",
        """
        SELECT id, url, task, extract(epoch FROM disabled_at)::float8 FROM amity_disabled_callbacks
        WHERE $2::text IS NULL OR id > $2
        ORDER BY id LIMIT $1::int
        """
    )
}
