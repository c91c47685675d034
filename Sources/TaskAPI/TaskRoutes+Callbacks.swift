import HTTPServing
import Hummingbird
import Postgres
import TaskTypes

/// URLs of callbacks that have said that they are gone.
extension TaskRoutes {
    func addCallbacks(to router: Router<BasicRequestContext>) {
        let root = "api/v1/callbacks/disabled"
        add(router, root, [(.get, .callbacks, listDisabled)])
        add(router, "\(root)/:id", [(.delete, .callbacks, enableCallback)])
    }

    @Sendable private func listDisabled(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        try await callers.caller(of: request).require(.operations)
        var query = Query(request, knowing: ["limit", "cursor"])
        let limit = Int(query.number("limit", 1...200) ?? 50)
        let cursor = query.text("cursor")
        try query.check()
        let found = try await service.call { store throws(PostgresError) in
            // One more tells whether there is a next page.
            try store.disabledCallbacks(after: cursor, limit: limit + 1)
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("disabled", page.map { Answer($0) })
        answer.add("next_cursor", found.count > limit ? page.last?.id : nil)
        return answer.response()
    }

    @Sendable private func enableCallback(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        try await callers.caller(of: request).require(.operations)
        let id = context.part("id") ?? ""
        let wasDisabled = try await service.call { store throws(PostgresError) in
            try store.enableCallback(id)
        }
        if !wasDisabled {
            throw Problem(.notFound, code: "not_found", "no URL of that id is disabled")
        }
        var answer = Answer()
        answer.add("id", id)
        return answer.response()
    }
}

extension Answer {
    fileprivate init(_ callback: DisabledCallback) {
        add("id", callback.id)
        add("url", callback.url)
        add("task_id", callback.task?.text)
        add("disabled_at", callback.disabledAt)
    }
}
