import Digests
import HTTPServing
import Hummingbird
import Postgres
import Tasks

extension TaskRoutes {
    @Sendable func addToBatch(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: Self.largestBatch, .writeTasks)
        let id = try batchID(context)
        let rules = try await service.rules()
        let batch = try TaskBody.batch(body, rules: rules, caller: caller, isNew: false)
        var submission = try submission(request, batch.tasks, body, caller)
        submission.batch = .existing(id)
        // The same key and body for another batch is another request.
        submission.digest = Digest.sha256(Array("\(id)".utf8) + body)
        let made = try await service.submit(submission, at: batch.pointer)
        return Answer(made).response(.accepted)
    }

    @Sendable func getBatch(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        return Answer(try await batch(context, for: caller)).response()
    }

    /// What a caller asks to read.
    func batch(
        _ context: BasicRequestContext,
        for caller: Caller
    ) async throws -> BatchView {
        try caller.require(.readTasks)
        let id = try batchID(context)
        let batch = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try store.batch(id, kbID: kbID)
        }
        guard let batch else { throw Problem.noBatch }
        return batch
    }

    @Sendable func listBatches(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        var query = Query(request, knowing: ["kb_id", "limit", "cursor"])
        let kbID = try caller.kb(query.text("kb_id"))
        let before = query.id("cursor")
        let limit = Int(query.number("limit", 1...100) ?? 20)
        try query.check()
        let found = try await service.call { store throws(PostgresError) in
            // One more tells whether there is a next page.
            try store.batches(kbID: kbID, before: before, limit: limit + 1)
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("batches", page.map { Answer($0) })
        answer.add("next_cursor", found.count > limit ? page.last?.id.text : nil)
        return answer.response()
    }

    @Sendable func closeBatch(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        try await change(request, context, .writeTasks) { store, id, kbID throws(PostgresError) in
            try store.close(id, kbID: kbID)
        }
    }

    @Sendable func cancelBatch(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        try await change(request, context, .cancelTasks) { store, id, kbID throws(PostgresError) in
            try store.cancelBatch(id, kbID: kbID)
        }
    }

    private func change(
        _ request: Request,
        _ context: BasicRequestContext,
        _ scope: Scope,
        _ body:
            @escaping @Sendable (TaskStore, TaskID, String?) throws(PostgresError) -> BatchOutcome
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(scope)
        let id = try batchID(context)
        let outcome = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try body(store, id, kbID)
        }
        switch outcome {
        case .done(let batch): return Answer(batch).response()
        case .missing: throw Problem.noBatch
        }
    }

    func batchID(_ context: BasicRequestContext) throws(Problem) -> TaskID {
        guard let id = context.part("id").flatMap({ TaskID($0) }) else {
            throw Problem.noBatch
        }
        return id
    }
}

extension Problem {
    static let noBatch = Problem(.notFound, code: "not_found", "there is no such batch")
}
