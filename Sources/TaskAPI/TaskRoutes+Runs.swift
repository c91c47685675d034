import HTTPServing
import Hummingbird
import NIOCore
import Postgres
import Tasks

/// Routes of services that report on a run. They show the run's own token.
extension TaskRoutes {
    private static let longestNote = 1_000
    private static let longestMessage = 1_000

    @Sendable func reportProgress(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (id, token) = try await holder(request, context)
        let body = Array(try await request.json(upTo: Self.smallBody).readableBytesView)
        var members = try Members(body, knowing: ["progress", "note"])
        let percent = members.integer("progress", 0...100)
        let note = members.text("note", 0...Self.longestNote)
        try members.check()
        let isOwn = try await service.call { store throws(PostgresError) in
            try store.reportProgress(id, run: token.run, percent: percent, note: note)
        }
        if !isOwn { throw try await reason(id, token) }
        return answer(id, .processing)
    }

    @Sendable func complete(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (id, token) = try await holder(request, context)
        let limit = TaskStore.largestResult + Self.smallBody
        let body = Array(try await request.json(upTo: limit).readableBytesView)
        var members = try Members(body, knowing: ["result"])
        let result = members.json("result", atMost: TaskStore.largestResult)
        try members.check()
        return try await end(id, token, as: .succeeded(result: result))
    }

    @Sendable func fail(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (id, token) = try await holder(request, context)
        let body = Array(try await request.json(upTo: Self.smallBody).readableBytesView)
        var members = try Members(body, knowing: ["code", "message", "retry"])
        let code = members.text("code", 1...100)
        if !members.has("code") { members.note("code", "is missing") }
        let message = members.text("message", 0...Self.longestMessage) ?? ""
        let retries = members.flag("retry") ?? true
        try members.check()
        let outcome = RunOutcome.failed(code: code ?? "", message: message, retries: retries)
        return try await end(id, token, as: outcome)
    }

    private func end(
        _ id: TaskID,
        _ token: RunToken,
        as outcome: RunOutcome
    ) async throws -> Response {
        let moved = try await service.call { store throws(PostgresError) in
            try store.finish(id, run: token.run, as: outcome)
        }
        if let moved { return answer(id, moved.state) }
        // A client that lost the answer to its report sends it again.
        if case .succeeded(let result) = outcome {
            let isDone = try await service.call { store throws(PostgresError) in
                try store.isCompleted(id, run: token.run, result: result)
            }
            if isDone { return answer(id, .completed) }
        }
        throw try await reason(id, token)
    }

    private func answer(_ id: TaskID, _ state: TaskState) -> Response {
        var answer = Answer()
        answer.add("task_id", id.text)
        answer.add("status", state.name)
        return answer.response()
    }

    // MARK: Tokens

    /// - Throws: `Problem` 401 without a run's token, 409 where the run is not its own any more.
    private func holder(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> (TaskID, RunToken) {
        let shown =
            request.headers[.init("amity-run-token")!] ?? AccessControl.bearer(of: request)
        guard let token = shown.flatMap({ RunToken($0) }) else { throw Problem.unauthorized }
        let id = try id(context)
        let holder = try await service.call { store throws(PostgresError) in
            try store.holder(of: token, task: id)
        }
        guard let holder, holder.run == token.run else { throw Problem.notYours }
        if holder.isCancelAsked { throw Problem.cancelled }
        return (id, token)
    }

    /// Why a run is not its own any more: what it was a moment ago, it is not now.
    private func reason(_ id: TaskID, _ token: RunToken) async throws -> Problem {
        let holder = try await service.call { store throws(PostgresError) in
            try store.holder(of: token, task: id)
        }
        return holder?.isCancelAsked == true ? .cancelled : .notYours
    }
}

extension Problem {
    fileprivate static let cancelled = Problem(
        .conflict,
        code: "cancelled",
        "the task is cancelled"
    )
    fileprivate static let notYours = Problem(
        .conflict,
        code: "not_yours",
        "the run has ended, or another has taken its place"
    )
}
