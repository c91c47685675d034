import Foundation
import Postgres
import Tasks

/// What a look at waiting tasks has let go.
package struct Admission: Sendable {
    package var toPublish: [Publication] = []
    /// Whether any key had waiting tasks.
    package var hasWaiting = false
}

/// A key, or a type without keys, with its limit and what waits for it.
package struct LimitView: Sendable {
    package var key: String
    package var type: String
    package var limit: TaskLimit?
    /// Starts that may come at once; nil without a rate.
    package var tokens: Double?
    package var waiting: Int
    package var queued: Int
    package var running: Int
    package var pausedBy: String?
    package var pausedAt: Date?

    init(_ row: inout RowReader) throws(PostgresError) {
        (key, type) = (try row.text() ?? "", try row.text() ?? "")
        let limitedBy = try row.text().flatMap(TaskLimit.Key.init)
        var rule = TaskLimit()
        rule.rate = try row.double()
        rule.burst = try row.integer()
        rule.cap = try row.integer()
        rule.isStrict = try row.bool() ?? false
        if let limitedBy {
            rule.key = limitedBy
            limit = rule
        }
        tokens = try row.double()
        waiting = try row.integer() ?? 0
        queued = try row.integer() ?? 0
        running = try row.integer() ?? 0
        pausedBy = try row.text()
        pausedAt = try row.double().map(Date.init(timeIntervalSince1970:))
    }
}

extension TaskStore {
    /// Lets tasks begin that their limits allow.
    ///
    /// - Parameters:
    ///   - cursor: the last key that was looked at; kept from look to look, so that none waits for
    ///     the end of the others.
    ///   - keys: the most of them in one look.
    ///   - room: the most tasks, shared by the keys; each gets one at least.
    package func admit(
        after cursor: inout String,
        keys most: Int,
        room: Int
    ) throws(PostgresError) -> Admission {
        let start = cursor
        let (keys, admission) = try sessions.withSession {
            session throws(PostgresError) -> ([String], Admission) in
            let rows = try session.flight([
                (.begin, []), (LimitSQL.waitingKeys, [.text(start), .integer(most)]),
            ])[1]
            var admission = Admission()
            var (keys, types, waiting): ([String], [String], [String]) = ([], [], [])
            try rows.forEach { row throws(PostgresError) in
                keys.append(try row.text() ?? "")
                types.append(try row.text() ?? "")
                if try row.bool() ?? false { waiting.append(keys[keys.count - 1]) }
            }
            admission.hasWaiting = !waiting.isEmpty
            if keys.isEmpty {
                _ = try session.flight([(.commit, [])])
                return (waiting, admission)
            }
            let names = Parameter.textArray(keys)
            let limit = max(1, room / keys.count)
            let admitted = try session.flight([
                (LimitSQL.makeKeys, [names, .textArray(types)]), (LimitSQL.lockKeys, [names]),
                (LimitSQL.admit, [names, .integer(limit)]), (.commit, []),
            ])[2]
            admission.toPublish = try admitted.map(Publication.init(leased:))
            return (waiting, admission)
        }
        cursor = keys.count >= most ? keys[keys.count - 1] : ""
        return admission
    }

    /// Lets the next task begin where one with a cap has ended. Without this a key whose tasks are
    /// short would wait for the scheduler's look after each of them.
    ///
    /// - Returns: what is to be published; empty where the key has no cap, or no room.
    /// - Throws: a conflict where another process admits tasks of the key.
    package func admitNext(of key: String) throws(PostgresError) -> [Publication] {
        if try count(of: LimitSQL.mayFollow, [.text(key)]) == 0 { return [] }
        let keys = Parameter.textArray([key])
        return try sessions.withSession { session throws(PostgresError) -> [Publication] in
            let admitted = try session.flight([
                (.begin, []), (LimitSQL.lazily, []), (LimitSQL.lockKeysAtOnce, [keys]),
                (LimitSQL.admit, [keys, .integer(Self.mostFollowing)]), (.commit, []),
            ])[3]
            return try admitted.map(Publication.init(leased:))
        }
    }

    /// Chosen: one has ended; a few, where an end before it could not admit.
    private static let mostFollowing = 10

    /// A page of keys that have a bucket, by name.
    package func limits(
        of type: String? = nil,
        after key: String? = nil,
        atMost count: Int,
        counting most: Int? = nil
    ) throws(PostgresError) -> [LimitView] {
        let parameters = Self.page(after: key, atMost: count, counting: most)
        let wanted = type.map(Parameter.text) ?? .null
        return try rows(of: LimitSQL.list, parameters + [wanted], LimitView.init)
    }

    /// A page of keys that keep tasks waiting, or that are paused or of a paused type, by name.
    package func holdingLimits(
        after key: String? = nil,
        atMost count: Int,
        counting most: Int? = nil
    ) throws(PostgresError) -> [LimitView] {
        let parameters = Self.page(after: key, atMost: count, counting: most)
        return try rows(of: LimitSQL.holding, parameters, LimitView.init)
    }

    /// - Returns: nil for a key or type that has no bucket or limit, keeps nothing waiting and is
    ///   not paused.
    package func limit(of key: String) throws(PostgresError) -> LimitView? {
        let parameters = Self.page(after: key, atMost: 1, counting: nil)
        return try rows(of: LimitSQL.one, parameters, LimitView.init).first
    }

    private static func page(
        after key: String?,
        atMost count: Int,
        counting most: Int?
    ) -> [Parameter] {
        [
            key.map(Parameter.text) ?? .null, .integer(count),
            most.map(Parameter.integer) ?? .null,
        ]
    }

    /// Deletes a slice of buckets that nothing needs.
    package func forgetLimitKeys(atMost limit: Int) throws(PostgresError) -> Int {
        try count(of: LimitSQL.forget, [.integer(limit)])
    }
}
