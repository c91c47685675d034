import Concurrency
import Hummingbird

/// Checks rates, the bound of requests in flight, and access for every path, also one that does not
/// exist. A probe is only counted against the probes' rate.
struct Gate: RouterMiddleware {
    private let options: ServerOptions
    private let probes: Locked<RateLimiter>
    private let others: Locked<RateLimiter>
    private let inFlight = Locked(0)

    init(_ options: ServerOptions) {
        self.options = options
        probes = Locked(RateLimiter(perSecond: options.probesPerSecond))
        others = Locked(RateLimiter(perSecond: options.requestsPerSecond))
    }

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        if options.probes.contains(path) {
            try await probes.wait()
            return try await next(request, context)
        }
        // Before the wait for the rate: requests that wait take memory, too.
        let counts = !options.isWaiting(request)
        if counts { try enter() }
        defer { if counts { inFlight.withLock { $0 -= 1 } } }
        try await others.wait()
        if let check = options.check {
            try await check(request)
        } else if !options.openPaths.contains(path) {
            do throws(HTTPError) {
                try options.access.check(request)
            } catch {
                guard let answer = options.whenRefused?(request) else { throw error }
                return answer
            }
        }
        return try await next(request, context)
    }

    private func enter() throws(Problem) {
        let isAdmitted = inFlight.withLock { count in
            guard count < options.mostInFlight ?? .max else { return false }
            count += 1
            return true
        }
        guard isAdmitted else {
            throw Problem(
                .serviceUnavailable,
                code: "overloaded",
                "too many requests are in flight; try again",
                retryAfter: 1
            )
        }
    }
}

/// On every answer: no cache keeps it unless it says otherwise, no browser takes it for another
/// type, and no other site's page shows it.
struct CommonAnswers: RouterMiddleware {
    let areErrorsProblems: Bool

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            response = try answer(to: error, of: request, context)
        }
        response.headers.addCommonAnswers()
        return response
    }

    /// - Throws: what has no answer of its own: Hummingbird then answers 500.
    private func answer(
        to error: any Error,
        of request: Request,
        _ context: BasicRequestContext
    ) throws -> Response {
        if let problem = error as? Problem { return problem.response }
        if areErrorsProblems { return Problem(error).response }
        if var known = error as? HTTPError {
            known.body = known.body ?? known.status.reasonPhrase
            return try known.response(from: request, context: context)
        }
        guard let error = error as? any HTTPResponseError else { throw error }
        return try error.response(from: request, context: context)
    }
}
