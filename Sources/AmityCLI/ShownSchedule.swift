import Foundation
import JSON
import SafeText
import Schedules

/// A schedule as operators see it: its payload only where it was asked for.
struct ShownSchedule: Encodable {
    static let timesAhead = 5

    private let name: String
    private let cron: String
    private let timeZone: String
    private let catchUp: String
    private let taskType: String
    private let kbId: String?
    private let priority: String?
    private let retryLimit: Int?
    private let timeoutSeconds: Int?
    private let unique: String?
    private let tags: [String]
    private let nextTimes: [Date]
    private let lastAt: Date?
    private let lastTask: String?
    private let lastError: String?
    private let pausedBy: String?
    private let pausedAt: Date?
    private let createdBy: Int?
    private let createdAt: Date
    private let changedAt: Date
    private var payload: String?
    private var zone: TimeZone?

    private enum CodingKeys: CodingKey {
        case name, cron, timeZone, catchUp, taskType, kbId, priority, retryLimit, timeoutSeconds
        case unique, tags, nextTimes, lastAt, lastTask, lastError, pausedBy, pausedAt, createdBy
        case createdAt, changedAt
    }

    init(_ schedule: Schedule, withPayload: Bool = false) {
        let definition = schedule.definition
        (name, cron, timeZone) = (definition.name, definition.cron, definition.timeZone)
        (catchUp, taskType) = (definition.catchUp.rawValue, definition.type)
        (kbId, priority) = (definition.kbID, definition.priority?.name)
        (retryLimit, timeoutSeconds) = (definition.retryLimit, definition.timeout)
        (unique, tags) = (definition.uniqueKey, definition.tags)
        nextTimes = schedule.nextTimes(Self.timesAhead)
        (lastAt, lastTask) = (schedule.lastAt, schedule.lastTask?.text)
        lastError = schedule.lastError
        (pausedBy, pausedAt) = (schedule.pausedBy, schedule.pausedAt)
        createdBy = schedule.createdBy == 0 ? nil : schedule.createdBy
        (createdAt, changedAt) = (schedule.createdAt, schedule.changedAt)
        zone = schedule.zone
        if withPayload { payload = definition.payload }
    }

    /// On one line, safe to show.
    var json: String {
        let known = JSONEncoder.api.certainText(self)
        let more = payload.map { ",\"payload\":\($0)" } ?? ""
        return "\(known.dropLast())\(more)}".printableJSON
    }

    // MARK: Text

    /// Each time there, and in UTC.
    static func lines(_ times: [Date], in timeZone: String) -> [String] {
        let zone = Recurrence.zone(named: timeZone)
        return TextTable.lines(
            times.map { [$0.text(in: zone), timeZone, $0.ISO8601Format()] }
        )
    }

    static let head = ["name", "type", "kb", "cron", "zone", "next", "last", "state"]

    private var state: String {
        if pausedAt != nil { return "paused" }
        return lastError == nil ? "active" : "failing"
    }

    var cells: [String] {
        [
            name, taskType, kbId ?? "-", cron, timeZone, nextTimes.first?.text(in: zone) ?? "-",
            lastAt?.text(in: zone) ?? "-", state,
        ]
    }

    /// One fact a line, then its next times.
    var lines: [String] {
        let facts: [[String]?] = [
            ["name", name], ["type", taskType], kbId.map { ["kb", $0] }, ["cron", cron],
            ["zone", timeZone], ["catch up", catchUp], priority.map { ["priority", $0] },
            retryLimit.map { ["retries", "\($0)"] }, timeoutSeconds.map { ["timeout", "\($0) s"] },
            unique.map { ["unique", $0] }, tags.isEmpty ? nil : ["tags"] + tags,
            ["state", state], pausedBy.map { ["paused by", $0] },
            pausedAt.map { ["paused at", $0.ISO8601Format()] },
            lastError.map { ["last error", $0] }, lastAt.map { ["last", $0.text(in: zone)] },
            lastTask.map { ["last task", $0] }, createdBy.map { ["created by", "token \($0)"] },
            ["created", createdAt.ISO8601Format()], ["changed", changedAt.ISO8601Format()],
        ]
        return TextTable.lines(facts.compactMap(\.self))
            + Self.lines(nextTimes, in: timeZone).map { "next  \($0)" }
            + (payload.map { ["payload  \($0.printableJSON)"] } ?? [])
    }
}

extension Schedule {
    /// nil for one that is unknown here.
    var zone: TimeZone? { Recurrence.zone(named: definition.timeZone) }
}

extension Date {
    /// As the wall clock shows it there, with its distance from UTC.
    func text(in zone: TimeZone?) -> String {
        ISO8601Format(Date.ISO8601FormatStyle(timeZoneSeparator: .colon, timeZone: zone ?? .gmt))
    }
}
