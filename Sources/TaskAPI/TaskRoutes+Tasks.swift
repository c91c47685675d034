import Digests
import Foundation
import HTTPServing
import Hummingbird
import NIOCore
import Postgres
import Tasks

extension TaskRoutes {
    /// Of a batch's body, in bytes.
    package static let largestBatch = 1 << 20
    /// Of a body that has neither payload nor result.
    static let smallBody = 16 << 10
    /// Of an Idempotency-Key, in bytes.
    private static let longestKey = 255
    private static let longestWait = 30.0

    // MARK: Making

    @Sendable func submit(_ request: Request, _: BasicRequestContext) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: TaskBody.largest, .writeTasks)
        let rules = try await service.rules()
        let task = try TaskBody.task(body, rules: rules, caller: caller)
        let made = try await service.submit(submission(request, [task], body, caller))
        guard let first = made.tasks.first else { throw Problem.unavailable }
        var response = Answer(first).response(.accepted)
        response.headers[.location] = "/\(Self.root)/\(first.id)"
        return response
    }

    @Sendable func submitBatch(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: Self.largestBatch, .writeTasks)
        let rules = try await service.rules()
        let batch = try TaskBody.batch(body, rules: rules, caller: caller, isNew: true)
        var submission = try submission(request, batch.tasks, body, caller)
        submission.batch = .new(
            openFor: batch.isOpen ? batch.openFor ?? TaskStore.openFor : nil
        )
        submission.callback = batch.callback
        let made = try await service.submit(submission, at: batch.pointer)
        var response = Answer(made).response(.accepted)
        if let id = made.batchID { response.headers[.location] = "/api/v1/batches/\(id)" }
        return response
    }

    func submission(
        _ request: Request,
        _ tasks: [NewTask],
        _ body: [UInt8],
        _ caller: Caller
    ) throws(Problem) -> SubmitRequest {
        var submission = SubmitRequest(tasks)
        submission.token = caller.token
        submission.kbScope = caller.kbID
        guard let key = request.headers[.init("Idempotency-Key")!] else { return submission }
        guard (1...Self.longestKey).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x20..<0x7F).contains($0) })
        else {
            throw Problem(
                .unprocessableContent,
                code: "invalid",
                "the Idempotency-Key has 1 to \(Self.longestKey) characters of ASCII"
            )
        }
        submission.key = key
        submission.digest = Digest.sha256(body)
        return submission
    }

    // MARK: Reading

    @Sendable func get(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        let id = try id(context)
        var query = Query(request, knowing: ["wait"])
        let seconds = query.number("wait", 0...Self.longestWait) ?? 0
        try query.check()
        var task = try await read(id, caller)
        if seconds > 0, !task.view.state.isFinal {
            await service.watch.wait(for: id, seen: task.view.mark, atMost: .seconds(seconds))
            task = try await read(id, caller)
        }
        let isRunning = task.view.state == .processing
        let median = isRunning ? try await service.medianDuration(of: task.view.type) : nil
        return Answer(task, median: median).response()
    }

    private func read(_ id: TaskID, _ caller: Caller) async throws -> TaskDetail {
        let task = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try store.get(id, kbID: kbID)
        }
        guard let task else { throw Problem.noTask }
        return task
    }

    @Sendable func list(_ request: Request, _: BasicRequestContext) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        var query = Query(
            request,
            knowing: ["kb_id", "status", "type", "batch_id", "created_after", "limit", "cursor"]
        )
        var filter = TaskFilter()
        filter.kbID = try caller.kb(query.text("kb_id"))
        filter.state = query.state("status")
        filter.type = query.text("type")
        filter.batchID = query.id("batch_id")
        filter.createdAfter = query.time("created_after").map(\.milliseconds)
        filter.before = query.id("cursor")
        let limit = Int(query.number("limit", 1...200) ?? 50)
        try query.check()
        let found = try await service.call { [filter] store throws(PostgresError) in
            // One more tells whether there is a next page.
            try store.list(filter, limit: limit + 1)
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("tasks", page.map { Answer($0) })
        answer.add("next_cursor", found.count > limit ? page.last?.id.text : nil)
        return answer.response()
    }

    // MARK: Cancelling

    @Sendable func cancel(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.cancelTasks)
        let id = try id(context)
        let outcome = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try store.cancel(id, kbID: kbID)
        }
        let task = try outcome.task
        let isRunning = task.state == .processing
        var answer = Answer()
        answer.add("task_id", task.id.text)
        answer.add("status", task.state.status(isCancelAsked: true))
        return answer.response(isRunning ? .accepted : .ok)
    }

    @Sendable func cancelAll(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: Self.smallBody, .cancelTasks)
        let conditions: Set = ["kb_id", "status", "type", "batch_id", "created_after"]
        var members = try Members(body, knowing: conditions.union(["dry_run"]))
        var filter = TaskFilter()
        filter.kbID = try caller.kb(members.text("kb_id", 1...255))
        filter.state = members.text("status", 1...20).flatMap { name in
            let state = TaskState(name: name)
            if state == nil { members.note("status", Query.states) }
            return state
        }
        filter.type = members.text("type", 1...100)
        filter.batchID = members.text("batch_id", 1...40).flatMap { text in
            let id = TaskID(text)
            if id == nil { members.note("batch_id", "is no id") }
            return id
        }
        filter.createdAfter = members.time("created_after").map(\.milliseconds)
        let isDry = members.flag("dry_run") ?? false
        if !conditions.contains(where: members.has), filter.kbID == nil {
            members.note("", "needs one of \(conditions.sorted().joined(separator: ", "))")
        }
        try members.check()
        let tasks = try await service.call { [filter] store throws(PostgresError) in
            try store.cancelAll(filter, isDry: isDry)
        }
        var answer = Answer()
        answer.add("dry_run", json: "\(isDry)")
        answer.add("count", tasks.count)
        // Oldest first, as they were chosen.
        let ids = tasks.map { "\"\($0.id)\"" }.sorted().joined(separator: ",")
        answer.add("task_ids", json: "[\(ids)]")
        answer.add("more", json: "\(tasks.count == TaskStore.mostAtOnce)")
        return answer.response()
    }

    // MARK: Changing

    @Sendable func change(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: Self.smallBody, .writeTasks)
        let id = try id(context)
        var members = try Members(body, knowing: ["priority"])
        let priority = TaskBody.priority(&members)
        if !members.has("priority") { members.note("priority", "is missing") }
        try members.check()
        guard let priority else { throw Problem.noTask }
        let outcome = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try store.setPriority(priority, of: id, kbID: kbID)
        }
        let task = try outcome.task
        if case .unchanged = outcome, task.priority != priority {
            throw Problem(
                .conflict,
                code: "not_pending",
                "a task that is \(task.state.name) keeps its priority"
            )
        }
        return Answer(task).response()
    }

    @Sendable func retry(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.writeTasks)
        let id = try id(context)
        let outcome = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try store.retry(id, kbID: kbID)
        }
        let task = try outcome.task
        if case .unchanged = outcome {
            throw Problem(
                .conflict,
                code: "not_retryable",
                "a task that is \(task.state.name) is not retried"
            )
        }
        return Answer(task).response(.accepted)
    }

    // MARK: Requests

    func begin(
        _ request: Request,
        atMost bytes: Int,
        _ scope: Scope
    ) async throws -> (Caller, [UInt8]) {
        let caller = try await callers.caller(of: request)
        try caller.require(scope)
        return (caller, Array(try await request.json(upTo: bytes).readableBytesView))
    }

    func id(_ context: BasicRequestContext) throws(Problem) -> TaskID {
        guard let id = context.part("id").flatMap({ TaskID($0) }) else {
            throw Problem.noTask
        }
        return id
    }
}

extension Problem {
    static let noTask = Problem(.notFound, code: "not_found", "there is no such task")
}

extension MoveOutcome {
    /// - Throws: `Problem` 404 or 409 where it has none.
    fileprivate var task: MovedTask {
        get throws(Problem) {
            switch self {
            case .moved(let task), .unchanged(let task): return task
            case .missing: throw Problem.noTask
            case .twinLives:
                throw Problem(
                    .conflict,
                    code: "unique_twin_lives",
                    "a task with the same unique key lives"
                )
            }
        }
    }
}

extension Date {
    fileprivate var milliseconds: Int { Int(timeIntervalSince1970 * 1000) }
}
