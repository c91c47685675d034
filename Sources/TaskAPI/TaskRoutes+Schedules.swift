import Foundation
import HTTPServing
import Hummingbird
import JSON
import Postgres
import Schedules
import TaskTypes
import Tasks

extension TaskRoutes {
    private static let schedules = "api/v1/schedules"

    func addSchedules(to router: Router<BasicRequestContext>) {
        let root = Self.schedules
        add(router, root, [(.get, .schedule, listSchedules)])
        add(
            router,
            "\(root)/:name",
            [
                (.get, .schedule, getSchedule), (.put, .schedule, putSchedule),
                (.delete, .schedule, deleteSchedule),
            ]
        )
        add(router, "\(root)/:name/pause", [(.post, .schedule, pauseSchedule)])
        add(router, "\(root)/:name/resume", [(.post, .schedule, resumeSchedule)])
        add(router, "\(root)/:name/run", [(.post, .schedule, runSchedule)])
    }

    // MARK: Reading

    @Sendable private func listSchedules(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        var query = Query(request, knowing: ["kb_id", "limit", "cursor"])
        let kbID = try caller.kb(query.text("kb_id"))
        let limit = Int(query.number("limit", 1...200) ?? 50)
        let cursor = query.text("cursor")
        try query.check()
        let found = try await schedules { store throws(PostgresError) in
            // One more tells whether there is a next page.
            try store.list(kbID: kbID, after: cursor, limit: limit + 1)
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("schedules", page.map { Answer($0) })
        answer.add("next_cursor", found.count > limit ? page.last?.definition.name : nil)
        return answer.response()
    }

    @Sendable private func getSchedule(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        return Answer(wholeOf: try await schedule(context, caller)).response()
    }

    private func schedule(
        _ context: BasicRequestContext,
        _ caller: Caller
    ) async throws -> Schedule {
        try await one(context) { [kbID = caller.kbID] store, name throws(PostgresError) in
            try store.get(name, kbID: kbID)
        }
    }

    // MARK: Changing

    @Sendable private func putSchedule(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: TaskBody.largest, .writeTasks)
        let definition = try ScheduleBody.definition(
            body,
            named: context.part("name") ?? "",
            types: try await service.knownTypes(),
            caller: caller
        )
        let made = try await schedules { store throws(PostgresError) in
            try store.apply([definition], token: caller.token, kbID: caller.kbID)
        }
        guard let schedule = made?.first else {
            throw Problem(
                .conflict,
                code: "name_taken",
                "another kb has a schedule of that name"
            )
        }
        return Answer(wholeOf: schedule).response()
    }

    @Sendable private func deleteSchedule(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.writeTasks)
        let schedule = try await one(context) {
            [kbID = caller.kbID] store, name throws(PostgresError) in
            try store.delete(name, kbID: kbID)
        }
        return Answer(wholeOf: schedule).response()
    }

    @Sendable private func pauseSchedule(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.writeTasks, .operations)
        let schedule = try await one(context) { store, name throws(PostgresError) in
            try store.pause(name, by: caller.name, kbID: caller.kbID)
        }
        return Answer(wholeOf: schedule).response()
    }

    @Sendable private func resumeSchedule(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.writeTasks, .operations)
        let schedule = try await one(context) {
            [kbID = caller.kbID] store, name throws(PostgresError) in
            try store.resume(name, kbID: kbID)
        }
        return Answer(wholeOf: schedule).response()
    }

    /// Makes its task now. Its ticks stay as they are.
    @Sendable private func runSchedule(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.writeTasks)
        let definition = try await schedule(context, caller).definition
        guard let type = try await service.knownTypes()[definition.type] else {
            throw Problem(.conflict, code: "type_unknown", "the schedule's type is unknown")
        }
        let task = definition.task(type, at: nil)
        // An Idempotency-Key is for one schedule: it has no body that would tell two apart.
        let path = Array(request.uri.path.utf8)
        let made = try await service.submit(submission(request, [task], path, caller))
        guard let first = made.tasks.first else { throw Problem.unavailable }
        var response = Answer(first).response(.accepted)
        response.headers[.location] = "/\(Self.root)/\(first.id)"
        return response
    }

    // MARK: Calls

    private func schedules<Value: Sendable>(
        _ body: @escaping @Sendable (ScheduleStore) throws(PostgresError) -> Value
    ) async throws -> Value {
        let schedules = service.schedules
        return try await service.call { _ throws(PostgresError) in try body(schedules) }
    }

    /// - Throws: `Problem` 404 where there is none of that name, or not for this caller.
    private func one(
        _ context: BasicRequestContext,
        _ body: @escaping @Sendable (ScheduleStore, String) throws(PostgresError) -> Schedule?
    ) async throws -> Schedule {
        let name = context.part("name") ?? ""
        let isName = TaskType.isName(name)
        let found = try await schedules { store throws(PostgresError) in
            isName ? try body(store, name) : nil
        }
        guard let found else {
            throw Problem(.notFound, code: "not_found", "there is no such schedule")
        }
        return found
    }
}

extension Answer {
    /// Times that are told ahead.
    private static let timesAhead = 5

    /// A row of a list.
    fileprivate init(_ schedule: Schedule) {
        let definition = schedule.definition
        add("name", definition.name)
        add("cron", definition.cron)
        add("time_zone", definition.timeZone)
        add("catch_up", definition.catchUp.rawValue)
        add("task_type", definition.type)
        add("kb_id", definition.kbID)
        add("next_at", schedule.nextTimes(1).first)
        add("last_at", schedule.lastAt)
        add("last_task", schedule.lastTask?.text)
        add("last_error", schedule.lastError)
        add("paused_by", schedule.pausedBy)
        add("paused_at", schedule.pausedAt)
    }

    /// With all that its definition says.
    fileprivate init(wholeOf schedule: Schedule) {
        self.init(schedule)
        let definition = schedule.definition
        add("payload", json: definition.payload)
        add("priority", definition.priority?.name)
        add("retry_limit", definition.retryLimit)
        add("timeout_seconds", definition.timeout)
        add("unique", definition.uniqueKey)
        add("tags", json: JSONEncoder.stored.certainText(definition.tags))
        add("created_by", schedule.createdBy == 0 ? nil : schedule.createdBy)
        add("created_at", schedule.createdAt)
        add("changed_at", schedule.changedAt)
        let times = schedule.nextTimes(Self.timesAhead).map(TaskTime.text)
        add("next_times", json: JSONEncoder.stored.certainText(times))
    }
}
