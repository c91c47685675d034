import Concurrency
import Foundation
import Hummingbird
import Operations

/// One answer for all requests within `lifetime`, computed on a thread of its own: however many
/// clients watch, the database is queried once, and a slow query does not block the server.
actor CachedResponse {
    typealias Answer = Result<ByteBuffer, OperatorServiceError>

    /// An answer that took long lasts longer, up to this: so a question that costs more on a large
    /// database takes no larger part of it.
    private static let longest: Duration = .seconds(60)

    private let lifetime: Duration
    private let costFactor: Int
    private let ask: @Sendable () -> Answer
    private var last: (answer: Answer, until: ContinuousClock.Instant)?
    private var asking: Task<Answer, Never>?
    /// How often it was told to forget.
    private var generation = 0

    /// - Parameters:
    ///   - lifetime: of an answer, a failure too.
    ///   - costFactor: so many times as long as it took lasts an answer at least; no failure does.
    init(
        lifetime: Duration,
        costFactor: Int = 0,
        _ ask: @escaping @Sendable () -> Answer
    ) {
        self.lifetime = lifetime
        self.costFactor = costFactor
        self.ask = ask
    }

    func answer() async -> Answer {
        if let last, .now < last.until { return last.answer }
        return await (asking ?? begin()).value
    }

    /// What comes next is asked anew, whatever is being found out.
    func forget() {
        generation += 1
        last = nil
        asking = nil
    }

    private func lifetime(of answer: Answer, after cost: Duration) -> Duration {
        guard case .success = answer else { return lifetime }
        return max(lifetime, min(cost * costFactor, Self.longest))
    }

    private func begin() -> Task<Answer, Never> {
        let begun = generation
        let task = Task {
            let start = ContinuousClock.now
            let answer = await onOperatorThread(ask)
            if generation == begun {
                last = (answer, .now + lifetime(of: answer, after: start.duration(to: .now)))
                asking = nil
            }
            return answer
        }
        asking = task
        return task
    }
}

extension CachedResponse {
    /// - Throws: `HTTPError` where there is no answer.
    func response() async throws -> Response {
        switch await answer() {
        case .success(let buffer):
            return Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: buffer)
            )
        case .failure(let error): throw HTTPError(.serviceUnavailable, message: "\(error)")
        }
    }
}

/// Runs what asks the database or the broker.
func onOperatorThread<R: Sendable, E>(
    _ body: @escaping @Sendable () throws(E) -> R
) async throws(E) -> R {
    let stackBytes = WorkerOperatorService.stackBytes
    return try await onThread(named: "amity-operator", stackBytes: stackBytes, body)
}
