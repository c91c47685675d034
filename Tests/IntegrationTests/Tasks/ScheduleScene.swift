import Foundation
import Postgres
import Testing

@testable import Schedules
@testable import Tasks

/// A scene with schedules whose time is handed in.
final class ScheduleScene {
    let tasks: TaskScene
    /// As a scheduler or an API has it.
    let store: ScheduleStore

    init() throws {
        tasks = try TaskScene()
        store = Self.store(on: tasks.scene.settings.database)
    }

    static func store(on target: ConnectionTarget) -> ScheduleStore {
        ScheduleStore(
            sessions: SessionPool(
                target: target,
                limit: 1,
                applicationName: "schedules",
                statementTimeout: .seconds(20)
            )
        )
    }

    static func time(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

    /// Makes a schedule whose clock stands at `start`.
    func define(
        _ name: String,
        _ cron: String,
        from start: String = "2026-01-01T00:00:00Z",
        _ change: (inout ScheduleDefinition) -> Void = { _ in }
    ) throws {
        var definition = ScheduleDefinition(name: name, cron: cron, type: "test")
        change(&definition)
        try #require(try store.apply([definition]) != nil)
        let next = try definition.recurrence().next(after: Self.time(start))
        try tasks.sql(
            """
            UPDATE amity_schedules SET next_at = to_timestamp($1::float8),
                due_at = to_timestamp($1::float8) WHERE name = $2
            """,
            .optional(next),
            .text(name)
        )
    }

    @discardableResult
    func tick(at now: String) throws -> Ticks { try store.tick(at: Self.time(now)) }

    /// The ticks for which a schedule has made tasks, in order.
    func ticks(of name: String) throws -> [String] {
        try tasks.sql(
            """
            SELECT tag FROM amity_task_data, jsonb_array_elements_text(tags) AS tag
            WHERE tags ? ('schedule:' || $1) AND tag LIKE 'tick:%' ORDER BY tag
            """,
            .text(name)
        ).map { row throws(PostgresError) in String((try row.text() ?? "").dropFirst(5)) }
    }
}
