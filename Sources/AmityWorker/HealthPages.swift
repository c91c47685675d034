import HTTPServing
import Hummingbird
import Logging
import NIOCore
import PrometheusMetrics
import Settings
import WorkerHealth

/// Health and metrics of a worker that has no other pages.
struct HealthPages: Sendable {
    let readiness: Readiness
    let health: LinkHealth
    /// The text for Prometheus, as of now.
    let metrics: @Sendable () -> String

    private struct Health: Encodable {
        var status: String
        var reasons: [String]?
        var problems: [LinkHealth.ShownProblem]?
    }

    func add(to router: Router<BasicRequestContext>, _ access: AccessControl) {
        router.get("health/live") { _, _ in Response.json(Health(status: "alive")) }
        for path in ["health", "health/ready"] {
            router.get("\(path)") { request, _ in ready(showsTexts: access.admits(request)) }
        }
        router.get("metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: PrometheusRegistry.contentType],
                body: .init(byteBuffer: ByteBuffer(string: metrics()))
            )
        }
    }

    /// - Parameter showsTexts: a probe is told kinds and codes; texts name hosts and users.
    private func ready(showsTexts: Bool) -> Response {
        let reasons = readiness.reasons.map(\.rawValue)
        let problems = health.reports.map {
            LinkHealth.ShownProblem($0, showsTexts: showsTexts)
        }
        return Response.json(
            Health(
                status: reasons.isEmpty ? "ready" : "not ready",
                reasons: reasons.isEmpty ? nil : reasons,
                problems: problems.isEmpty ? nil : problems
            ),
            reasons.isEmpty ? .ok : .serviceUnavailable
        )
    }
}

extension HTTPServer {
    convenience init(_ settings: HTTPSettings, showing pages: HealthPages, logger: Logger) {
        let access = AccessControl(
            token: settings.token,
            hasLogin: false,
            isOwnHost: Loopback.contains
        )
        var options = ServerOptions(
            host: settings.host,
            port: settings.port,
            access: access,
            // Chosen: scrapers and probes.
            mostConnections: 64,
            remedy: "set HTTP_HOST and HTTP_PORT to an address that is free, or HTTP_PORT to 0"
        )
        options.probes = ["/health", "/health/live", "/health/ready"]
        self.init(options, logger: logger) { pages.add(to: $0, access) }
    }
}
