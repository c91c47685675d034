import Foundation
import HTTPServing
import Hummingbird
import PrometheusMetrics
import WorkerHealth

/// What is where. A page that is added here is guarded, unless its path is one of those that the
/// server's options open.
struct Routes {
    let routeContext: RouteContext
    let access: AccessControl

    func add(to router: Router<BasicRequestContext>) {
        let login = Login(access)
        addHealth(to: router)
        login?.add(to: router)
        OperatorRoutes(routeContext.operatorService, routeContext.flowService, access)
            .add(to: router)
        router.get { _, _ in Page.dashboard(canLogOut: login != nil).response() }
        router.get("tasks") { _, _ in Page.tasks(canLogOut: login != nil).response() }
        router.get("flow") { _, _ in Page.flow(canLogOut: login != nil).response() }
        Script.add(to: router)
        router.get("metrics") { [routeContext] _, _ in
            Response(
                status: .ok,
                headers: [.contentType: PrometheusRegistry.contentType],
                body: .init(byteBuffer: ByteBuffer(string: routeContext.metrics()))
            )
        }
    }

    private func addHealth(to router: Router<BasicRequestContext>) {
        router.get("health/live") { [routeContext] _, _ in
            routeContext.pulse.isOverdue
                ? Response.json(
                    Status(status: "stuck", reasons: ["the channel thread is overdue"]),
                    .serviceUnavailable
                )
                : Response.json(Status(status: "alive"))
        }
        for path in ["health", "health/ready"] {
            router.get("\(path)") { request, _ in ready(showsTexts: access.admits(request)) }
        }
    }

    /// - Parameter showsTexts: a probe is told kinds and codes; texts name hosts, users and
    ///   settings.
    private func ready(showsTexts: Bool) -> Response {
        let reasons = routeContext.readiness.reasons.map(\.rawValue)
        let problems = routeContext.health.reports.map {
            LinkHealth.ShownProblem($0, showsTexts: showsTexts)
        }
        let status = Status(
            status: reasons.isEmpty ? "ready" : "not ready",
            reasons: reasons.isEmpty ? nil : reasons,
            problems: problems.isEmpty ? nil : problems
        )
        return Response.json(status, reasons.isEmpty ? .ok : .serviceUnavailable)
    }

    private struct Status: Encodable {
        var status: String
        var reasons: [String]?
        var problems: [LinkHealth.ShownProblem]?
    }
}
