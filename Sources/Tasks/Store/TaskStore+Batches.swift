import Foundation
import Postgres

/// A batch as clients and operators see it.
package struct BatchView: Sendable {
    package var id: TaskID
    package var kbID: String?
    package var createdAt: Date
    /// Until then more may be added; nil: it is closed.
    package var openUntil: Date?
    package var isCancelled: Bool
    /// When the last of its tasks had ended, as the scheduler saw it.
    package var finishedAt: Date?
    /// Tasks by state.
    package var counts: [TaskState: Int]

    package var total: Int { counts.values.reduce(0, +) }

    package var ended: Int { counts.reduce(0) { $0 + ($1.key.isFinal ? $1.value : 0) } }

    /// Of its tasks, how many have ended, in percent; nil for one without tasks.
    package var percent: Int? { total == 0 ? nil : ended * 100 / total }

    package enum Status: String, Sendable, CaseIterable {
        case open, running, cancelled, finished
    }

    package var status: Status {
        if finishedAt != nil { return isCancelled ? .cancelled : .finished }
        return openUntil == nil ? .running : .open
    }
}

/// A task of a batch.
package struct BatchMember: Sendable, Equatable {
    package var id: TaskID
    package var type: String
    package var state: TaskState
    /// In or out of the batch.
    package var needs: [TaskID]

    package init(id: TaskID, type: String, state: TaskState, needs: [TaskID]) {
        (self.id, self.type, self.state, self.needs) = (id, type, state, needs)
    }
}

package enum BatchOutcome: Sendable {
    /// It is as it was, where nothing was to change.
    case done(BatchView)
    case missing
}

extension TaskStore {
    /// How long a batch stays open where its maker does not say, in seconds.
    package static let openFor = 3_600

    /// - Parameter kbID: where given, another kb's batch is none.
    package func batch(_ id: TaskID, kbID: String? = nil) throws(PostgresError) -> BatchView? {
        try rows(of: BatchSQL.get, [.id(id), .optional(kbID)], BatchSQL.view).first
    }

    /// A page, newest first.
    ///
    /// - Parameter before: the last one of the page before.
    package func batches(
        kbID: String? = nil,
        before: TaskID? = nil,
        limit: Int
    ) throws(PostgresError) -> [BatchView] {
        let parameters: [Parameter] = [
            .integer(limit), .optional(kbID), .optional(before?.text),
        ]
        return try rows(of: BatchSQL.list, parameters, BatchSQL.view)
    }

    /// Its tasks, oldest first.
    package func members(of id: TaskID, limit: Int) throws(PostgresError) -> [BatchMember] {
        try rows(of: BatchSQL.members, [.id(id), .integer(limit)]) { row throws(PostgresError) in
            BatchMember(
                id: TaskID(stored: try row.text() ?? ""),
                type: try row.text() ?? "",
                state: try row.integer().flatMap(TaskState.init(rawValue:)) ?? .queued,
                needs: (try row.text() ?? "").split(separator: ",").map {
                    TaskID(stored: String($0))
                }
            )
        }
    }

    /// Takes no more tasks into it. It ends when all that it has have ended.
    package func close(_ id: TaskID, kbID: String? = nil) throws(PostgresError) -> BatchOutcome {
        try count(of: BatchSQL.close, [.id(id), .optional(kbID)])
        return try batch(id, kbID: kbID).map(BatchOutcome.done) ?? .missing
    }

    /// Closes it, and cancels its tasks that have not ended, oldest first, `mostAtOnce` in each
    /// transaction. One whose tasks had all ended before has finished.
    package func cancelBatch(
        _ id: TaskID,
        kbID: String? = nil
    ) throws(PostgresError) -> BatchOutcome {
        // Closed first: what is added after that would live on.
        try sessions.withSession { session throws(PostgresError) in
            _ = try session.flight([
                (.begin, []), (SubmitSQL.holdBatches, [.ids([id])]),
                (BatchSQL.decide, [.ids([id])]), (BatchSQL.cancel, [.id(id), .optional(kbID)]),
                (.commit, []),
            ])
        }
        guard try batch(id, kbID: kbID) != nil else { return .missing }
        var filter = TaskFilter()
        (filter.batchID, filter.kbID) = (id, kbID)
        filter.isUntouched = true
        while try cancelAll(filter, isDry: false).count == Self.mostAtOnce {}
        return try batch(id, kbID: kbID).map(BatchOutcome.done) ?? .missing
    }

    /// Closes batches whose time is over, and ends those whose tasks have all ended.
    ///
    /// Here and not with the end of each task, whose transactions would wait for each other at
    /// the batch's row: a thousand tasks of one batch would run one after the other.
    ///
    /// - Parameter limit: of batches.
    /// - Returns: how many were looked at.
    package func lookAtBatches(atMost limit: Int) throws(PostgresError) -> Int {
        try sessions.withSession { session throws(PostgresError) in
            let locked = try session.flight([
                (.begin, []), (BatchSQL.lockDue, [.integer(limit)]),
            ])[1]
            let ids = try locked.map { row throws(PostgresError) in try row.text() ?? "" }
            let look = [(BatchSQL.decide, [Parameter.textArray(ids)])]
            _ = try session.flight((ids.isEmpty ? [] : look) + [(.commit, [])])
            return ids.count
        }
    }

    /// Deletes a slice of batches that ended long ago and have no tasks any more.
    package func forgetBatches(
        olderThan seconds: Double,
        atMost limit: Int
    ) throws(PostgresError) -> Int {
        try count(of: BatchSQL.forget, [.double(seconds), .integer(limit)])
    }
}
