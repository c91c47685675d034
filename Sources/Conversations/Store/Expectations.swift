import Concurrency
import Messaging
import Postgres

/// What conversations were like of late: what is likely to be needed is read and done ahead, in the
/// flight that locks users, and nothing else is.
final class Expectations: Sendable {
    private struct State {
        /// The latest first.
        var agents: [ExactText] = []
        var eventsWithoutAgent = 0
        /// For how many batches more.
        var newUsers = 0
        var contention = 0
    }

    /// Chosen: more than a service has in use at a time; each costs a look into an index.
    private static let mostAgents = 32
    /// Chosen: what is read in vain costs a few microseconds an event.
    private static let patience = 1000
    /// Chosen: whether users are new is not seen while they are expected, so each twentieth batch
    /// looks.
    private static let batchesWithNewUsers = 20
    /// Chosen: as above.
    private static let batchesUnderContention = 20

    private let state = Locked(State())

    /// Agents whose topics are read ahead. Empty where conversations have none.
    var agents: [ExactText] { state.withLock(\.agents) }

    /// Whether users may be new in the batch that asks.
    func expectsNewUsers() -> Bool {
        state.withLock { state in
            if state.newUsers == 0 { return false }
            state.newUsers -= 1
            return true
        }
    }

    /// Whether to pass over users that other batches hold at the moment. Pays where that are few.
    func passesOverLocked() -> Bool {
        state.withLock { state in
            if state.contention == 0 { return true }
            state.contention -= 1
            return false
        }
    }

    /// - Parameters:
    ///   - count: conversations of theirs.
    ///   - total: of the batch.
    func passedOver(_ count: Int, of total: Int) {
        if count * 4 < total { return }
        state.withLock { $0.contention = Self.batchesUnderContention }
    }

    func sawNewUsers() { state.withLock { $0.newUsers = Self.batchesWithNewUsers } }

    func saw(_ events: some Collection<ConversationEvent>) {
        let seen = Set(events.lazy.compactMap(\.agent))
        state.withLock { state in
            if seen.isEmpty {
                if state.agents.isEmpty { return }
                state.eventsWithoutAgent += events.count
                if state.eventsWithoutAgent > Self.patience { state.agents = [] }
                return
            }
            state.eventsWithoutAgent = 0
            if seen.isSubset(of: state.agents) { return }
            let others = state.agents.filter { !seen.contains($0) }
            state.agents = Array((Array(seen) + others).prefix(Self.mostAgents))
        }
    }

    /// Whether an error is of what was done ahead, and no lock, race or state of the server. It is
    /// not done any more, until it is seen to be needed: conversations without an agent need no
    /// topics, nor known users the right to be made.
    func areToBlame(for error: PostgresError) -> Bool {
        if error.endsSession { return false }
        switch error.kind {
        case .misconfigured, .permanent, .unknown: break
        case .conflict, .timeout, .unavailable: return false
        }
        switch SQL.step(of: error.operation) {
        case .topics: state.withLock { $0.agents = [] }
        case .newUser: state.withLock { $0.newUsers = 0 }
        case _: return false
        }
        return true
    }
}
