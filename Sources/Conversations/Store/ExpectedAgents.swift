import Concurrency
import Messaging
import Postgres

/// Agents of late, whose topics are read ahead, with the events. Where conversations have none,
/// nothing of topics is read.
final class ExpectedAgents: Sendable {
    private struct State {
        /// The latest first.
        var agents: [ExactText] = []
        var eventsWithout = 0
    }

    /// Chosen: more than a service has in use at a time; each costs a look into an index.
    private static let most = 32
    /// Chosen: what is read in vain costs a few microseconds an event.
    private static let patience = 1000

    private let state = Locked(State())

    var agents: [ExactText] { state.withLock(\.agents) }

    func saw(_ events: some Collection<ConversationEvent>) {
        let seen = Set(events.lazy.compactMap(\.agent))
        state.withLock { state in
            if seen.isEmpty {
                if state.agents.isEmpty { return }
                state.eventsWithout += events.count
                if state.eventsWithout > Self.patience { state.agents = [] }
                return
            }
            state.eventsWithout = 0
            if seen.isSubset(of: state.agents) { return }
            let others = state.agents.filter { !seen.contains($0) }
            state.agents = Array((Array(seen) + others).prefix(Self.most))
        }
    }

    /// Whether an error is of what was read ahead. Nothing is, from then on, until an agent is
    /// seen: conversations without one do not need those tables.
    func areToBlame(for error: PostgresError) -> Bool {
        if SQL.step(of: error.operation) != .topics || error.endsSession { return false }
        state.withLock { $0.agents = [] }
        return true
    }
}
