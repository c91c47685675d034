import CoreMetrics
import HTTPServing
import Hummingbird
import Metering
import Tasks

/// The routes of tasks. `openapi.json` says the same to programs.
package struct TaskRoutes: Sendable {
    typealias Handler = @Sendable (Request, BasicRequestContext) async throws -> Response

    /// What a request is counted as.
    enum Kind: String, CaseIterable {
        case submit, batch, batches, limits, read, follow, list, search, cancel, change, run
        case schedule, statistics, lock, callbacks
    }

    static let root = "api/v1/tasks"
    private static let statuses = [
        200, 202, 204, 400, 401, 403, 404, 409, 413, 415, 421, 422, 500, 503,
    ]

    let service: TaskService
    let callers: Callers
    private let counters: [Kind: [Int: Counter]]

    package init(_ service: TaskService, callers: Callers) {
        self.service = service
        self.callers = callers
        counters = Dictionary(
            uniqueKeysWithValues: Kind.allCases.map { kind in
                let pairs = Self.statuses.map { status in
                    (status, Metric.taskRequests.counter(kind.rawValue, "\(status)"))
                }
                return (kind, Dictionary(uniqueKeysWithValues: pairs))
            }
        )
    }

    package func add(to router: Router<BasicRequestContext>) {
        let root = Self.root
        add(router, root, [(.post, .submit, submit), (.get, .list, list)])
        add(router, "\(root)/batch", [(.post, .batch, submitBatch)])
        add(router, "api/v1/batches", [(.get, .batches, listBatches)])
        add(
            router,
            "api/v1/batches/:id",
            [(.get, .batches, getBatch), (.delete, .cancel, cancelBatch)]
        )
        add(router, "api/v1/batches/:id/tasks", [(.post, .batch, addToBatch)])
        add(router, "api/v1/batches/:id/close", [(.post, .batches, closeBatch)])
        add(router, "\(root)/cancel", [(.post, .cancel, cancelAll)])
        add(
            router,
            "\(root)/:id",
            [(.get, .read, get), (.delete, .cancel, cancel), (.patch, .change, change)]
        )
        add(router, "\(root)/:id/events", [(.get, .follow, followTask)])
        add(router, "api/v1/batches/:id/events", [(.get, .follow, followBatch)])
        add(router, "\(root)/:id/retry", [(.post, .change, retry)])
        add(router, "\(root)/:id/run", [(.patch, .run, reportProgress)])
        add(router, "\(root)/:id/run/complete", [(.post, .run, complete)])
        add(router, "\(root)/:id/run/fail", [(.post, .run, fail)])
        add(router, "api/v1/limits", [(.get, .limits, listLimits)])
        add(router, "api/v1/limits/pause", [(.post, .limits, pauseLimit)])
        add(router, "api/v1/limits/resume", [(.post, .limits, resumeLimit)])
        add(router, "api/v1/documents/search", [(.get, .search, searchDocuments)])
        addSchedules(to: router)
        addLocks(to: router)
        addCallbacks(to: router)
        add(router, "api/v1/types", [(.get, .statistics, types)])
        add(router, "api/v1/stats/queues", [(.get, .statistics, queues)])
        add(router, "api/v1/stats/workers", [(.get, .statistics, workers)])
        add(router, "api/v1/stats/scale", [(.get, .statistics, scale)])
        add(router, "api/v1/workers/:id/drain", [(.post, .statistics, drainWorker)])
    }

    /// Whether a request shows the token of a run instead of a client's: its route asks for it.
    package static func isOfRun(_ request: Request) -> Bool {
        let parts = request.uri.path.split(separator: "/")
        return parts.count >= 5 && parts[4] == "run" && parts.starts(with: ["api", "v1", "tasks"])
    }

    /// Whether a request waits for a task to move.
    package static func isWaiting(_ request: Request) -> Bool {
        request.method == .get && request.uri.path.hasPrefix("/\(root)/")
            && request.form("wait") != nil
    }

    // MARK: Adding

    func add(
        _ router: Router<BasicRequestContext>,
        _ path: String,
        _ handlers: [(method: HTTPRequest.Method, kind: Kind, handler: Handler)]
    ) {
        for (method, kind, handler) in handlers {
            let counters = counters[kind] ?? [:]
            router.on("\(path)", method: method) { request, context in
                do {
                    let response = try await handler(request, context)
                    counters[response.status.code]?.increment()
                    return response
                } catch let problem as Problem {
                    counters[problem.status.code]?.increment()
                    throw problem
                }
            }
        }
        router.refuse(besides: handlers.map(\.method), at: path)
    }
}

extension Router<BasicRequestContext> {
    /// Answers other methods with 405, where the path would else seem not to exist.
    package func refuse(besides methods: [HTTPRequest.Method], at path: String) {
        let all: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete, .options]
        let problem = Problem.methodNotAllowed(methods)
        for method in all where !methods.contains(method) {
            on("\(path)", method: method) { _, _ -> Response in throw problem }
        }
    }
}
