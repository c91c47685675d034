import Concurrency
import Foundation
import Hummingbird
import JSON
import PrometheusMetrics
import WorkerHealth

/// What is where. A page is added to `router` and is guarded, unless its path is one of those that
/// are open.
struct Routes {
    let routeContext: RouteContext
    let access: AccessControl

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: CommonHeaders())
        let login = Login(access)
        router.add(middleware: Gate(access: access, isLoginOpen: login != nil))
        addHealth(to: router)
        login?.add(to: router)
        OperatorRoutes(routeContext.operatorService).add(to: router)
        router.get { _, _ in Page.dashboard(canLogOut: login != nil).response() }
        Script.add(to: router)
        router.get("metrics") { [routeContext] _, _ in
            Response(
                status: .ok,
                headers: [.contentType: PrometheusRegistry.contentType],
                body: .init(byteBuffer: ByteBuffer(string: routeContext.metrics()))
            )
        }
        return router
    }

    private func addHealth(to router: Router<BasicRequestContext>) {
        router.get("health/live") { [routeContext] _, _ in
            routeContext.pulse.isOverdue
                ? Self.answer(
                    .serviceUnavailable,
                    Status(status: "stuck", reasons: ["the channel thread is overdue"])
                )
                : Self.answer(.ok, Status(status: "alive"))
        }
        router.get("health/ready") { [routeContext, access] request, _ in
            let reasons = routeContext.readiness.reasons.map(\.rawValue)
            // A probe is told kinds and codes; texts name hosts, users and settings.
            let showsTexts = access.admits(request)
            let problems = routeContext.health.reports.map { Problem($0, showsTexts: showsTexts) }
            let status = Status(
                status: reasons.isEmpty ? "ready" : "not ready",
                reasons: reasons.isEmpty ? nil : reasons,
                problems: problems.isEmpty ? nil : problems
            )
            return Self.answer(reasons.isEmpty ? .ok : .serviceUnavailable, status)
        }
    }

    private struct Status: Encodable {
        var status: String
        var reasons: [String]?
        var problems: [Problem]?
    }

    /// What a part of a link suffers from.
    private struct Problem: Encodable {
        var link: LinkHealth.Link
        var subject: String?
        var kind: LinkHealth.Kind
        var code: String
        var since: Date
        var text: String?
        var remedy: String?

        init(_ report: LinkHealth.Report, showsTexts: Bool) {
            link = report.problem.link
            subject = report.problem.subject
            kind = report.problem.kind
            code = report.problem.code
            since = report.since
            if showsTexts {
                text = report.problem.text
                remedy = report.problem.remedy
            }
        }
    }

    /// Encoding what is made here cannot fail.
    static func answer(_ status: HTTPResponse.Status, _ value: some Encodable) -> Response {
        do {
            let json = try JSONEncoder.api.encode(value)
            return Response(
                status: status,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(bytes: json))
            )
        } catch {
            preconditionFailure("an answer has a JSON form")
        }
    }
}

/// Checks access for every path, also one that does not exist, except the health probes and, where
/// login is open, the login page.
///
/// Probes have a rate limit of their own: a client that sends too many other requests delays no
/// probe.
private struct Gate: RouterMiddleware {
    /// Open to every client: the answers tell nothing of users or conversations. Any other spelling
    /// of these paths is guarded.
    private static let health: Set = ["/health/live", "/health/ready"]

    let access: AccessControl
    let isLoginOpen: Bool
    private let probes = Locked(RateLimiter(perSecond: 100))
    private let others = Locked(RateLimiter(perSecond: 40))

    init(access: AccessControl, isLoginOpen: Bool) {
        self.access = access
        self.isLoginOpen = isLoginOpen
    }

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        let isProbe = Self.health.contains(path)
        try await (isProbe ? probes : others).wait()
        if !isProbe, !(isLoginOpen && path == Login.path) {
            do throws(HTTPError) {
                try access.check(request)
            } catch {
                // A browser that opens the start page is sent to the login page.
                guard isLoginOpen, path == "/", request.method == .get else { throw error }
                return Login.redirect(to: Login.path)
            }
        }
        return try await next(request, context)
    }
}

/// On every answer: no cache keeps it unless it says otherwise, no browser takes it for another
/// type, and no other site's page shows it.
private struct CommonHeaders: RouterMiddleware {
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as any HTTPResponseError {
            response = try error.response(from: request, context: context)
        }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers.keepToOwnSite()
        return response
    }
}
