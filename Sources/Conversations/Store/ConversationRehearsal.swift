import Foundation
import Postgres
import WorkerRuntime

/// What is asked of the database without any conversation: whether it answers, lets us write, and
/// has what the statements need.
extension ConversationStore {
    /// Does what is done for conversations, for none: opens a session, prepares its statements, and
    /// finds out whether the database is there and lets us write.
    ///
    /// - Parameter step: what else than scoring to rehearse.
    package func rehearse(
        _ step: FaultEvidence.Steps = .scoring,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) {
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            try rehearse(step, in: &session)
        }
    }

    private func rehearse(
        _ step: FaultEvidence.Steps,
        in session: inout Session
    ) throws(PostgresError) {
        let none = Parameter.textArray([])
        let fold = FriendshipFold(users: [:], at: Date())
        var flight: [(Statement, [Parameter])] = [
            (.begin, []), (SQL.readConversations, [none, .text("nothing")]),
            (SQL.updateConversation, .init(repeating: .null, count: 8)),
            (SQL.lockUsers, [none]), (SQL.readEvents, [none, .text("nothing")]),
            (SQL.readAndLock, [none, .text("nothing")]), fold.userUpdate, fold.eventUpdate,
        ]
        if step.contains(.newUser) {
            flight += [
                (SQL.insertUsers, [none]), (SQL.insertNewUsers, [none]),
                (SQL.insertUser, [.null, .null]), (SQL.checkNewUsers, [none]),
            ]
        }
        if step.contains(.topics) {
            flight.append((SQL.readAgenda, [none]))
            flight.append((SQL.readTopics, [none, none]))
            flight.append((SQL.readAndLockWithTopics, [none, .text("nothing"), none]))
            flight.append((SQL.checkNewUsersAndTopics, [none]))
            flight.append((SQL.updateUsersAndTopic, .init(repeating: none, count: 6)))
            flight.append((SQL.updateUsersAndTopics, .init(repeating: none, count: 7)))
            flight.append((SQL.readConversationsAndTopics, [none, .text("nothing")]))
            flight.append((SQL.updateConversationAndTopic, .init(repeating: .null, count: 14)))
        }
        _ = try session.flight(flight + (writesEvents ? [fold.events] : []) + [(.rollback, [])])
    }

    /// What is known of an error before any more rows are tried.
    package enum Finding: Sendable {
        /// The server is away, or only reads.
        case away(PostgresError)
        /// The step's statements fail for no rows, too.
        case unfit(PostgresError)
        /// It is about rows.
        case rows
    }

    /// Asks the server what an error leaves open: see `FaultEvidence`. Where the error has cost the
    /// session, on a new one.
    package func examine(
        _ step: FaultEvidence.Steps,
        on slot: ThreadPool.Slot
    ) -> Finding {
        do throws(PostgresError) {
            return try sessions.withSession(preferring: slot) { session throws(PostgresError) in
                let refusal = try session.flight([(Self.probe, [])])[0].first(Self.refusal)
                if let refusal { throw refusal }
                try rehearse(step, in: &session)
                return .rows
            }
        } catch {
            if error.endsSession { return .away(error) }
            return switch error.kind {
            case .misconfigured, .permanent, .unknown: .unfit(error)
            case .unavailable: .away(error)
            case .conflict where error.isFromAPooler: .unfit(error)
            // Locks and time: that says nothing.
            case .conflict, .timeout: .rows
            }
        }
    }

    /// Needs nothing of Amity's. A standby, too, says that its transactions are read-only.
    private static let probe = Statement(
        "probe",
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"
    )

    private static func refusal(_ row: inout RowReader) throws(PostgresError) -> PostgresError? {
        let isStandby = try row.bool() ?? false
        return try row.text() == "on" ? .readOnly(isStandby: isStandby) : nil
    }

    /// Whether row level security may hide events from us.
    func mayHideEvents(on slot: ThreadPool.Slot) throws(PostgresError) -> Bool {
        try sessions.withSession(preferring: slot) { session throws(PostgresError) in
            try session.flight([(SQL.hidesEvents, [])])[0].first(SQL.hides) ?? false
        }
    }
}
