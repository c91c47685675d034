import Concurrency
import Hummingbird
import Operations

/// One answer for all requests within `lifetime`, computed on a thread of its own: however many
/// clients watch, the database is queried once, and a slow query does not block the server.
actor CachedResponse {
    typealias Answer = Result<ByteBuffer, OperatorServiceError>

    private let lifetime: Duration
    private let ask: @Sendable () -> Answer
    private var last: (answer: Answer, at: ContinuousClock.Instant)?
    private var asking: Task<Answer, Never>?
    /// How often it was told to forget.
    private var generation = 0

    /// - Parameter lifetime: of an answer, a failure too.
    init(lifetime: Duration, _ ask: @escaping @Sendable () -> Answer) {
        self.lifetime = lifetime
        self.ask = ask
    }

    func answer() async -> Answer {
        if let last, last.at.duration(to: .now) < lifetime { return last.answer }
        return await (asking ?? begin()).value
    }

    /// What comes next is asked anew, whatever is being found out.
    func forget() {
        generation += 1
        last = nil
        asking = nil
    }

    private func begin() -> Task<Answer, Never> {
        let begun = generation
        let task = Task {
            let answer = await onOperatorThread(ask)
            if generation == begun {
                last = (answer, .now)
                asking = nil
            }
            return answer
        }
        asking = task
        return task
    }
}

/// Runs what asks the database or the broker.
func onOperatorThread<R: Sendable, E>(
    _ body: @escaping @Sendable () throws(E) -> R
) async throws(E) -> R {
    let stackBytes = WorkerOperatorService.stackBytes
    return try await onThread(named: "amity-operator", stackBytes: stackBytes, body)
}
