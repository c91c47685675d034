import Messaging
import Postgres

/// Events, and their users, which this transaction holds locked.
struct LockedEvents {
    let events: [ExactText: ConversationEvent]
    var users: LockedUsers
    /// Not locked: the transaction that scores the event deletes it.
    let paid: [ExactText: PaidAnalysis]
    /// Read in the same flight, for the agents that were expected. nil where a user was locked
    /// later.
    private(set) var topics: Topics?

    struct Topics {
        var agents: Set<ExactText>
        var agenda: Rows
        var stored: Rows
    }

    /// Begins a transaction. What is read after the locks, in the same flight, has a later snapshot
    /// than they.
    ///
    /// - Parameters:
    ///   - waits: whether to wait for locks.
    ///   - makesUsers: whether to make users that have no row; needs `waits`.
    ///   - agents: whose topics to read.
    init(
        _ ids: [ExactText],
        logs: SQL.LogPart,
        isKept: Bool,
        waits: Bool,
        makesUsers: Bool = false,
        expecting agents: [ExactText] = [],
        in session: inout Session
    ) throws(PostgresError) {
        let texts = Parameter.textArray(ids.map(\.text))
        var flight: [(Statement, [Parameter])] = [(.begin, [])]
        if makesUsers {
            flight.append((SQL.makeAndLockUsers, [texts]))
            flight.append((SQL.readUsers, [texts]))
        } else {
            flight.append((waits ? SQL.lockUsers : SQL.lockFreeUsers, [texts]))
        }
        let usersAt = flight.count - 1
        flight.append((SQL.readEvents, [texts, .text(logs.rawValue)]))
        if isKept { flight.append((KeptAnalyses.load, [texts])) }
        if !agents.isEmpty {
            let names = Parameter.textArray(agents.map(\.text))
            flight.append((SQL.readAgenda, [names]))
            flight.append((SQL.readTopicsOfEvents, [texts, names]))
        }
        let answers = try session.flight(flight)
        users = try LockedUsers(answers[usersAt])
        events = try SQL.events(in: answers[usersAt + 1])
        paid = isKept ? try KeptAnalyses.all(in: answers[usersAt + 2]) : [:]
        let count = answers.count
        topics =
            agents.isEmpty
            ? nil
            : Topics(
                agents: Set(agents),
                agenda: answers[count - 2],
                stored: answers[count - 1]
            )
    }

    /// Users of unsettled events that have no row yet, or none that is locked.
    var strangers: [String] {
        let missing = events.values.lazy.filter {
            !$0.isSettled && $0.defect == nil && !users.has($0.userID)
        }
        return Set(missing.map(\.userID)).map(\.text)
    }

    /// Makes the rows of strangers that have none. Batches do not deadlock there: the one that
    /// makes rows has all its locks already, and makes them in an order that the server sorts.
    ///
    /// - Returns: whether any was made.
    mutating func makeUsers(in session: inout Session) throws(PostgresError) -> Bool {
        let strangers = strangers
        if strangers.isEmpty { return false }
        let made = try session.flight([(SQL.insertUsers, [.textArray(strangers)])])[0]
        try users.add(made)
        return made.count > 0
    }

    /// Users whose row could neither be made nor found: the column may hold them in another
    /// spelling that it takes for the same.
    mutating func findOtherSpellings(in session: inout Session) throws(PostgresError) {
        // In one order everywhere: they are locked one by one.
        let missing = strangers.sorted()
        if missing.isEmpty { return }
        topics = nil
        let found = try session.flight(missing.map { (SQL.lockUser, [.text($0)]) })
        for (user, rows) in zip(missing, found) { try users.add(rows, as: ExactText(user)) }
    }
}
