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

    /// Each queue that has tasks, or had some in the last minute.
    @Sendable func queues(_ request: Request, _: BasicRequestContext) async throws -> Response {
        let depths = try await depths(request)
        let (pauses, found) = try await service.call { store throws(PostgresError) in
            (try store.pauses(), try store.rates())
        }
        let rates = Dictionary(
            found.map { (TaskQueue(pool: $0.pool, priority: $0.priority), $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var queues = Dictionary(grouping: depths) { depth in
            TaskQueue(pool: depth.pool, priority: depth.priority)
        }
        queues.merge(rates.keys.map { ($0, []) }) { known, _ in known }
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
                answer.add("processing", depths.count(of: .processing))
                let oldest = waiting.map(\.oldestAge).max() ?? 0
                answer.add("oldest_seconds", max(0, oldest))
                let rate = rates[queue]
                answer.add("completed_per_minute", rate?.completed ?? 0)
                answer.add("failed_per_minute", rate?.failed ?? 0)
                answer.add("retried_per_minute", rate?.retried ?? 0)
                answer.add("mean_wait_seconds", rate?.meanWait)
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

    /// Asks a worker to stop as SIGTERM does: it takes nothing more, and ends what it runs.
    @Sendable func drainWorker(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        try await callers.caller(of: request).require(.operations)
        guard let id = context.part("id").flatMap({ TaskID($0) }),
            try await service.call({ store throws(PostgresError) in try store.askToDrain(id) })
        else {
            throw Problem(
                .notFound,
                code: "no_such_worker",
                "no worker of this id lives: GET /api/v1/stats/workers names them"
            )
        }
        var answer = Answer()
        answer.add("worker_id", id.text)
        answer.add("status", "draining")
        return answer.response(.accepted)
    }

    /// For what starts and stops workers: all that waits and runs, of one pool or of all, and how
    /// many workers would have done with it in time.
    @Sendable func scale(_ request: Request, _: BasicRequestContext) async throws -> Response {
        var query = Query(request, knowing: ["pool", "target_seconds", "threads"])
        let pool = query.text("pool")
        let target = query.number("target_seconds", 1...86_400) ?? Demand.target
        let threads = query.number("threads", 1...1_000)
        try query.check()
        let depths = try await depths(request).filter { pool == nil || $0.pool == pool }
        let known = try await service.call { store throws(PostgresError) in
            (try store.meanDuration(pool: pool), try store.workers(), try store.pauses())
        }
        // No worker takes anything of a paused pool, nor what its limit holds, a paused type among
        // it: more of them would only stand idle.
        let pausedPools = Set(known.2.map(\.subject))
        let paused = depths.filter { pausedPools.contains(.pool($0.pool)) }.count(of: .queued)
        let demand = Demand(
            backlog: depths.count(of: .queued) - paused,
            running: depths.count(of: .processing),
            seconds: known.0,
            threads: threads ?? Demand.threads(of: known.1, pool: pool)
        )
        var answer = Answer()
        answer.add("backlog", demand.backlog)
        answer.add("running", demand.running)
        answer.add("value", demand.backlog + demand.running)
        answer.add("paused", paused)
        answer.add("waiting", depths.count(of: .waiting))
        answer.add("desired_workers", demand.workers(within: target))
        return answer.response()
    }

    private func depths(_ request: Request) async throws -> [TaskQueueDepth] {
        try await callers.caller(of: request).require(.operations)
        return try await service.call { store throws(PostgresError) in try store.depths() }
    }
}

extension [TaskQueueDepth] {
    fileprivate func count(of state: TaskState) -> Int {
        reduce(0) { $1.state == state ? $0 + $1.count : $0 }
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
