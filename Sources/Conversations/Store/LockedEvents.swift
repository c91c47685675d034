import FriendshipScoring
import Messaging
import Postgres

/// What a batch does about users that another transaction has locked.
enum Locking {
    case waiting
    /// Leaves them for a later batch. It waits for new users that another is making, and, where it
    /// has to make some in a transaction of their own, for all.
    case passingOver
    /// Leaves them. Users it makes in a transaction of their own.
    case free
}

/// Events, and their users, which this transaction holds locked.
struct LockedEvents {
    private(set) var events: [ExactText: ConversationEvent] = [:]
    private(set) var users = LockedUsers()
    /// Not locked: the transaction that scores the event deletes it.
    let paid: [ExactText: PaidAnalysis]
    /// Read in the same flight, for the agents that were expected. nil where a user was locked
    /// later.
    private(set) var topics: Topics?
    /// Users of unsettled events that have no row.
    private(set) var newUsers: Set<ExactText> = []

    struct Topics {
        var agents: Set<ExactText>
        var agenda: Agenda
        /// Those that were looked for.
        var names: Set<ExactText>
        var stored: [StoredTopic] = []
    }

    /// What is to be locked and read.
    struct Request {
        var ids: [ExactText]
        var logs: SQL.LogPart
        /// Whether analyses are kept.
        var isKept: Bool
        var locking: Locking
    }

    /// Begins a transaction. Where it waits for locks, what it reads after them, in the same
    /// flight, has a later snapshot than they.
    ///
    /// - Parameter ahead: whose topics to read, and which.
    init(
        _ request: Request,
        expecting ahead: Expectations.Ahead = .init(),
        in session: inout Session
    ) throws(PostgresError) {
        let texts = Parameter.textArray(request.ids.map(\.text))
        var flight: [(Statement, [Parameter])] = [(.begin, [])]
        if request.locking == .waiting { flight.append((SQL.lockUsers, [texts])) }
        let eventsAt = flight.count
        let reading = [texts, .text(request.logs.rawValue)]
        flight.append(
            ahead.topics.isEmpty
                ? (SQL.readAndLock, reading)
                : (SQL.readAndLockWithTopics, reading + [.textArray(ahead.topics.map(\.text))])
        )
        if request.isKept { flight.append((KeptAnalyses.load, [texts])) }
        if !ahead.agents.isEmpty {
            flight.append((SQL.readAgenda, [.textArray(ahead.agents.map(\.text))]))
        }
        let answers = try session.flight(flight)
        paid = request.isKept ? try KeptAnalyses.all(in: answers[eventsAt + 1]) : [:]
        if !ahead.agents.isEmpty {
            topics = Topics(
                agents: Set(ahead.agents),
                agenda: try Agenda(answers[answers.count - 1]),
                names: ahead.topics
            )
        }
        try read(answers[eventsAt])
    }

    /// Reads the rows of `SQL.readAndLock`, or of the one with topics.
    private mutating func read(_ rows: Rows) throws(PostgresError) {
        var last: (id: Int, conversation: ExactText)?
        try rows.forEach { row throws(PostgresError) in
            let event = try SQL.event(&row)
            let user = try SQL.lockedUser(&row)
            let isTheSame = last.map { $0 == (event.id, event.conversationID) } ?? false
            last = (event.id, event.conversationID)
            SQL.add(event, to: &events)
            if isTheSame, case .locked = user {
                // One for each row of its user's, or the whole event is there twice.
                events[event.conversationID]?.defect = .invalidFriendship(
                    "several rows have this user_id, or the event is there twice"
                )
            }
            switch user {
            case .locked(let stored, let friendship):
                users.add(stored, friendship, as: event.userID)
                if let names = topics?.names, !names.isEmpty {
                    topics?.stored += try SQL.topics(of: stored, &row)
                }
            case .absent: newUsers.insert(event.userID)
            case .held: break
            }
        }
        if !newUsers.isEmpty { newUsers.formIntersection(strangers) }
    }

    /// Users of unsettled events that have no row yet, or none that is locked.
    var strangers: Set<ExactText> { Set(unlocked.map(\.userID)) }

    private var unlocked: [ConversationEvent] {
        events.values.filter { !$0.isSettled && $0.defect == nil && !users.has($0.userID) }
    }

    /// How many of them have a user that another transaction holds.
    var numberOfHeld: Int { unlocked.count { !newUsers.contains($0.userID) } }

    /// Takes users for made that this transaction will make.
    mutating func takeInNewUsers() {
        for user in newUsers { users.add(user, Friendship(), as: user) }
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
