import Concurrency
import Messaging
import Postgres

/// What conversations were like of late: what is likely to be needed is read ahead, in the flight
/// that locks users, and nothing else is.
final class Expectations: Sendable {
    private struct State {
        /// The latest first.
        var agents: [ExactText] = []
        var topics: Set<ExactText> = []
        var eventsWithoutAgent = 0
        /// For how many batches more.
        var usersApart = 0
        var contention = 0
        /// Batches in a row that could not make users last.
        var lostRaces = 0

        mutating func forgetTopics() {
            agents = []
            topics = []
        }
    }

    /// Chosen: more than a service has in use at a time; each costs a look into an index.
    private static let mostAgents = 32
    /// Chosen: what is read in vain costs a few microseconds an event.
    private static let patience = 1000
    /// Chosen: so often is it looked whether it goes again.
    private static let batchesWithUsersApart = 20
    private static let batchesUnderContention = 20
    /// Chosen: with four workers and none but new users about a hundredth of the batches loses;
    /// several in a row look like users that cannot be made so.
    private static let mostLostRaces = 3

    private let state = Locked(State())

    /// Empty where conversations have none.
    struct Ahead {
        var agents: [ExactText] = []
        /// That these agents had of late.
        var topics: Set<ExactText> = []
    }

    /// What is read ahead: no topics where no agent is expected.
    var ahead: Ahead {
        state.withLock {
            $0.agents.isEmpty ? Ahead() : Ahead(agents: $0.agents, topics: $0.topics)
        }
    }
    var agents: [ExactText] { state.withLock(\.agents) }

    /// Whether to make new users in the transaction that scores them. Costs least where they can be
    /// made.
    func makesUsersLast() -> Bool {
        state.withLock { state in
            if state.usersApart == 0 { return true }
            state.usersApart -= 1
            return false
        }
    }

    func madeUsersLast() { state.withLock { $0.lostRaces = 0 } }

    /// - Parameter isRace: whether others may have made the same users meanwhile, twice.
    func failedToMakeUsersLast(isRace: Bool) {
        state.withLock { state in
            state.lostRaces += 1
            if isRace, state.lostRaces < Self.mostLostRaces { return }
            state.lostRaces = 0
            state.usersApart = Self.batchesWithUsersApart
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

    func saw(_ events: some Collection<ConversationEvent>) {
        let seen = Set(events.lazy.compactMap(\.agent))
        state.withLock { state in
            if seen.isEmpty {
                if state.agents.isEmpty { return }
                state.eventsWithoutAgent += events.count
                if state.eventsWithoutAgent > Self.patience { state.forgetTopics() }
                return
            }
            state.eventsWithoutAgent = 0
            if seen.isSubset(of: state.agents) { return }
            let others = state.agents.filter { !seen.contains($0) }
            state.agents = Array((Array(seen) + others).prefix(Self.mostAgents))
        }
    }

    func saw(_ agenda: Agenda) {
        let topics = agenda.topics
        state.withLock { if $0.topics != topics { $0.topics = topics } }
    }

    /// Whether an error is of topics that were read ahead, and no lock, race or state of the
    /// server. They are not read any more, until they are seen to be needed: conversations without
    /// an agent need none.
    func areToBlame(for error: PostgresError) -> Bool {
        if error.endsSession { return false }
        switch error.kind {
        case .misconfigured, .permanent, .unknown: break
        case .conflict, .timeout, .unavailable: return false
        }
        let isRead = error.operation == SQL.readAndLockWithTopics.name
        if !isRead, SQL.step(of: error.operation) != .topics { return false }
        state.withLock { $0.forgetTopics() }
        return true
    }
}
