import Failpoints
import Foundation
import Postgres
import TaskTypes
import Tasks

/// What a turn has made of the schedules that were due.
package struct Ticks: Sendable {
    /// Committed, and to be published now: else the scheduler does it after five seconds.
    package var toPublish: [Publication] = []
    /// Ticks that made a task.
    package var made = 0
    /// Ticks that met a living task with their unique key.
    package var unique = 0
    /// Schedules that nothing could be made of, with the reasons. They are looked at again after a
    /// minute.
    package var failures: [(name: String, reason: String)] = []
    /// Whether more may be due.
    package var hasMore = false
}

extension ScheduleStore {
    /// Most ticks of one schedule in a turn. Chosen: some ten milliseconds.
    private static let mostTicks = 100
    /// In seconds. Chosen: an operator reads of a failure once a minute.
    private static let pause = 60.0

    /// Makes the tasks of schedules that are due, and sets when they are due next, in one
    /// transaction: each tick counts once, whatever process dies. What another session has locked
    /// is left to it.
    ///
    /// - Parameters:
    ///   - now: a test's; nil for the database's clock.
    ///   - limit: the most schedules.
    package func tick(
        at now: Date? = nil,
        atMost limit: Int = 100
    ) throws(PostgresError) -> Ticks {
        let due = try sessions.withSession { session throws(PostgresError) in
            let parameters: [Parameter] = [.optional(now), .integer(limit), .null]
            return try session.flight([(ScheduleSQL.anyDue, parameters)])[0].map {
                row throws(PostgresError) in try row.text() ?? ""
            }
        }
        if due.isEmpty { return Ticks() }
        let types = Dictionary(
            uniqueKeysWithValues: TaskType.all(applying: try tasks.types()).map { ($0.name, $0) }
        )
        do throws(PostgresError) {
            return try tick(at: now, limit, only: nil, types)
        } catch {
            if error.endsSession || error.isOutage { throw error }
        }
        // One of them keeps the others from nothing.
        var all = Ticks()
        for name in due {
            do throws(PostgresError) {
                all.add(try tick(at: now, 1, only: name, types))
            } catch {
                if error.endsSession || error.isOutage { throw error }
                // Not its fault: it stays due.
                if [.conflict, .timeout].contains(error.kind) { continue }
                let reason = "its task is refused: \(error)"
                try put(name, off: reason, at: now)
                all.failures.append((name, reason))
            }
        }
        return all
    }

    private func tick(
        at now: Date?,
        _ limit: Int,
        only name: String?,
        _ types: [String: TaskType]
    ) throws(PostgresError) -> Ticks {
        try sessions.withSession { session throws(PostgresError) in
            let parameters: [Parameter] = [.optional(now), .integer(limit), .optional(name)]
            let rows = try session.flight([(.begin, []), (ScheduleSQL.lockDue, parameters)])[1]
            var due = try rows.map { row throws(PostgresError) in
                let schedule = try Schedule(&row)
                let now = Date(timeIntervalSince1970: try row.double() ?? 0)
                return DueSchedule(schedule, at: now, types, atMost: Self.mostTicks)
            }
            var outcomes = try TaskStore.submit(due.flatMap(\.requests), in: &session)[...]
            var ticks = Ticks()
            ticks.hasMore = due.count == limit
            for index in due.indices {
                let count = due[index].requests.count
                due[index].take(outcomes.prefix(count))
                outcomes = outcomes.dropFirst(count)
                ticks.add(due[index])
            }
            Failpoint.written.hit()
            _ = try session.flight([(ScheduleSQL.ticked, Self.ticked(due, now)), (.commit, [])])
            Failpoint.committed.hit()
            return ticks
        }
    }

    private func put(_ name: String, off reason: String, at now: Date?) throws(PostgresError) {
        try sessions.withSession { session throws(PostgresError) in
            let parameters: [Parameter] = [
                .text(name), .text(reason), .double(Self.pause), .optional(now),
            ]
            _ = try session.flight([(ScheduleSQL.putOff, parameters)])
        }
    }

    private static func ticked(_ due: [DueSchedule], _ now: Date?) -> [Parameter] {
        func seconds(_ time: Date?) -> String? { time.map { "\($0.timeIntervalSince1970)" } }
        return [
            .textArray(due.map(\.name)), .textArray(due.map { seconds($0.next) }),
            .textArray(due.map { seconds($0.last) }), .textArray(due.map(\.task?.text)),
            .textArray(due.map(\.error)), .double(pause), .optional(now),
        ]
    }
}

extension Ticks {
    fileprivate mutating func add(_ due: DueSchedule) {
        toPublish += due.toPublish
        (made, unique) = (made + due.made, unique + due.unique)
        if let error = due.error { failures.append((due.name, error)) }
        hasMore = hasMore || due.hasMore
    }

    fileprivate mutating func add(_ other: Ticks) {
        toPublish += other.toPublish
        (made, unique) = (made + other.made, unique + other.unique)
        failures += other.failures
        hasMore = hasMore || other.hasMore
    }
}
