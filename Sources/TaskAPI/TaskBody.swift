import Foundation
import HTTPServing
import JSON
import Tasks

/// Bodies that ask for tasks.
enum TaskBody {
    /// Of a body with one task: its payload, and all the rest.
    static let largest = NewTask.largestPayload + (64 << 10)
    static let mostInABatch = 1_000
    static let mostTags = 20
    /// Ten years, in seconds.
    private static let longestDelay = 315_360_000.0

    private static let known: Set = [
        "task_type", "kb_id", "payload", "priority", "retry_limit", "delay_seconds", "run_at",
        "unique", "deadline", "timeout_seconds", "tags",
    ]
    private static let later: Set = ["needs", "on_failed_need", "callback", "limit_key"]

    /// Of `POST /api/v1/tasks`.
    static func task(
        _ body: [UInt8],
        types: [String: TaskType],
        caller: Caller
    ) throws(Problem) -> NewTask {
        var defects: [Problem.Defect] = []
        let task = try read(body, at: "", types, caller, &defects)
        try Problem.check(defects)
        guard let task else { preconditionFailure("what is no task has a defect") }
        return task
    }

    /// Of `POST /api/v1/tasks/batch`: an array, or an object with the array `tasks`.
    static func batch(
        _ body: [UInt8],
        types: [String: TaskType],
        caller: Caller
    ) throws(Problem) -> [NewTask] {
        var pointer = ""
        var elements = try Members.elements(body)
        if elements == nil {
            var members = try Members(body, knowing: ["tasks"], later: ["open", "callback"])
            pointer = "/tasks"
            elements =
                try members.json("tasks", atMost: .max).map { (text) throws(Problem) in
                    try Members.elements(Array(text.utf8))
                } ?? nil
            if elements == nil { members.note("tasks", "is missing, or no array") }
            try members.check()
        }
        guard let elements, (1...mostInABatch).contains(elements.count) else {
            throw Problem(
                .unprocessableContent,
                code: "invalid",
                "a batch has the wrong size",
                defects: [.init(at: pointer, "has 1 to \(mostInABatch) tasks")]
            )
        }
        var defects: [Problem.Defect] = []
        var tasks: [NewTask] = []
        for (index, element) in elements.enumerated() where defects.count < 100 {
            let task = try read(element, at: "\(pointer)/\(index)", types, caller, &defects)
            if let task { tasks.append(task) }
        }
        try Problem.check(defects)
        return tasks
    }

    private static func read(
        _ json: [UInt8],
        at pointer: String,
        _ types: [String: TaskType],
        _ caller: Caller,
        _ defects: inout [Problem.Defect]
    ) throws(Problem) -> NewTask? {
        var members = try Members(json, at: pointer, knowing: known, later: later)
        defer { defects += members.defects }
        if !members.defects.isEmpty && !members.has("task_type") { return nil }
        let payload = members.json("payload", atMost: NewTask.largestPayload) ?? "{}"
        guard let type = type(&members, types) else { return nil }
        var task = NewTask(type: type.name, pool: type.pool, payload: payload)
        task.priority = priority(&members) ?? type.priority
        task.retryLimit = members.integer("retry_limit", TaskType.retryLimits) ?? type.retryLimit
        task.timeout = members.integer("timeout_seconds", TaskType.timeouts) ?? type.timeout
        task.delay = members.number("delay_seconds", 0...longestDelay)
        task.runAt = members.time("run_at").map(TaskTime.text)
        if task.delay != nil, members.has("run_at") {
            members.note("run_at", "cannot stand beside delay_seconds")
        }
        task.deadline = members.time("deadline").map(TaskTime.text)
        task.kbID = try caller.kb(members.text("kb_id", 1...255))
        task.uniqueKey = members.text("unique", 1...255)
        task.tags = members.texts("tags", atMost: mostTags, 1...100)
            .map(JSONEncoder.stored.certainText)
        return task
    }

    static func type(
        _ members: inout Members,
        _ types: [String: TaskType]
    ) -> TaskType? {
        if !members.has("task_type") {
            members.note("task_type", "is missing")
            return nil
        }
        guard let name = members.text("task_type", 1...100) else { return nil }
        if let type = types[name] { return type }
        let known = types.keys.sorted().prefix(100).joined(separator: ", ")
        members.note("task_type", "is unknown; known are \(known)")
        return nil
    }

    static func priority(_ members: inout Members) -> Priority? {
        guard let name = members.text("priority", 1...20) else { return nil }
        if let priority = Priority(name: name) { return priority }
        let names = Priority.allCases.map(\.name).joined(separator: ", ")
        members.note("priority", "is one of \(names)")
        return nil
    }
}
