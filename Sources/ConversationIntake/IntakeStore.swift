import Conversations
import Failpoints
import Postgres

/// Stores the requests of a group in one transaction: their rows, and the leases of their messages.
struct IntakeStore: Sendable {
    /// What became of one request.
    enum Outcome: Sendable {
        /// It is new.
        case stored(String, OutboxMessage?)
        /// It was there before.
        case same(String)
        /// Its id belongs to another conversation.
        case different
        /// The database takes no such values, or not this row, whenever it comes.
        case refused(PostgresError)
        /// The database cannot store anything now, or not this row.
        case unavailable(PostgresError?)
    }

    let sessions: SessionPool
    let exchange: String
    let routingKey: String

    /// Chosen: as many as there are sessions that may have died together, and one more.
    private static let tries = 4
    /// No more tries after this: the client is told to come again. Chosen.
    private static let patience = Duration.seconds(5)

    /// - Parameter lane: number of the calling thread.
    /// - Returns: one for each event, in order.
    func store(_ events: [ConversationEnd], lane: Int) -> [Outcome] {
        let begin = ContinuousClock.now
        for attempt in 1...Self.tries {
            do throws(PostgresError) {
                return try storeOnce(events, lane: lane)
            } catch {
                // An unknown outcome of a commit: what was stored is found to be the same.
                let isLocked = error.sqlState == "55P03"
                let mayPass = error.kind == .conflict && !isLocked || error.endsSession
                if mayPass && !error.isFromConnecting && attempt < Self.tries,
                    begin.duration(to: .now) < Self.patience
                {
                    continue
                }
                let isOutage =
                    error.endsSession || error.kind == .unavailable || error.kind == .timeout
                    || error.kind == .misconfigured && !error.isFromFunction
                if isOutage { return events.map { _ in .unavailable(error) } }
                // One of them may be what the database refuses.
                if events.count > 1 { return events.flatMap { store([$0], lane: lane) } }
                return [error.kind == .conflict ? .unavailable(error) : .refused(error)]
            }
        }
        preconditionFailure("the last try returns")
    }

    /// Runs the statement of a group for no request, and takes it back.
    ///
    /// - Returns: false where there is no outbox.
    func rehearse() throws(PostgresError) -> Bool {
        let parameters = parameters([])
        return try sessions.withSession { session throws(PostgresError) in
            let found = try session.flight([(IntakeSQL.outbox, [])])[0].first {
                row throws(PostgresError) in
                try row.bool()
            }
            guard found == true else { return false }
            _ = try session.flight([
                (.begin, []), (IntakeSQL.insert, parameters), (.rollback, []),
            ])
            return true
        }
    }

    private func parameters(_ events: [ConversationEnd]) -> [Parameter] {
        IntakeSQL.parameters(events) + [.text(exchange), .text(routingKey)]
    }

    private func storeOnce(
        _ events: [ConversationEnd],
        lane: Int
    ) throws(PostgresError) -> [Outcome] {
        // All processes insert in this order, so that groups with ids in common never deadlock.
        let order = events.indices.sorted {
            events[$0].conversationID.utf8.lexicographicallyPrecedes(events[$1].conversationID.utf8)
        }
        var made = try insert(order.map { events[$0] }, lane: lane)
        Failpoint.intakeCommitted.hit()
        var outcomes: [Outcome?] = events.map { _ in nil }
        for index in order {
            let event = events[index]
            // The first of twins; the second is compared with it.
            guard let new = made.removeValue(forKey: ExactText(event.conversationID)) else {
                continue
            }
            let message = new.message.map { id in
                OutboxMessage(
                    id: id,
                    exchange: exchange,
                    routingKey: routingKey,
                    conversationID: event.conversationID,
                    userID: event.userID,
                    botID: event.botID
                )
            }
            outcomes[index] = .stored(new.data, message)
        }
        let others = events.indices.filter { outcomes[$0] == nil }
        for found in try compare(others.map { events[$0] }, lane: lane) {
            outcomes[others[found.place]] = found.isSame ? .same(found.data) : .different
        }
        // One that was there and is not any more: deleted in between.
        return outcomes.map { $0 ?? .unavailable(nil) }
    }

    private func insert(
        _ events: [ConversationEnd],
        lane: Int
    ) throws(PostgresError) -> [ExactText: IntakeSQL.Inserted] {
        let parameters = parameters(events)
        let rows = try sessions.withSession(preferring: lane) { session throws(PostgresError) in
            try session.flight([
                (.begin, []), (IntakeSQL.insert, parameters), (.commit, []),
            ])[1].map(IntakeSQL.inserted)
        }
        return Dictionary(
            rows.map { (ExactText($0.conversationID), $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private func compare(
        _ events: [ConversationEnd],
        lane: Int
    ) throws(PostgresError) -> [IntakeSQL.Compared] {
        if events.isEmpty { return [] }
        let parameters = IntakeSQL.parameters(events)
        return try sessions.withSession(preferring: lane) { session throws(PostgresError) in
            try session.flight([(IntakeSQL.compare, parameters)])[0].map(IntakeSQL.compared)
        }
    }
}
