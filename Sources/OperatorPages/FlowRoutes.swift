import FlowOperations
import Foundation
import HTTPServing
import Hummingbird
import Operations
import TaskTypes
import Tasks

/// What the page of limits, schedules and batches shows and does. No answer has a payload or a
/// result.
struct FlowRoutes {
    /// Bytes. Chosen: a key, and room.
    private static let largestOrder = 8 << 10

    private let flowService: any FlowOperatorService
    private let limit: LookupLimit
    private let limits: CachedPages<LimitQuery>
    private let schedules: CachedPages<String?>
    private let batches: CachedPages<TaskID?>
    private let pictures: CachedPages<TaskID>

    init(_ flowService: any FlowOperatorService, limit: LookupLimit) {
        self.flowService = flowService
        self.limit = limit
        limits = CachedPages { query in
            Self.cached { () throws(OperatorServiceError) in
                ["flow": try flowService.limits(query)]
            }
        }
        schedules = CachedPages { name in
            Self.cached { () throws(OperatorServiceError) in
                ["flow": try flowService.schedules(after: name)]
            }
        }
        batches = CachedPages { id in
            Self.cached { () throws(OperatorServiceError) in
                ["flow": try flowService.batches(before: id)]
            }
        }
        pictures = CachedPages { id in
            Self.cached { () throws(OperatorServiceError) in
                ["flow": try flowService.batch(id)]
            }
        }
    }

    private static func cached(
        _ ask: @escaping @Sendable () throws(OperatorServiceError) -> some Encodable
    ) -> CachedResponse {
        CachedResponse(
            lifetime: CachedPages<TaskID>.lifetime,
            costFactor: CachedPages<TaskID>.costFactor
        ) {
            Result { () throws(OperatorServiceError) in .json(try ask()) }
        }
    }

    func add(to api: RouterGroup<BasicRequestContext>) {
        api.get("limits") { request, _ in
            var query = LimitQuery()
            for (name, value) in try Self.parameters(of: request, ["all", "after"]) {
                if name == "after" { query.after = value } else { query.isAll = value == "1" }
            }
            return try await limits.response(query, limit)
        }
        for (verb, isOn) in [("pause", true), ("resume", false)] {
            api.post("limits/\(verb)") { request, _ in try await setPause(request, isOn: isOn) }
            api.post("schedules/:name/\(verb)") { _, context in
                let name = try Self.name(in: context)
                let record = try await ask { () throws(OperatorServiceError) in
                    try flowService.setSchedule(name, isPaused: isOn)
                }
                await schedules.forget()
                guard let record else { throw Self.missing("schedule") }
                return Response.json(record)
            }
        }
        api.get("schedules") { request, _ in
            let name = try Self.parameters(of: request, ["after"]).first?.value
            return try await schedules.response(name, limit)
        }
        api.post("schedules/:name/run") { _, context in try await run(context) }
        api.get("batches") { request, _ in
            let before = try Self.parameters(of: request, ["before"]).first?.value
            let id = before.flatMap { TaskID($0) }
            if before != nil, id == nil { throw HTTPError(.badRequest, message: "no such id") }
            return try await batches.response(id, limit)
        }
        api.get("batches/:id") { _, context in
            // One that is not there is null.
            try await pictures.response(try Self.id(in: context), limit)
        }
        api.post("batches/:id/cancel") { _, context in
            let id = try Self.id(in: context)
            let record = try await ask { () throws(OperatorServiceError) in
                try flowService.cancelBatch(id)
            }
            await batches.forget()
            await pictures.forget()
            guard let record else { throw Self.missing("batch") }
            return Response.json(record)
        }
    }

    // MARK: What is asked

    /// - Throws: `HTTPError` for a name that is not known, and for a value that no text of the
    ///   database has.
    private static func parameters(
        of request: Request,
        _ known: Set<String>
    ) throws(HTTPError) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        for (name, value) in request.form {
            guard known.contains(name), !value.isEmpty, !value.utf8.contains(0),
                value.unicodeScalars.count <= PauseSubject.longestKey
            else {
                let names = known.sorted().joined(separator: ", ")
                throw HTTPError(.badRequest, message: "the parameters are \(names)")
            }
            found.append((name, value))
        }
        return found
    }

    private static func name(in context: BasicRequestContext) throws(HTTPError) -> String {
        guard let name = context.part("name"), TaskType.isName(name) else {
            throw missing("schedule")
        }
        return name
    }

    private static func id(in context: BasicRequestContext) throws(HTTPError) -> TaskID {
        guard let id = context.part("id").flatMap({ TaskID($0) }) else {
            throw missing("batch")
        }
        return id
    }

    private static func missing(_ what: String) -> HTTPError {
        HTTPError(.notFound, message: "there is no such \(what)")
    }

    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable () throws(OperatorServiceError) -> Answer
    ) async throws -> Answer {
        try await limit.run {
            switch await onOperatorThread({ Result(catching: question) }) {
            case .success(let answer): return answer
            case .failure(let error):
                throw HTTPError(.serviceUnavailable, message: "\(error)")
            }
        }
    }

    // MARK: What is done

    /// What is paused or resumed: one of these.
    private struct Form: Decodable {
        var type: String?
        var key: String?
        var pool: String?

        /// - Returns: nil where that is not understood.
        var subject: PauseSubject? {
            switch (type, key, pool) {
            case (let type?, nil, nil) where TaskType.isName(type): .type(type)
            case (nil, let key?, nil)
            where key.contains(":") && !key.utf8.contains(0)
                && key.unicodeScalars.count <= PauseSubject.longestKey:
                .key(key)
            case (nil, nil, let pool?) where TaskType.isPool(pool): .pool(pool)
            case _: nil
            }
        }
    }

    private struct Paused: Encodable {
        var isPaused: Bool
    }

    private func setPause(_ request: Request, isOn: Bool) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.largestOrder)
        let form: Form?
        do {
            form = try JSONDecoder().decode(Form.self, from: Data(body.readableBytesView))
        } catch {
            form = nil
        }
        guard let subject = form?.subject else {
            throw HTTPError(
                .badRequest,
                message: "a JSON object with a type, a key (type:name) or a pool is needed"
            )
        }
        let isDone = try await ask { () throws(OperatorServiceError) in
            try flowService.setPause(subject, isOn: isOn)
        }
        await limits.forget()
        if isDone != true, isOn { throw Self.missing("type") }
        return Response.json(Paused(isPaused: isOn))
    }

    private struct Made: Encodable {
        var task: String
        /// A task with the same unique key lives: none was made.
        var isDuplicate: Bool
    }

    private func run(_ context: BasicRequestContext) async throws -> Response {
        let name = try Self.name(in: context)
        let run = try await ask { () throws(OperatorServiceError) in
            try flowService.runSchedule(name)
        }
        await schedules.forget()
        switch run {
        case .made(let id): return Response.json(Made(task: id.text, isDuplicate: false))
        case .lives(let id): return Response.json(Made(task: id.text, isDuplicate: true))
        case .typeUnknown:
            throw HTTPError(.conflict, message: "the type of the schedule is unknown")
        case .missing, nil: throw Self.missing("schedule")
        }
    }
}
