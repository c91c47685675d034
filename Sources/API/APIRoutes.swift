import ConversationIntake
import HTTPServing
import Hummingbird
import NIOCore
import PrometheusMetrics
import TaskAPI
import Tasks
import WorkerHealth

/// What the API's routes read and call.
package struct APIContext: Sendable {
    let intake: IntakeService
    let tasks: TaskService
    /// The text for Prometheus, as of now.
    let metrics: @Sendable () -> String

    package init(
        intake: IntakeService,
        tasks: TaskService,
        metrics: @escaping @Sendable () -> String
    ) {
        self.intake = intake
        self.tasks = tasks
        self.metrics = metrics
    }
}

/// What is where. `openapi.json` says the same to programs; a test holds one against the other.
struct APIRoutes {
    /// Bytes of a conversation's body. Chosen: 9,000 items of a usual log.
    static let conversationBytes = 1 << 20
    static let metricsPath = "metrics"
    static let intakePaths = ["v1/conversations/end", "api/v1/conversations/end"]

    let api: APIContext
    let callers: Callers

    func add(to router: Router<BasicRequestContext>) {
        router.get("health/live") { _, _ in Response.json(Health(status: "alive")) }
        for path in ["health", "health/ready"] {
            router.get("\(path)") { request, _ in
                ready(showsTexts: callers.isAdministrator(request))
            }
        }
        router.get("\(Self.metricsPath)") { request, _ in
            try await callers.requireMetrics(request)
            await api.tasks.refreshGauges()
            return Response(
                status: .ok,
                headers: [.contentType: PrometheusRegistry.contentType],
                body: .init(byteBuffer: ByteBuffer(string: api.metrics()))
            )
        }
        router.get("openapi.json") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json))
            )
        }
        for path in Self.intakePaths {
            router.post("\(path)") { request, _ in
                try await callers.caller(of: request).require(.writeConversations)
                let body = try await request.json(upTo: Self.conversationBytes)
                return Response(await api.intake.end(Array(body.readableBytesView)))
            }
            router.refuse(besides: [.post], at: path)
        }
        for path in [Self.metricsPath, "openapi.json"] { router.refuse(besides: [.get], at: path) }
        TaskRoutes(api.tasks, callers: callers).add(to: router)
    }

    private struct Health: Encodable {
        var status: String
        var problems: [LinkHealth.ShownProblem]?
    }

    /// Without a broker requests are taken all the same; the problem is told.
    ///
    /// - Parameter showsTexts: a probe is told kinds and codes; texts name hosts and users.
    private func ready(showsTexts: Bool) -> Response {
        let isReady = api.intake.isReady
        let problems = api.intake.problems.map {
            LinkHealth.ShownProblem($0, showsTexts: showsTexts)
        }
        return Response.json(
            Health(
                status: isReady ? "ready" : "not ready",
                problems: problems.isEmpty ? nil : problems
            ),
            isReady ? .ok : .serviceUnavailable
        )
    }
}

extension Response {
    fileprivate init(_ answer: IntakeAnswer) {
        self.init(
            status: .init(code: answer.status),
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body))
        )
        headers[.retryAfter] = answer.retryAfter.map(String.init)
    }
}
