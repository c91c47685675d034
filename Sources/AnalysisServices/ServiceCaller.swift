import Concurrency
import Foundation
import HTTPCalling
import Logging
import WorkerHealth

/// What stands between us and one service: a queue of bounded width, a rate, a deadline, some
/// retries and a circuit breaker.
final class ServiceCaller: Sendable {
    private struct State {
        var breaker = CircuitBreaker()
        var limiter: RateLimiter
        /// Answers in a row that refused, or were of no use for, the conversation asked about.
        var rejections = 0
    }

    /// So many conversations in a row cannot all be at fault. Chosen, as the breaker's.
    private static let rejectionsToTell = 5

    /// Most requests for one answer. Chosen, as are the pauses between them.
    private static let tries = 3
    private static let firstPause: Duration = .milliseconds(250)

    private let service: Service
    private let settings: ServiceSettings
    private let exchange: HTTPExchange
    private let permits: AsyncSemaphore
    /// One of those who wait for the rate takes a token: who leaves the line then costs it at most
    /// one.
    private let turnstile = AsyncSemaphore(1)
    private let state: Locked<State>
    private let health: LinkHealth
    private let metrics: ServiceMetrics
    private let logger: Logger

    init(
        service: Service,
        settings: ServiceSettings,
        exchange: HTTPExchange,
        health: LinkHealth,
        metrics: ServiceMetrics,
        logger: Logger
    ) {
        self.service = service
        self.settings = settings
        self.exchange = exchange
        permits = AsyncSemaphore(settings.concurrency)
        state = Locked(State(limiter: RateLimiter(perSecond: settings.requestsPerSecond)))
        self.health = health
        self.metrics = metrics
        self.logger = logger
    }

    /// Whether it would not be asked now.
    var refuses: Bool { state.withLock { $0.breaker.refuses(at: .now) } }

    /// Posts until there is an answer that `read` takes, or no hope of one in time. The wait in
    /// line before it ends when the task is cancelled.
    ///
    /// - Parameter read: what the answer says.
    func ask<Value: Sendable>(
        _ body: Data,
        _ read: @Sendable (Data) throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        if refuses { throw .circuitOpen }
        guard await permits.acquire() else { throw .cancelled }
        defer { permits.release() }
        try await standInLine()
        // It may have opened while we stood there.
        guard let ticket = state.withLock({ $0.breaker.admit(at: .now) }) else {
            throw .circuitOpen
        }
        var wish: Duration?
        do throws(ServiceError) {
            let value = try await tryRepeatedly(body, isProbe: ticket.isProbe, &wish, read)
            record(nil, of: ticket, wish: nil)
            return value
        } catch {
            record(error, of: ticket, wish: wish)
            throw error
        }
    }

    /// Waits for leave to ask, and goes when the circuit opens.
    private func standInLine() async throws(ServiceError) {
        guard await turnstile.acquire() else { throw .cancelled }
        defer { turnstile.release() }
        if refuses { throw .circuitOpen }
        let due = ContinuousClock.now + state.withLock { $0.limiter.take(at: .now) }
        while ContinuousClock.now < due {
            try await sleep(min(.seconds(1), ContinuousClock.now.duration(to: due)))
            if refuses { throw .circuitOpen }
        }
    }

    private func tryRepeatedly<Value: Sendable>(
        _ body: Data,
        isProbe: Bool,
        _ wish: inout Duration?,
        _ read: @Sendable (Data) throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        let deadline = ContinuousClock.now + settings.timeout
        var backoff = Backoff(first: Self.firstPause, cap: .seconds(4))
        var tries = 1
        while true {
            let begin = ContinuousClock.now
            do throws(ServiceError) {
                let value = try read(try await send(body, by: deadline, &wish))
                metrics.count(nil, after: begin.duration(to: .now))
                return value
            } catch {
                metrics.count(error, after: begin.duration(to: .now))
                let mayRepeat = error.mayPass && !isProbe && tries < Self.tries
                guard mayRepeat,
                    let pause = pause(max(backoff.next(), wish ?? .zero), wish, before: deadline)
                else { throw error }
                tries += 1
                try await sleep(pause)
            }
        }
    }

    /// - Returns: how long to wait before the next request; nil when that is too long.
    private func pause(
        _ least: Duration,
        _ wish: Duration?,
        before deadline: ContinuousClock.Instant
    ) -> Duration? {
        let now = ContinuousClock.now
        if now + least >= deadline { return nil }
        let rate = state.withLock { state in
            // What it asks of one it asks of all.
            if let wish { state.limiter.pause(until: now + wish) }
            return state.limiter.take(at: now)
        }
        let pause = max(least, rate)
        return now + pause < deadline ? pause : nil
    }

    private func send(
        _ body: Data,
        by deadline: ContinuousClock.Instant,
        _ wish: inout Duration?
    ) async throws(ServiceError) -> Data {
        wish = nil
        let answer = try await exchange.send(
            .post,
            body,
            to: settings.url,
            key: settings.currentKey,
            by: deadline
        )
        if answer.isSuccess { return answer.body }
        wish = answer.headers["retry-after"].flatMap { RetryAfter.delay($0, at: Date()) }
        throw .status(answer.status)
    }

    private func sleep(_ duration: Duration) async throws(ServiceError) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw .cancelled
        }
    }

    // MARK: What has become of it

    /// - Parameter error: nil where it was answered.
    private func record(
        _ error: ServiceError?,
        of ticket: CircuitBreaker.Ticket,
        wish: Duration?
    ) {
        let verdict = error?.verdict ?? .answered
        let (change, isOpen, rejections) = state.withLock { state in
            let change = state.breaker.record(verdict, of: ticket, wish: wish, at: .now)
            if verdict != .unknown {
                state.rejections = error == nil || verdict == .failed ? 0 : state.rejections + 1
            }
            return (change, state.breaker.isOpen, state.rejections)
        }
        switch change {
        case nil: break
        case .opened: metrics.circuit(isOpen: true)
        case .closed(let downtime):
            metrics.circuit(isOpen: false)
            logger.notice(
                "analysis.circuit-closed",
                metadata: [
                    "service": "\(service.name)",
                    "downtime_seconds": .stringConvertible(downtime / .seconds(1)),
                ]
            )
        }
        guard let error else {
            // What was asked before the circuit opened says nothing of now.
            if !isOpen { health.works(service.link) }
            return
        }
        // One conversation that is refused says nothing of the service.
        let isRejected = verdict == .answered
        guard !isRejected || rejections >= Self.rejectionsToTell,
            let problem = error.problem(of: service, within: settings.timeout)
        else { return }
        let notice = health.failed(problem)
        if case .opened(let pause) = change {
            log("analysis.circuit-opened", problem, pause: pause, at: .warning)
        } else {
            // While the circuit is closed, a failure now and then is how services are.
            let isLogged = notice.isLogged && (isOpen || isRejected)
            log("analysis.service-failed", problem, at: isLogged ? .warning : .debug)
        }
    }

    private func log(
        _ event: Logger.Message,
        _ problem: LinkHealth.Problem,
        pause: Duration? = nil,
        at level: Logger.Level
    ) {
        var metadata: Logger.Metadata = [
            "service": "\(service.name)", "kind": "\(problem.kind.rawValue)",
            "code": "\(problem.code)", "error": "\(problem.text)",
        ]
        metadata["remedy"] = problem.remedy.map { "\($0)" }
        metadata["pause_seconds"] = pause.map { .stringConvertible($0 / .seconds(1)) }
        logger.log(level: level, event, metadata: metadata)
    }
}
