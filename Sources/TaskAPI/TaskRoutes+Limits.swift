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
        let (type, after) = (query.text("type"), query.text("cursor"))
        let limit = Int(query.number("limit", 1...200) ?? 50)
        try query.check()
        let found = try await service.call { store throws(PostgresError) in
            // One more tells whether there is a next page.
            try store.limits(of: type, after: after, atMost: limit + 1)
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("limits", page.map { Answer($0) })
        answer.add("next_cursor", found.count > limit ? page.last?.key : nil)
        return answer.response()
    }

    @Sendable func pauseLimit(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let (caller, subject) = try await subject(of: request)
        let isLimited = try await service.call { store throws(PostgresError) in
            try store.pause(subject, by: caller.name)
        }
        if !isLimited {
            throw Problem(
                .notFound,
                code: "no_such_limit",
                "only a type that has a limit can be paused: give it one with amity types apply"
            )
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

    /// A type, or a key of one.
    private func subject(of request: Request) async throws -> (Caller, String) {
        let (caller, body) = try await begin(request, atMost: Self.smallBody, .operations)
        var members = try Members(body, knowing: ["type", "key"])
        let (type, key) = (members.text("type", 1...100), members.text("key", 1...400))
        if members.has("type") == members.has("key") { members.note("", "has a type or a key") }
        try members.check()
        return (caller, type ?? key ?? "")
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

    init(_ limit: TaskLimit) {
        add("by", limit.key.text)
        add("rate", json: limit.rate.map { "\($0)" })
        add("burst", limit.burst)
        add("cap", limit.cap)
        add("order", limit.isStrict ? "strict" : nil)
    }
}
