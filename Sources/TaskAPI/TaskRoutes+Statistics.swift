import HTTPServing
import Hummingbird
import Postgres
import TaskTypes
import Tasks

extension TaskRoutes {
    @Sendable func types(_ request: Request, _: BasicRequestContext) async throws -> Response {
        try await callers.caller(of: request).require(.readTasks, .writeTasks)
        let types = try await service.knownTypes().values.sorted { $0.name < $1.name }
        var answer = Answer()
        answer.add(
            "types",
            types.map { type in
                var answer = Answer()
                answer.add("type", type.name)
                answer.add("pool", type.pool)
                answer.add("priority", type.priority.name)
                // A service's address is an operator's matter.
                answer.add("handler", type.handler.kind)
                answer.add("timeout_seconds", type.timeout)
                answer.add("retry_limit", type.retryLimit)
                answer.add("limit", json: type.limit.map { Answer($0).json })
                return answer
            }
        )
        return answer.response()
    }

    /// Each queue that has tasks.
    @Sendable func queues(_ request: Request, _: BasicRequestContext) async throws -> Response {
        let depths = try await depths(request)
        let pauses = try await service.call { store throws(PostgresError) in try store.pauses() }
        let queues = Dictionary(grouping: depths) { depth in
            TaskQueue(pool: depth.pool, priority: depth.priority)
        }
        let sorted = queues.sorted {
            ($0.key.pool, $0.key.priority.rawValue) < ($1.key.pool, $1.key.priority.rawValue)
        }
        var answer = Answer()
        answer.add(
            "queues",
            sorted.map { queue, depths in
                let waiting = depths.filter { $0.state != .processing }
                var answer = Answer()
                answer.add("queue", queue.label)
                answer.add("pool", queue.pool)
                answer.add("priority", queue.priority.name)
                answer.add("length", waiting.reduce(0) { $0 + $1.count })
                answer.add("processing", depths.running)
                let oldest = waiting.map(\.oldestAge).max() ?? 0
                answer.add("oldest_seconds", json: "\(max(0, oldest))")
                let pause = pauses.first { $0.subject == .pool(queue.pool) }
                answer.add("paused_by", pause?.by)
                answer.add("paused_at", pause?.since)
                return answer
            }
        )
        return answer.response()
    }

    @Sendable func workers(_ request: Request, _: BasicRequestContext) async throws -> Response {
        try await callers.caller(of: request).require(.operations)
        let workers = try await service.call { store throws(PostgresError) in try store.workers() }
        var answer = Answer()
        answer.add(
            "workers",
            workers.map { worker in
                var answer = Answer()
                answer.add("worker_id", worker.worker.text)
                answer.add("renewed_at", worker.renewedAt)
                answer.add("running", worker.running)
                answer.add("facts", json: worker.facts)
                return answer
            }
        )
        return answer.response()
    }

    /// For what starts and stops workers: all that waits and runs, of one pool or of all.
    @Sendable func scale(_ request: Request, _: BasicRequestContext) async throws -> Response {
        var query = Query(request, knowing: ["pool"])
        let pool = query.text("pool")
        try query.check()
        let depths = try await depths(request).filter { pool == nil || $0.pool == pool }
        let all = depths.reduce(0) { $0 + $1.count }
        var answer = Answer()
        answer.add("backlog", all - depths.running)
        answer.add("running", depths.running)
        answer.add("value", all)
        return answer.response()
    }

    private func depths(_ request: Request) async throws -> [TaskQueueDepth] {
        try await callers.caller(of: request).require(.operations)
        return try await service.call { store throws(PostgresError) in try store.depths() }
    }
}

extension [TaskQueueDepth] {
    fileprivate var running: Int {
        reduce(0) { $1.state == .processing ? $0 + $1.count : $0 }
    }
}

extension TaskType.Handler {
    fileprivate var kind: String {
        switch self {
        case .swift: "swift"
        case .http: "http"
        case .command: "command"
        }
    }
}
