import Foundation
import HTTPServing
import Hummingbird
import Operations
import Tasks

/// What the page of tasks shows and does. No answer has what a task's client gave or what its
/// handler said.
struct TaskPageRoutes {
    /// Chosen: as old as other figures.
    private static let lifetime: Duration = .seconds(2)
    /// One that took a second is asked for again after twenty: a twentieth of one core at most.
    private static let costFactor = 20
    /// Bytes. Chosen: two names, and room.
    private static let largestOrder = 8 << 10

    private let operatorService: any OperatorService
    private let limit: LookupLimit
    private let alerts: CachedResponse
    private let overview: CachedResponse
    private let pages: CachedPages<TaskFilter>

    init(_ operatorService: any OperatorService, limit: LookupLimit) {
        self.operatorService = operatorService
        self.limit = limit
        alerts = Self.cached { () throws(OperatorServiceError) in
            ["alerts": try operatorService.taskAlerts()]
        }
        overview = Self.cached { () throws(OperatorServiceError) in
            ["tasks": try operatorService.taskOverview()]
        }
        pages = CachedPages { filter in
            Self.cached { () throws(OperatorServiceError) in try operatorService.tasks(filter) }
        }
    }

    private static func cached(
        _ ask: @escaping @Sendable () throws(OperatorServiceError) -> some Encodable
    ) -> CachedResponse {
        CachedResponse(lifetime: lifetime, costFactor: costFactor) {
            Result { () throws(OperatorServiceError) in .json(try ask()) }
        }
    }

    func add(to api: RouterGroup<BasicRequestContext>) {
        api.get("stats/task-alerts") { [alerts] _, _ in try await alerts.response() }
        api.get("stats/tasks") { [overview] _, _ in try await overview.response() }
        api.get("tasks") { request, _ in
            let filter = try Self.filter(of: request)
            return try await pages.response(filter, limit)
        }
        api.get("tasks/:id") { request, context in
            let id = try Self.id(in: context)
            let task = try await limit.run {
                try await ask { () throws(OperatorServiceError) in try operatorService.task(id) }
            }
            guard let task else { throw Self.missing }
            return Response.json(task)
        }
        api.post("tasks/:id/cancel") { _, context in
            try await move(context, operatorService.cancelTask) {
                "the task has ended already: it is \($0.name)"
            }
        }
        api.post("tasks/:id/retry") { _, context in
            try await move(context, operatorService.retryTask) {
                "only a task that failed or was cancelled can be retried: it is \($0.name)"
            }
        }
        api.post("tasks/retry") { request, _ in
            let body = try await request.body.collect(upTo: Self.largestOrder)
            let filter = try Self.filter(json: Data(body.readableBytesView))
            let result = try await ask { () throws(OperatorServiceError) in
                try operatorService.retryTasks(filter)
            }
            await forget()
            return Response.json(result)
        }
    }

    // MARK: What is asked

    private static func id(in context: BasicRequestContext) throws(HTTPError) -> TaskID {
        guard let id = context.part("id").flatMap({ TaskID($0) }) else { throw missing }
        return id
    }

    private static let missing = HTTPError(.notFound, message: "there is no such task")

    private static func filter(of request: Request) throws(HTTPError) -> TaskFilter {
        var filter = TaskFilter()
        for (name, value) in request.form {
            if value.isEmpty || value.utf8.count > 255 || value.utf8.contains(0) {
                throw HTTPError(.badRequest, message: "a parameter has 1 to 255 bytes")
            }
            switch name {
            case "state": filter.state = try known(TaskState(name: value), "state")
            case "type": filter.type = value
            case "code": filter.code = value
            case "before": filter.before = try known(TaskID(value), "id")
            case _:
                throw HTTPError(
                    .badRequest,
                    message: "the parameters are state, type, code, before"
                )
            }
        }
        return filter
    }

    private static func known<Value>(
        _ value: Value?,
        _ what: String
    ) throws(HTTPError) -> Value {
        guard let value else { throw HTTPError(.badRequest, message: "no such \(what)") }
        return value
    }

    /// Which failed tasks.
    private struct Form: Decodable {
        var type: String
        var code: String
    }

    private static func filter(json: Data) throws(HTTPError) -> TaskFilter {
        let form: Form
        do {
            form = try JSONDecoder().decode(Form.self, from: json)
        } catch {
            throw HTTPError(.badRequest, message: "a JSON object with type and code is needed")
        }
        var filter = TaskFilter()
        (filter.type, filter.code) = (form.type, form.code)
        if form.type.utf8.contains(0) || form.code.utf8.contains(0) {
            throw HTTPError(.badRequest, message: "no such type or code")
        }
        return filter
    }

    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable () throws(OperatorServiceError) -> Answer
    ) async throws -> Answer {
        switch await onOperatorThread({ Result(catching: question) }) {
        case .success(let answer): return answer
        case .failure(let error): throw HTTPError(.serviceUnavailable, message: "\(error)")
        }
    }

    // MARK: What is done

    private struct Moved: Encodable {
        var id: String
        var state: String
    }

    private func move(
        _ context: BasicRequestContext,
        _ order: @escaping @Sendable (TaskID) throws(OperatorServiceError) -> MoveOutcome,
        unchanged: (TaskState) -> String
    ) async throws -> Response {
        let id = try Self.id(in: context)
        let outcome = try await ask { () throws(OperatorServiceError) in try order(id) }
        await forget()
        switch outcome {
        case .moved(let task):
            return Response.json(Moved(id: task.id.text, state: task.state.name))
        case .unchanged(let task):
            throw HTTPError(.conflict, message: unchanged(task.state))
        case .twinLives:
            throw HTTPError(.conflict, message: "a task with the same unique key lives")
        case .missing: throw Self.missing
        }
    }

    private func forget() async {
        await overview.forget()
        await pages.forget()
    }
}
