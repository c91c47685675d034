import Concurrency

/// Something read from the database that may be a little old.
final class Remembered<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var at: ContinuousClock.Instant?
        var isBeingRead = false
    }

    private let lifetime: Duration
    private let state = Locked(State())

    init(for lifetime: Duration) { self.lifetime = lifetime }

    /// However old it is.
    var last: Value? { state.withLock { $0.value } }

    /// Where it is old, one caller reads it again; the others take what is known meanwhile, so that
    /// a database that hangs holds up one.
    func get(_ read: () async throws -> Value) async throws -> Value {
        let now = ContinuousClock.now
        let known: Value? = state.withLock { state in
            guard let value = state.value, let at = state.at else { return nil }
            if state.isBeingRead || at.duration(to: now) < lifetime { return value }
            state.isBeingRead = true
            return nil
        }
        if let known { return known }
        do {
            let value = try await read()
            state.withLock { $0 = State(value: value, at: now) }
            return value
        } catch {
            state.withLock { $0.isBeingRead = false }
            throw error
        }
    }
}
