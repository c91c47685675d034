import Concurrency
import Hummingbird

/// Refuses more lookups at once than a few. Each holds a thread while database and broker are
/// asked: for seconds where one is away, also when its client has gone.
final class LookupLimit: Sendable {
    /// Chosen: four readers of the page.
    static let mostAtOnce = 8

    private let running = Locked(0)

    func run<Answer>(_ lookUp: () async throws -> Answer) async throws -> Answer {
        let count = running.withLock { count in
            count += 1
            return count
        }
        defer { running.withLock { $0 -= 1 } }
        guard count <= Self.mostAtOnce else {
            throw HTTPError(.tooManyRequests, message: "others are looked up; try again")
        }
        return try await lookUp()
    }
}
