import Foundation
import Postgres
import Tasks

/// A batch with its tasks by state.
package struct BatchRecord: Encodable, Sendable, Equatable {
    /// So many tasks of a batch are counted. Chosen: a few milliseconds.
    static let mostCounted = 10_000

    package var id: String
    package var kbID: String?
    /// `open`, `running`, `cancelled` or `finished`.
    package var status: String
    package var createdAt: Date
    /// Until then more may be added; nil: it is closed.
    package var openUntil: Date?
    package var finishedAt: Date?
    package var total: Int
    /// Those of which there are any.
    package var states: [String: Int]
    /// Else there are more tasks than were counted.
    package var isComplete: Bool

    package init(id: String, status: String, createdAt: Date, states: [String: Int]) {
        (self.id, self.status, self.createdAt) = (id, status, createdAt)
        (self.states, total, isComplete) = (states, states.values.reduce(0, +), true)
    }

    init(_ row: inout RowReader) throws(PostgresError) {
        let (id, kbID) = (try row.text() ?? "", try row.text())
        let createdAt = Date(timeIntervalSince1970: try row.double() ?? 0)
        let openUntil = try row.double().map(Date.init(timeIntervalSince1970:))
        let isCancelled = try row.bool() ?? false
        let finishedAt = try row.double().map(Date.init(timeIntervalSince1970:))
        var counts: [String: Int] = [:]
        for state in TaskState.allCases {
            if let count = try row.integer(), count > 0 { counts[state.name] = count }
        }
        let status: BatchView.Status =
            finishedAt != nil
            ? isCancelled ? .cancelled : .finished : openUntil == nil ? .running : .open
        self.init(id: id, status: status.rawValue, createdAt: createdAt, states: counts)
        (self.kbID, self.openUntil, self.finishedAt) = (kbID, openUntil, finishedAt)
        if total > Self.mostCounted { (total, isComplete) = (Self.mostCounted, false) }
    }
}

package struct BatchPage: Encodable, Sendable {
    package var batches: [BatchRecord]
    package var hasMore: Bool

    package init(batches: [BatchRecord], hasMore: Bool) {
        (self.batches, self.hasMore) = (batches, hasMore)
    }
}

/// One batch, and which of its tasks needs which.
package struct BatchPicture: Encodable, Sendable {
    package var batch: BatchRecord
    package var graph: BatchGraph

    package init(batch: BatchRecord, graph: BatchGraph) {
        (self.batch, self.graph) = (batch, graph)
    }
}

enum BatchPageSQL {
    /// $1: the id before which they were made, or NULL; $2: the most rows.
    static let page = Statement(
        "page_of_batches",
        select(
            """
            SELECT * FROM amity_batches
            WHERE id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            ORDER BY id DESC LIMIT $2::int
            """
        )
    )

    /// $1: id.
    static let one = Statement(
        "page_of_batch",
        select("SELECT * FROM amity_batches WHERE id = $1::uuid")
    )

    private static func select(_ batches: String) -> String {
        let states = TaskState.allCases.map(\.rawValue)
        let counts = states.map { "count(*) FILTER (WHERE state = \($0)) AS count_\($0)" }
        let most = BatchRecord.mostCounted + 1
        return """
            SELECT id, kb_id, extract(epoch FROM created_at)::float8,
                CASE WHEN closed_at IS NULL THEN extract(epoch FROM open_until)::float8 END,
                cancelled_at IS NOT NULL, extract(epoch FROM finished_at)::float8,
                \(states.map { "count_\($0)" }.joined(separator: ", "))
            FROM (\(batches)) AS batch
            CROSS JOIN LATERAL (
                SELECT \(counts.joined(separator: ", "))
                FROM (SELECT state FROM amity_tasks
                      WHERE batch_id = batch.id AND batch_id IS NOT NULL
                      LIMIT \(most)) AS counted) AS members
            ORDER BY id DESC
            """
    }
}
