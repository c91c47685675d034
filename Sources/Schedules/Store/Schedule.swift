import Foundation
import JSON
import Postgres
import TaskTypes
import Tasks

/// What an operator or a client says of a schedule, checked.
package struct ScheduleDefinition: Sendable, Equatable {
    package var name: String
    /// As `CronExpression` reads it.
    package var cron: String
    package var timeZone = "UTC"
    package var catchUp = CatchUp.one
    /// Of the tasks that it makes.
    package var type: String
    package var kbID: String?
    /// JSON of at most `NewTask.largestPayload` bytes.
    package var payload = "{}"
    /// nil: as the type says at each tick; so are the next two.
    package var priority: Priority?
    package var retryLimit: Int?
    package var timeout: Int?
    package var uniqueKey: String?
    package var tags: [String] = []

    package init(name: String, cron: String, type: String) {
        (self.name, self.cron, self.type) = (name, cron, type)
    }

    /// Why nothing can be made of a schedule: a sentence that quotes nothing of it.
    package struct Unusable: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    package func recurrence() throws(Unusable) -> Recurrence {
        guard let zone = Recurrence.zone(named: timeZone) else {
            throw Unusable(description: "its time zone is unknown here")
        }
        do throws(CronExpression.Invalid) {
            return Recurrence(try CronExpression(cron), in: zone)
        } catch {
            throw Unusable(description: "its cron \(error)")
        }
    }

    /// The next tick. One that nothing can be made of is due at once: the scheduler says why.
    func next(after now: Date) -> Date? {
        do throws(Unusable) {
            return try recurrence().next(after: now)
        } catch {
            return now
        }
    }

    /// The task that it makes.
    ///
    /// - Parameter tick: nil where it is made by hand.
    package func task(_ type: TaskType, at tick: Date?) -> NewTask {
        var task = NewTask(type, payload: payload)
        task.priority = priority ?? task.priority
        task.retryLimit = retryLimit ?? task.retryLimit
        task.timeout = timeout ?? task.timeout
        (task.kbID, task.uniqueKey) = (kbID, uniqueKey)
        let own = ["schedule:\(name)"] + (tick.map { ["tick:\($0.ISO8601Format())"] } ?? [])
        task.tags = JSONEncoder.stored.certainText(tags + own)
        return task
    }
}

/// A schedule as it stands in the database.
package struct Schedule: Sendable {
    package var definition: ScheduleDefinition
    /// The next tick.
    package var nextAt: Date?
    /// The last tick that has made a task.
    package var lastAt: Date?
    package var lastTask: TaskID?
    /// Why the last tick could not make one.
    package var lastError: String?
    package var pausedBy: String?
    package var pausedAt: Date?
    /// The token's id; 0 for none and for `API_TOKEN`.
    package var createdBy: Int
    package var createdAt: Date
    package var changedAt: Date

    package var isPaused: Bool { pausedAt != nil }

    /// The next ticks, as far as they are known: none while it is paused.
    package func nextTimes(_ count: Int) -> [Date] {
        guard !isPaused, let next = nextAt else { return [] }
        do throws(ScheduleDefinition.Unusable) {
            return [next] + (try definition.recurrence().times(after: next, count - 1))
        } catch {
            // The scheduler says so at that tick.
            return [next]
        }
    }

    static let columns = columns(payload: "payload::text")
    /// Without the payload.
    static let factColumns = columns(payload: "NULL")

    private static func columns(payload: String) -> String {
        """
        name, cron, time_zone, catch_up, type, kb_id, \(payload), priority, retry_limit,
            timeout_seconds, unique_key, array_to_json(tags)::text, \(epoch("next_at")),
            \(epoch("last_at")), last_task, last_error, paused_by, \(epoch("paused_at")),
            created_by, \(epoch("created_at")), \(epoch("changed_at"))
        """
    }

    private static func epoch(_ column: String) -> String {
        "extract(epoch FROM \(column))::float8"
    }

    init(_ row: inout RowReader) throws(PostgresError) {
        let (name, cron) = (try row.text() ?? "", try row.text() ?? "")
        let timeZone = try row.text() ?? ""
        let catchUp = try row.text().flatMap(CatchUp.init(rawValue:)) ?? .one
        definition = ScheduleDefinition(name: name, cron: cron, type: try row.text() ?? "")
        (definition.timeZone, definition.catchUp) = (timeZone, catchUp)
        definition.kbID = try row.text()
        definition.payload = try row.text() ?? "{}"
        definition.priority = try row.integer().flatMap(Priority.init(rawValue:))
        definition.retryLimit = try row.integer()
        definition.timeout = try row.integer()
        definition.uniqueKey = try row.text()
        definition.tags = Self.tags(try row.text() ?? "[]")
        nextAt = try row.double().map(Date.init(timeIntervalSince1970:))
        lastAt = try row.double().map(Date.init(timeIntervalSince1970:))
        lastTask = try row.text().flatMap { TaskID($0) }
        lastError = try row.text()
        pausedBy = try row.text()
        pausedAt = try row.double().map(Date.init(timeIntervalSince1970:))
        createdBy = try row.integer() ?? 0
        createdAt = Date(timeIntervalSince1970: try row.double() ?? 0)
        changedAt = Date(timeIntervalSince1970: try row.double() ?? 0)
    }

    private static func tags(_ json: String) -> [String] {
        do {
            return try JSONDecoder().decode([String].self, from: Data(json.utf8))
        } catch {
            preconditionFailure("array_to_json of texts is no array of texts")
        }
    }
}
