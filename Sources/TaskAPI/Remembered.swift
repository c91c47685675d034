import Concurrency

/// Something read from the database that may be a little old.
final class Remembered<Value: Sendable>: Sendable {
    private struct Known: Sendable {
        var value: Value
        var at: ContinuousClock.Instant
    }

    private let lifetime: Duration
    private let known = Locked<Known?>(nil)

    init(for lifetime: Duration) { self.lifetime = lifetime }

    /// However old it is.
    var last: Value? { known.withLock { $0?.value } }

    func get(_ read: () async throws -> Value) async throws -> Value {
        let now = ContinuousClock.now
        let fresh = known.withLock { known in
            known.flatMap { $0.at.duration(to: now) < lifetime ? $0.value : nil }
        }
        if let fresh { return fresh }
        let value = try await read()
        known.withLock { $0 = Known(value: value, at: now) }
        return value
    }
}
