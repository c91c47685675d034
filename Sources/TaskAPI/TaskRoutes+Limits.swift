import HTTPServing
import Hummingbird
import Postgres
import TaskTypes
import Tasks

extension TaskRoutes {
    @Sendable func listLimits(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        try await callers.caller(of: request).require(.operations)
        var query = Query(request, knowing: ["type", "limit", "cursor"])
        let (type, after) = (
            query.text("type"), query.text("cursor", atMost: PauseSubject.longestKey)
        )
        let limit = Int(query.number("limit", 1...200) ?? 50)
        try query.check()
        let (found, pauses) = try await service.call {
            store throws(PostgresError) -> ([LimitView], [TaskPause]) in
            // One more tells whether there is a next page.
            (try store.limits(of: type, after: after, atMost: limit + 1), try store.pauses())
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("limits", page.map { Answer($0) })
        answer.add("pauses", pauses.map { Answer($0) })
        answer.add("next_cursor", found.count > limit ? page.last?.key : nil)
        return answer.response()
    }

    @Sendable func pauseLimit(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let (caller, subject) = try await subject(of: request)
        if let type = subject.type, try await service.knownTypes()[type] == nil,
            type != TaskCallback.type
        {
            throw Problem(.notFound, code: "no_such_type", "there is no such type")
        }
        try await service.call { store throws(PostgresError) in
            try store.pause(subject, by: caller.name)
        }
        return paused(true)
    }

    @Sendable func resumeLimit(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let (_, subject) = try await subject(of: request)
        _ = try await service.call { store throws(PostgresError) in try store.resume(subject) }
        return paused(false)
    }

    private func paused(_ isPaused: Bool) -> Response {
        var answer = Answer()
        answer.add("paused", json: "\(isPaused)")
        return answer.response()
    }

    private func subject(of request: Request) async throws -> (Caller, PauseSubject) {
        let (caller, body) = try await begin(request, atMost: Self.smallBody, .operations)
        let names = ["type", "key", "pool"]
        var members = try Members(body, knowing: Set(names))
        let subject =
            members.text("type", 1...100).map(PauseSubject.type)
            ?? members.text("key", 1...PauseSubject.longestKey).map(PauseSubject.key)
            ?? members.text("pool", 1...40).map(PauseSubject.pool)
        switch subject {
        case .type(let name) where !TaskType.isName(name):
            members.note("type", TaskType.nameRule)
        case .key(let key) where !key.contains(":"):
            members.note("key", "is a type, a colon, and what of it has a limit")
        case .pool(let name) where !TaskType.isPool(name):
            members.note("pool", "has a to z, digits and hyphens")
        case _: break
        }
        if names.count(where: members.has) != 1 { members.note("", "has a type, a key or a pool") }
        try members.check()
        guard let subject else { throw Problem.unavailable }
        return (caller, subject)
    }
}

extension Answer {
    init(_ view: LimitView) {
        add("key", view.key)
        add("type", view.type)
        add("limit", json: view.limit.map { Answer($0).json })
        add("tokens", json: view.tokens.map { "\($0)" })
        add("waiting", view.waiting)
        add("queued", view.queued)
        add("running", view.running)
        add("paused_by", view.pausedBy)
        add("paused_at", view.pausedAt)
    }

    fileprivate init(_ pause: TaskPause) {
        switch pause.subject {
        case .type(let name): add("type", name)
        case .key(let key): add("key", key)
        case .pool(let name): add("pool", name)
        }
        add("paused_by", pause.by)
        add("paused_at", pause.since)
    }

    init(_ limit: TaskLimit) {
        add("by", limit.key.text)
        add("rate", json: limit.rate.map { "\($0)" })
        add("burst", limit.burst)
        add("cap", limit.cap)
        add("order", limit.isStrict ? "strict" : nil)
    }
}
