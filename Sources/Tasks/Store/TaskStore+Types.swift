import Foundation
import JSON
import Postgres

extension TaskStore {
    /// Makes or changes types; others stay as they are.
    package func apply(_ types: [TaskType]) throws(PostgresError) {
        if types.isEmpty { return }
        let sorted = types.sorted { $0.name < $1.name }
        try count(
            of: TypeSQL.apply,
            [
                .textArray(sorted.map(\.name)), .textArray(sorted.map(\.pool)),
                .integerArray(sorted.map(\.priority.rawValue)),
                .textArray(sorted.map { TypeSQL.Handler($0.handler).json }),
                .integerArray(sorted.map(\.timeout)), .integerArray(sorted.map(\.retryLimit)),
            ]
        )
    }

    /// All, by name.
    package func types() throws(PostgresError) -> [TaskType] {
        try rows(of: TypeSQL.list, [], TypeSQL.type).compactMap(\.self)
    }
}

private enum TypeSQL {
    /// $1 to $6: names, pools, priorities, handlers, timeouts, retry limits.
    static let apply = Statement(
        "apply_task_types",
        """
        INSERT INTO amity_task_types AS known
            (type, pool, priority, handler, timeout_seconds, retry_limit, changed_at)
        SELECT type, pool, priority, handler::jsonb, timeout_seconds, retry_limit,
            clock_timestamp()
        FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::int[], $6::int[])
            AS new (type, pool, priority, handler, timeout_seconds, retry_limit)
        ON CONFLICT (type) DO UPDATE
            SET pool = excluded.pool, priority = excluded.priority, handler = excluded.handler,
                timeout_seconds = excluded.timeout_seconds, retry_limit = excluded.retry_limit,
                changed_at = excluded.changed_at
        """,
        commits: true
    )

    static let list = Statement(
        "list_task_types",
        """
        SELECT type, pool, priority, handler::text, timeout_seconds, retry_limit
        FROM amity_task_types ORDER BY type
        """
    )

    /// - Returns: nil for one whose handler this version does not know.
    static func type(_ row: inout RowReader) throws(PostgresError) -> TaskType? {
        let name = try row.text() ?? ""
        let pool = try row.text() ?? ""
        let priority = try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal
        let handler = try row.text().flatMap(Handler.init(json:))?.handler
        let (timeout, retryLimit) = (try row.integer(), try row.integer())
        return handler.map {
            TaskType(
                name: name,
                pool: pool,
                priority: priority,
                handler: $0,
                timeout: timeout ?? RetryRule.timeout,
                retryLimit: retryLimit ?? RetryRule.retryLimit
            )
        }
    }

    /// As the column `handler` holds it.
    struct Handler: Codable {
        var kind: String
        var url: String?
        var secret: String?

        init(_ handler: TaskType.Handler) {
            switch handler {
            case .swift: kind = "swift"
            case .command: kind = "command"
            case .http(let url, let secret):
                kind = "http"
                (self.url, self.secret) = (url, secret)
            }
        }

        init?(json: String) {
            do {
                self = try JSONDecoder().decode(Handler.self, from: Data(json.utf8))
            } catch { return nil }
        }

        var json: String { JSONEncoder.stored.certainText(self) }

        var handler: TaskType.Handler? {
            switch (kind, url) {
            case ("swift", _): .swift
            case ("command", _): .command
            case ("http", let url?): .http(url: url, secret: secret)
            case _: nil
            }
        }
    }
}
