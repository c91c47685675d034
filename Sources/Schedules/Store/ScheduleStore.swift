import Foundation
import Postgres
import Tasks

/// Schedules in PostgreSQL. All times are the database's.
package struct ScheduleStore: Sendable {
    let sessions: SessionPool
    let tasks: TaskStore

    package init(sessions: SessionPool) {
        self.sessions = sessions
        tasks = TaskStore(sessions: sessions)
    }

    /// Makes or replaces schedules, all or none. One whose times stay as they were keeps its next
    /// tick, and one that is paused stays so.
    ///
    /// - Parameters:
    ///   - token: of who makes them; 0 for none.
    ///   - kbID: where given, another kb's schedule is not replaced.
    /// - Returns: nil where one has the name of another kb's.
    package func apply(
        _ definitions: [ScheduleDefinition],
        token: Int = 0,
        kbID: String? = nil
    ) throws(PostgresError) -> [Schedule]? {
        try sessions.withSession { session throws(PostgresError) in
            let clock = try session.flight([(.begin, []), (ScheduleSQL.clock, [])])
            let seconds = try clock[1].first { row throws(PostgresError) in try row.double() }
            let now = Date(timeIntervalSince1970: seconds ?? 0)
            var made: [Schedule] = []
            for definition in definitions {
                let parameters =
                    ScheduleSQL.parameters(definition) + [
                        .optional(definition.next(after: now)), .integer(token), .optional(kbID),
                    ]
                made += try session.flight([(ScheduleSQL.apply, parameters)])[0]
                    .map(Schedule.init)
            }
            if made.count < definitions.count {
                _ = try session.flight([(.rollback, [])])
                return nil
            }
            _ = try session.flight([(.commit, [])])
            return made
        }
    }

    /// A page, by name.
    ///
    /// - Parameter last: only those behind this name.
    package func list(
        kbID: String? = nil,
        after last: String? = nil,
        limit: Int
    ) throws(PostgresError) -> [Schedule] {
        let parameters: [Parameter] = [.optional(kbID), .text(last ?? ""), .integer(limit)]
        return try rows(of: ScheduleSQL.list, parameters)
    }

    /// A page, by name, without payloads: each with the state of its last task, while its row is
    /// there.
    ///
    /// - Parameter last: only those behind this name.
    package func facts(
        after last: String? = nil,
        limit: Int
    ) throws(PostgresError) -> [(schedule: Schedule, lastState: TaskState?)] {
        try sessions.withSession { session throws(PostgresError) in
            let parameters: [Parameter] = [.text(last ?? ""), .integer(limit)]
            return try session.flight([(ScheduleSQL.facts, parameters)])[0]
                .map { row throws(PostgresError) in
                    let schedule = try Schedule(&row)
                    return (schedule, try row.integer().flatMap(TaskState.init(rawValue:)))
                }
        }
    }

    /// - Parameter kbID: where given, another kb's schedule is none; so with the others.
    package func get(_ name: String, kbID: String? = nil) throws(PostgresError) -> Schedule? {
        try rows(of: ScheduleSQL.get, [.text(name), .optional(kbID)]).first
    }

    /// - Returns: the schedule as it was; nil where there is none. Its tasks live on.
    package func delete(_ name: String, kbID: String? = nil) throws(PostgresError) -> Schedule? {
        try rows(of: ScheduleSQL.delete, [.text(name), .optional(kbID)]).first
    }

    /// Lets it make no tasks until it is resumed. One that is paused already stays as it is.
    ///
    /// - Parameter pauser: nil for the database's role.
    package func pause(
        _ name: String,
        by pauser: String? = nil,
        kbID: String? = nil
    ) throws(PostgresError) -> Schedule? {
        let parameters: [Parameter] = [.text(name), .optional(kbID), .optional(pauser)]
        return try rows(of: ScheduleSQL.pause, parameters).first
    }

    /// Lets it go on from now. What would have come while it was paused does not.
    package func resume(
        _ name: String,
        kbID: String? = nil
    ) throws(PostgresError) -> Schedule? {
        try sessions.withSession { session throws(PostgresError) in
            let key: [Parameter] = [.text(name), .optional(kbID)]
            let found = try session.flight([(.begin, []), (ScheduleSQL.lock, key)])[1]
                .first { row throws(PostgresError) -> (Schedule, Date)? in
                    (try Schedule(&row), Date(timeIntervalSince1970: try row.double() ?? 0))
                }
            guard let (schedule, now) = found, schedule.isPaused else {
                _ = try session.flight([(.rollback, [])])
                return found?.0
            }
            let next = schedule.definition.next(after: now)
            let resumed = try session.flight([
                (ScheduleSQL.resume, [.text(name), .optional(next)]), (.commit, []),
            ])
            return try resumed[0].map(Schedule.init).first
        }
    }

    private func rows(
        of statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) -> [Schedule] {
        try sessions.withSession { session throws(PostgresError) in
            try session.flight([(statement, parameters)])[0].map(Schedule.init)
        }
    }
}

extension Parameter {
    static func optional(_ text: String?) -> Parameter { text.map(Parameter.text) ?? .null }

    static func optional(_ number: Int?) -> Parameter { number.map(Parameter.integer) ?? .null }

    /// In seconds since 1970.
    static func optional(_ time: Date?) -> Parameter {
        time.map { .double($0.timeIntervalSince1970) } ?? .null
    }
}
