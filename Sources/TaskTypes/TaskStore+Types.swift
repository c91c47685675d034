import Foundation
import JSON
import Postgres
import Tasks

extension TaskStore {
    /// Makes or changes types; others stay as they are.
    package func apply(_ types: [TaskType]) throws(PostgresError) {
        if types.isEmpty { return }
        let sorted = types.sorted { $0.name < $1.name }
        let names = Parameter.textArray(sorted.map(\.name))
        let rows: [Parameter] = [
            names, .textArray(sorted.map(\.pool)),
            .integerArray(sorted.map(\.priority.rawValue)),
            .textArray(sorted.map { TypeSQL.Handler($0.handler).json }),
            .integerArray(sorted.map(\.timeout)), .integerArray(sorted.map(\.retryLimit)),
        ]
        let limited = sorted.filter { $0.limit != nil }
        let limits = limited.compactMap(\.limit)
        let limitRows: [Parameter] = [
            .textArray(limited.map(\.name)), .textArray(limits.map(\.key.text)),
            .textArray(limits.map { $0.rate.map { "\($0)" } }),
            .textArray(limits.map { $0.burst.map(String.init) }),
            .textArray(limits.map { $0.cap.map(String.init) }),
            .integerArray(limits.map { $0.isStrict ? 1 : 0 }),
        ]
        try sessions.withSession { session throws(PostgresError) in
            _ = try session.flight([
                (.begin, []), (TypeSQL.apply, rows), (TypeSQL.forgetLimits, [names]),
                (TypeSQL.applyLimits, limitRows), (.commit, []),
            ])
        }
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
        """
    )

    /// $1: types.
    static let forgetLimits = Statement(
        "forget_task_limits",
        "DELETE FROM amity_limits WHERE type = ANY ($1::text[])"
    )

    /// $1 to $6: types, what is limited, rates, bursts, caps, whether in strict order (1).
    static let applyLimits = Statement(
        "apply_task_limits",
        """
        INSERT INTO amity_limits (type, limited_by, rate, burst, cap, is_strict)
        SELECT type, limited_by, rate::float8, burst::int, cap::int, is_strict = 1
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[])
            AS new (type, limited_by, rate, burst, cap, is_strict)
        """
    )

    static let list = Statement(
        "list_task_types",
        """
        SELECT type, pool, priority, handler::text, timeout_seconds, retry_limit,
            limited_by, rate, burst, cap, is_strict
        FROM amity_task_types LEFT JOIN amity_limits USING (type) ORDER BY type
        """
    )

    /// - Returns: nil for one whose handler this version does not know.
    static func type(_ row: inout RowReader) throws(PostgresError) -> TaskType? {
        let name = try row.text() ?? ""
        let pool = try row.text() ?? ""
        let priority = try row.integer().flatMap(Priority.init(rawValue:)) ?? .normal
        let handler = try row.text().flatMap(Handler.init(json:))?.handler
        let (timeout, retryLimit) = (try row.integer(), try row.integer())
        let limit = try limit(&row)
        return handler.map {
            var type = TaskType(
                name: name,
                pool: pool,
                priority: priority,
                handler: $0,
                timeout: timeout ?? RetryRule.timeout,
                retryLimit: retryLimit ?? RetryRule.retryLimit
            )
            type.limit = limit
            return type
        }
    }

    private static func limit(_ row: inout RowReader) throws(PostgresError) -> TaskLimit? {
        let key = try row.text().flatMap(TaskLimit.Key.init)
        var limit = TaskLimit()
        limit.rate = try row.double()
        limit.burst = try row.integer()
        limit.cap = try row.integer()
        limit.isStrict = try row.bool() ?? false
        guard let key else { return nil }
        limit.key = key
        return limit
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
