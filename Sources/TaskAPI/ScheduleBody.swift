import HTTPServing
import Schedules
import TaskTypes
import Tasks

/// Bodies and files that define schedules.
package enum ScheduleBody {
    private static let known: Set = [
        "cron", "time_zone", "catch_up", "task_type", "kb_id", "payload", "priority",
        "retry_limit", "timeout_seconds", "unique", "tags",
    ]
    private static let later: Set = ["needs", "callback", "deadline_seconds"]

    /// Of `PUT /api/v1/schedules/{name}`.
    static func definition(
        _ body: [UInt8],
        named name: String,
        types: [String: TaskType],
        caller: Caller
    ) throws(Problem) -> ScheduleDefinition {
        var members = try Members(body, knowing: known, later: later)
        if !TaskType.isName(name) { members.note("name", TaskType.nameRule) }
        let definition = try read(&members, named: name, types, caller)
        try members.check()
        return definition
    }

    /// Of the file that `amity schedules apply` reads: `{"schedules": [{"name": …, "cron": …}]}`.
    package static func file(
        _ json: [UInt8],
        types: [String: TaskType]
    ) throws(Problem) -> [ScheduleDefinition] {
        var file = try Members(json, knowing: ["schedules"])
        let list = file.json("schedules", atMost: .max) ?? "null"
        let elements = try Members.elements(Array(list.utf8))
        if elements == nil { file.note("schedules", "is missing, or no array") }
        try file.check()
        var defects: [Problem.Defect] = []
        var definitions: [ScheduleDefinition] = []
        for (index, element) in (elements ?? []).enumerated() {
            var members = try Members(
                element,
                at: "/schedules/\(index)",
                knowing: known.union(["name"]),
                later: later
            )
            let name = members.text("name", 1...100) ?? ""
            if !members.has("name") {
                members.note("name", "is missing")
            } else if !name.isEmpty, !TaskType.isName(name) {
                members.note("name", TaskType.nameRule)
            } else if definitions.contains(where: { $0.name == name }) {
                members.note("name", "is there twice")
            }
            definitions.append(try read(&members, named: name, types, .administrator))
            defects += members.defects
        }
        try Problem.check(defects)
        return definitions
    }

    private static func read(
        _ members: inout Members,
        named name: String,
        _ types: [String: TaskType],
        _ caller: Caller
    ) throws(Problem) -> ScheduleDefinition {
        let type = TaskBody.type(&members, types)
        var schedule = ScheduleDefinition(name: name, cron: "", type: type?.name ?? "")
        if let cron = members.text("cron", 1...200) {
            schedule.cron = cron
            do throws(CronExpression.Invalid) {
                _ = try CronExpression(cron)
            } catch {
                members.note("cron", error.description)
            }
        } else if !members.has("cron") {
            members.note("cron", "is missing")
        }
        if let zone = members.text("time_zone", 1...100) {
            schedule.timeZone = zone
            if Recurrence.zone(named: zone) == nil {
                members.note("time_zone", "is no name of the IANA database, e.g. Europe/Berlin")
            }
        }
        if let text = members.text("catch_up", 1...20) {
            if let catchUp = CatchUp(rawValue: text) {
                schedule.catchUp = catchUp
            } else {
                let names = CatchUp.allCases.map(\.rawValue).joined(separator: ", ")
                members.note("catch_up", "is one of \(names)")
            }
        }
        schedule.kbID = try caller.kb(members.text("kb_id", 1...255))
        schedule.payload = members.json("payload", atMost: NewTask.largestPayload) ?? "{}"
        schedule.priority = TaskBody.priority(&members)
        schedule.retryLimit = members.integer("retry_limit", TaskType.retryLimits)
        schedule.timeout = members.integer("timeout_seconds", TaskType.timeouts)
        schedule.uniqueKey = members.text("unique", 1...255)
        schedule.tags = members.texts("tags", atMost: TaskBody.mostTags, 1...100) ?? []
        return schedule
    }
}
