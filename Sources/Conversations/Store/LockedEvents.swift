import Messaging
import Postgres

/// What a batch does about users that another transaction has locked.
enum Locking {
    case waiting
    /// Leaves them for a later batch. It waits for new users that another is making, and, like one
    /// that waits, for all where it has to make some that were not expected.
    case passingOver
    /// Leaves them. Users it makes in a transaction of their own.
    case free
}

/// Events, and their users, which this transaction holds locked.
struct LockedEvents {
    let events: [ExactText: ConversationEvent]
    var users: LockedUsers
    /// Not locked: the transaction that scores the event deletes it.
    let paid: [ExactText: PaidAnalysis]
    /// Read in the same flight, for the agents that were expected. nil where a user was locked
    /// later.
    private(set) var topics: Topics?
    /// Whether users that had no row were made: a stranger then is one that another has locked.
    let hasMadeUsers: Bool

    struct Topics {
        var agents: Set<ExactText>
        var agenda: Rows
        var stored: Rows
    }

    /// What is to be locked and read.
    struct Request {
        var ids: [ExactText]
        var logs: SQL.LogPart
        /// Whether analyses are kept.
        var isKept: Bool
        var locking: Locking

        /// Whether users may be made in this transaction. Where there is one only, an error must be
        /// about the user or about the conversation, not about either.
        var makesUsers: Bool { locking != .free && ids.count > 1 }
    }

    /// Begins a transaction. What is read after the locks, in the same flight, has a later snapshot
    /// than they.
    ///
    /// - Parameters:
    ///   - makesUsers: whether to make users that have no row; waits for others that make the same.
    ///   - agents: whose topics to read.
    ///   - end: what ends another transaction first.
    init(
        _ request: Request,
        makesUsers: Bool = false,
        expecting agents: [ExactText] = [],
        after end: [(Statement, [Parameter])] = [],
        in session: inout Session
    ) throws(PostgresError) {
        let texts = Parameter.textArray(request.ids.map(\.text))
        var flight: [(Statement, [Parameter])] = end + [(.begin, [])]
        let waits = request.locking == .waiting
        if makesUsers {
            flight.append((waits ? SQL.makeAndLockUsers : SQL.makeUsers, [texts]))
            // Of a batch that waits they are locked already. An event that has come to light since
            // then may have a user that is not: a stranger, if another holds it.
            flight.append((SQL.lockFreeUsers, [texts]))
        } else {
            flight.append((waits ? SQL.lockUsers : SQL.lockFreeUsers, [texts]))
        }
        hasMadeUsers = makesUsers
        let usersAt = flight.count - 1
        flight.append((SQL.readEvents, [texts, .text(request.logs.rawValue)]))
        if request.isKept { flight.append((KeptAnalyses.load, [texts])) }
        if !agents.isEmpty {
            let names = Parameter.textArray(agents.map(\.text))
            flight.append((SQL.readAgenda, [names]))
            flight.append((SQL.readTopicsOfEvents, [texts, names]))
        }
        let answers = try session.flight(flight)
        users = try LockedUsers(answers[usersAt])
        events = try SQL.events(in: answers[usersAt + 1])
        paid = request.isKept ? try KeptAnalyses.all(in: answers[usersAt + 2]) : [:]
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
    var strangers: Set<ExactText> { Set(unlocked.map(\.userID)) }

    private var unlocked: [ConversationEvent] {
        events.values.filter { !$0.isSettled && $0.defect == nil && !users.has($0.userID) }
    }

    func numberOfEvents(of strangers: Set<ExactText>) -> Int {
        unlocked.count { strangers.contains($0.userID) }
    }

    /// Users whose row could neither be made nor found: the column may hold them in another
    /// spelling that it takes for the same.
    mutating func findOtherSpellings(in session: inout Session) throws(PostgresError) {
        // In one order everywhere: they are locked one by one.
        let missing = strangers.map(\.text).sorted()
        if missing.isEmpty { return }
        topics = nil
        let found = try session.flight(missing.map { (SQL.lockUser, [.text($0)]) })
        for (user, rows) in zip(missing, found) { try users.add(rows, as: ExactText(user)) }
    }
}
