import Foundation
import HTTPCalling
import HTTPServing
import JSON
import TaskTypes
import Tasks

/// Bodies that ask for tasks.
enum TaskBody {
    /// Of a body with one task: its payload, and all the rest.
    static let largest = NewTask.largestPayload + (64 << 10)
    static let mostInABatch = 1_000
    /// Of a batch, in seconds: a week.
    private static let longestOpen = 604_800
    static let mostTags = 20

    private static let known: Set = [
        "task_type", "kb_id", "payload", "priority", "retry_limit", "delay_seconds", "run_at",
        "unique", "deadline", "timeout_seconds", "tags", "needs", "on_failed_need", "callback",
    ]
    private static let later: Set = ["limit_key"]

    /// What is known of tasks that may be made.
    struct Rules: Sendable {
        var types: [String: TaskType]
        /// That callbacks may go to.
        var targets: TargetHosts
    }

    /// Of `POST /api/v1/tasks`.
    static func task(
        _ body: [UInt8],
        rules: Rules,
        caller: Caller
    ) throws(Problem) -> NewTask {
        var defects: [Problem.Defect] = []
        let task = try read(body, at: ("", 0), rules, caller, &defects)
        try Problem.check(defects)
        guard let task else { preconditionFailure("what is no task has a defect") }
        return task
    }

    struct Batch {
        var tasks: [NewTask]
        /// Of the tasks, in the body.
        var pointer: String
        var isOpen = false
        /// In seconds; nil for the default.
        var openFor: Int?
        var callback: TaskCallback?
    }

    /// Of `POST /api/v1/tasks/batch` and of `…/batches/{id}/tasks`: an array, or an object with the
    /// array `tasks`.
    ///
    /// - Parameter isNew: whether it may say that the batch stays open; then it may be empty.
    static func batch(
        _ body: [UInt8],
        rules: Rules,
        caller: Caller,
        isNew: Bool
    ) throws(Problem) -> Batch {
        var pointer = ""
        var batch = Batch(tasks: [], pointer: "")
        var elements = try Members.elements(body)
        if elements == nil {
            let known: Set = isNew ? ["tasks", "open", "open_seconds", "callback"] : ["tasks"]
            var members = try Members(body, knowing: known)
            pointer = "/tasks"
            batch.isOpen = members.flag("open") ?? false
            batch.openFor = members.integer("open_seconds", 1...longestOpen)
            if batch.openFor != nil, !batch.isOpen {
                members.note("open_seconds", "needs open: true")
            }
            if batch.isOpen, !members.has("tasks") { elements = [] }
            if let text = members.json("tasks", atMost: .max) {
                elements = try Members.elements(Array(text.utf8))
            }
            if elements == nil { members.note("tasks", "is missing, or no array") }
            batch.callback = try callback(&members, at: "", rules.targets)
            try members.check()
        }
        let least = batch.isOpen ? 0 : 1
        guard let elements, (least...mostInABatch).contains(elements.count) else {
            throw Problem(
                .unprocessableContent,
                code: "invalid",
                "a batch has the wrong size",
                defects: [.init(at: pointer, "has \(least) to \(mostInABatch) tasks")]
            )
        }
        var defects: [Problem.Defect] = []
        for (index, element) in elements.enumerated() where defects.count < 100 {
            let place = ("\(pointer)/\(index)", index)
            let task = try read(element, at: place, rules, caller, &defects)
            if let task { batch.tasks.append(task) }
        }
        try Problem.check(defects)
        batch.pointer = pointer
        return batch
    }

    private static func read(
        _ json: [UInt8],
        at place: (pointer: String, index: Int),
        _ rules: Rules,
        _ caller: Caller,
        _ defects: inout [Problem.Defect]
    ) throws(Problem) -> NewTask? {
        var members = try Members(json, at: place.pointer, knowing: known, later: later)
        defer { defects += members.defects }
        if !members.defects.isEmpty && !members.has("task_type") { return nil }
        let payload = members.json("payload", atMost: NewTask.largestPayload) ?? "{}"
        guard let type = type(&members, rules.types) else { return nil }
        var task = NewTask(type, payload: payload)
        task.priority = priority(&members) ?? task.priority
        task.retryLimit = members.integer("retry_limit", TaskType.retryLimits) ?? task.retryLimit
        task.timeout = members.integer("timeout_seconds", TaskType.timeouts) ?? task.timeout
        task.delay = members.number("delay_seconds", 0...RetryRule.longestDelay)
        task.runAt = members.time("run_at").map(TaskTime.text)
        if task.delay != nil, members.has("run_at") {
            members.note("run_at", "cannot stand beside delay_seconds")
        }
        task.needs = needs(&members, before: place.index)
        if !task.needs.isEmpty {
            for name in ["run_at", "delay_seconds"] where members.has(name) {
                members.note(name, "cannot stand beside needs")
            }
        }
        task.runsOnFailedNeed = runsOnFailedNeed(&members)
        task.callback = try callback(&members, at: place.pointer, rules.targets)
        task.deadline = members.time("deadline").map(TaskTime.text)
        task.kbID = try caller.kb(members.text("kb_id", 1...255))
        task.uniqueKey = members.text("unique", 1...255)
        task.tags = members.texts("tags", atMost: mostTags, 1...100)
            .map(JSONEncoder.stored.certainText)
        return task
    }

    /// - Parameter index: of the task in its batch: it may need those before it.
    private static func needs(_ members: inout Members, before index: Int) -> [NewTask.Need] {
        let texts = members.texts("needs", atMost: NewTask.mostNeeds, 1...40) ?? []
        var needs: [NewTask.Need] = []
        for (position, text) in texts.enumerated() {
            if let id = TaskID(text) {
                needs.append(.task(id))
            } else if text.hasPrefix("#"), let entry = Int(text.dropFirst()),
                (0..<index).contains(entry)
            {
                needs.append(.entry(entry))
            } else {
                members.note(
                    "needs",
                    at: position,
                    "is a task's id, or # and the number of an earlier task of the batch, from 0 on"
                )
            }
        }
        return needs
    }

    /// - Parameter pointer: of the object that it is a member of.
    private static func callback(
        _ members: inout Members,
        at pointer: String,
        _ targets: TargetHosts
    ) throws(Problem) -> TaskCallback? {
        guard members.has("callback"), let json = members.json("callback", atMost: 16 << 10) else {
            return nil
        }
        var inner = try Members(json.utf8, at: "\(pointer)/callback", knowing: ["url", "secret"])
        defer { members.add(inner.defects) }
        if !inner.defects.isEmpty { return nil }
        if !inner.has("url") { inner.note("url", "is missing") }
        let secret = inner.text("secret", 1...100)
        if let secret, !TaskCallback.isSecretName(secret) {
            inner.note(
                "secret",
                "is \(TaskCallback.secretPrefix), with A to Z, digits and underscores behind"
            )
        }
        guard let url = inner.text("url", 1...TaskCallback.longestURL) else { return nil }
        guard let target = HTTPTarget(url), targets.mayAdmit(target) else {
            inner.note(
                "url",
                "is no URL of https to a public host, nor of one in HTTP_TARGET_HOSTS"
            )
            return nil
        }
        // As long as a name may be; it stands in the key of a limit, which an index has to hold.
        guard target.host.utf8.count <= 253 else {
            inner.note("url", "has a host of more than 253 bytes")
            return nil
        }
        return TaskCallback(url: url, secret: secret, host: "\(target.host):\(target.port)")
    }

    private static func runsOnFailedNeed(_ members: inout Members) -> Bool {
        switch members.text("on_failed_need", 1...20) {
        case nil, "cancel": return false
        case "run": return true
        case _:
            members.note("on_failed_need", "is cancel or run")
            return false
        }
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
