import HTTPServing
import Hummingbird
import Locks
import Postgres
import TaskTypes
import Tasks

extension TaskRoutes {
    func addLocks(to router: Router<BasicRequestContext>) {
        let root = "api/v1/locks"
        add(router, root, [(.get, .lock, listLocks)])
        add(
            router,
            "\(root)/:name",
            [(.get, .lock, getLock), (.put, .lock, putLock), (.delete, .lock, deleteLock)]
        )
    }

    @Sendable private func listLocks(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        var query = Query(request, knowing: ["kb_id", "limit", "cursor"])
        let kbID = try caller.kb(query.text("kb_id"))
        let limit = Int(query.number("limit", 1...200) ?? 50)
        // A name has no slash in it; a kb may.
        let cursor = query.text("cursor").map { text in
            let slash = text.lastIndex(of: "/") ?? text.startIndex
            return (String?(String(text[..<slash])), String(text[slash...].drop { $0 == "/" }))
        }
        try query.check()
        let found = try await locks { store throws(PostgresError) in
            // One more tells whether there is a next page.
            try store.locks(kbID: kbID, after: cursor, limit: limit + 1)
        }
        let page = found.prefix(limit)
        var answer = Answer()
        answer.add("locks", page.map { Answer($0) })
        let last = found.count > limit ? page.last : nil
        answer.add("next_cursor", last.map { "\($0.kbID ?? "")/\($0.name)" })
        return answer.response()
    }

    @Sendable private func getLock(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        var query = Query(request, knowing: ["kb_id"])
        let kbID = try caller.kb(query.text("kb_id"))
        try query.check()
        let name = try lockName(context)
        let lock = try await locks { store throws(PostgresError) in
            try store.lock(named: name, kbID: kbID)
        }
        guard let lock else { throw Problem.noLock }
        return Answer(lock).response()
    }

    @Sendable private func putLock(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let (caller, body) = try await begin(request, atMost: Self.smallBody, .writeTasks)
        var members = try Members(body, knowing: ["owner", "ttl", "kb_id"])
        let owner = members.text("owner", 1...255)
        let seconds = members.number("ttl", ClientLock.leases)
        for name in ["owner", "ttl"] where !members.has(name) { members.note(name, "is missing") }
        let kbID = try caller.kb(members.text("kb_id", 1...255))
        let name = context.part("name") ?? ""
        if !TaskType.isName(name) { members.note("name", TaskType.nameRule) }
        try members.check()
        guard let owner, let seconds else { throw Problem.noLock }
        let outcome = try await locks { store throws(PostgresError) in
            try store.lock(name, owner: owner, for: seconds, kbID: kbID)
        }
        switch outcome {
        case .held(let lock): return Answer(lock).response()
        case .taken(let lock): throw Problem.taken(lock)
        }
    }

    @Sendable private func deleteLock(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.writeTasks)
        var query = Query(request, knowing: ["owner", "token", "kb_id"])
        let kbID = try caller.kb(query.text("kb_id"))
        let owner = query.text("owner")
        let token = query.number("token", 1...9e15).map { Int($0) }
        if owner == nil, token == nil { _ = query.needed("owner") }
        try query.check()
        let name = try lockName(context)
        let outcome = try await locks { store throws(PostgresError) in
            try store.unlock(name, owner: owner, token: token, kbID: kbID)
        }
        switch outcome {
        case .released(let lock): return Answer(lock).response()
        case .foreign(let lock): throw Problem.taken(lock)
        case .free: throw Problem.noLock
        }
    }

    private func locks<Value: Sendable>(
        _ body: @escaping @Sendable (LockStore) throws(PostgresError) -> Value
    ) async throws -> Value {
        let locks = service.locks
        return try await service.call { _ throws(PostgresError) in try body(locks) }
    }

    private func lockName(_ context: BasicRequestContext) throws(Problem) -> String {
        guard let name = context.part("name"), TaskType.isName(name) else {
            throw Problem.noLock
        }
        return name
    }
}

extension Problem {
    fileprivate static let noLock = Problem(
        .notFound,
        code: "not_found",
        "the lock is not held"
    )

    fileprivate static func taken(_ lock: ClientLock) -> Problem {
        Problem(
            .conflict,
            code: "lock_taken",
            "another owner has the lock",
            retryAfter: max(1, Int(lock.secondsLeft.rounded(.up)))
        )
    }
}

extension Answer {
    fileprivate init(_ lock: ClientLock) {
        add("name", lock.name)
        add("kb_id", lock.kbID)
        add("owner", lock.owner)
        add("token", lock.token)
        add("acquired_at", lock.acquiredAt)
        add("expires_at", lock.leaseUntil)
    }
}
