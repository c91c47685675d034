import Foundation
import Postgres

/// The statements of events. Rows of the outbox with a body are events.
enum EventSQL {
    static let lazily = Statement("events_lazily", "SET LOCAL synchronous_commit TO off")

    static let any = Statement(
        "events_any",
        "SELECT 1 FROM amity_outbox WHERE body IS NOT NULL ORDER BY id LIMIT 1"
    )

    static let snapshot = Statement(
        "events_snapshot",
        """
        SELECT txid_snapshot_xmin(snapshot), txid_snapshot_xmax(snapshot)
        FROM txid_current_snapshot() AS snapshot
        """
    )

    static func bounds(_ row: inout RowReader) throws(PostgresError) -> OutboxFloor.Snapshot {
        .init(oldest: try row.integer() ?? 0, next: try row.integer() ?? .max)
    }

    /// $1: the most rows; $2: an id that all of them are above; $3: ids that are left out. Oldest
    /// first, and none is skipped that another process holds: then that one is about to send it.
    static let take = Statement(
        "events_take",
        """
        SELECT id, exchange, routing_key, headers::text, body FROM amity_outbox
        WHERE body IS NOT NULL AND id > $2::bigint AND id <> ALL ($3::bigint[])
        ORDER BY id LIMIT $1::int
        FOR UPDATE
        """
    )

    static func event(_ row: inout RowReader) throws(PostgresError) -> OutboxEvent {
        OutboxEvent(
            id: try row.integer() ?? 0,
            exchange: try row.text() ?? "",
            routingKey: try row.text() ?? "",
            headers: headers(try row.data() ?? Data()),
            body: try row.text() ?? ""
        )
    }

    /// Ours are an object of texts. What is not would stop all that comes after it: it goes out
    /// without headers.
    private static func headers(_ json: Data) -> [String: String] {
        do {
            return try JSONDecoder().decode([String: String].self, from: json)
        } catch {
            return [:]
        }
    }

    /// $1: ids that the broker has.
    static let delete = Statement(
        "events_delete",
        "DELETE FROM amity_outbox WHERE id = ANY ($1::bigint[])"
    )
}

/// What waits in the outbox.
package struct EventBacklog: Sendable {
    /// At most `mostCounted`.
    package var count: Int
    /// Age of the oldest in seconds; nil for none.
    package var age: Double?

    /// Chosen: to count more would only take longer.
    package static let mostCounted = 100_000

    package init(count: Int, age: Double?) {
        self.count = count
        self.age = age
    }

    package init(_ row: inout RowReader) throws(PostgresError) {
        count = try row.integer() ?? 0
        age = try row.double()
    }

    /// - Parameter floor: SQL of an id that all events are above.
    package static func sql(above floor: String = "0") -> String {
        """
        SELECT
            (SELECT count(*) FROM (
                SELECT FROM amity_outbox WHERE body IS NOT NULL AND id > \(floor)
                LIMIT \(mostCounted)) AS waiting),
            (SELECT extract(epoch FROM clock_timestamp()
                    - (headers ->> 'cloudEvents:time')::timestamptz)::float8
                FROM amity_outbox WHERE body IS NOT NULL AND id > \(floor) ORDER BY id LIMIT 1)
        """
    }

    /// $1: an id that all events are above.
    package static let statement = Statement("events_backlog", sql(above: "$1::bigint"))
}
