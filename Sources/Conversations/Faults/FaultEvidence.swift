import Postgres

/// Whose fault is an error of the database? Decided by what was tried. A SQLSTATE alone does not
/// say it: a trigger may raise any of them for one user, and a missing grant stops all users alike.
///
/// - The message's: it cannot be read, or names nothing. `ConversationReference` throws, and it is
///   dead-lettered.
/// - The row's: it fails, others pass, and it fails again. Its batch is written user by user, and
///   it alone fails, with attempts.
/// - The schema's or a grant's: the statements fail for no rows at all, or for each of several
///   rows. Nothing is dead-lettered: rows wait until it is mended.
/// - The server's: a probe that needs nothing of Amity's fails, too. Messages are held until it is
///   back.
/// - No one's, a race or a lock: the SQLSTATE says so. It is done again; after a wait for a lock
///   put back, with no attempt spent.
///
/// The steps, in order, of `ConversationHandler`. A batch is tried once more before any of them,
/// its users under savepoints: a user that is refused there alone, beside others that are taken,
/// has had all of them at once.
///
/// 1. No session came about, or the session ended: the server's. Where sessions end again and again
///    and new ones are to be had, the batch is parted all the same.
/// 2. A probe (does the server answer, and may we write?), then a rehearsal: the failed step's
///    statements with no rows. `ConversationStore.examine` does both.
/// 3. Neither fails: so it is about rows. Each is tried alone.
/// 4. What still fails is judged here, by what others met in the same step. `Attribution.open`
///    stands for a row that has nothing to be compared with: it waits, with no attempt spent, until
///    there is.
///
/// Pure: the clock is the caller's.
package struct FaultEvidence: Sendable {
    /// What part of the work a statement does. Rows that pass one say nothing about the others: a
    /// column that no new row can do without does not stop users that have a row.
    package struct Steps: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Find the conversation's row.
        package static let finding = Steps(rawValue: 8)
        /// Read, lock and write what every conversation needs.
        package static let scoring = Steps(rawValue: 1)
        /// Make the row of a user that has none.
        package static let newUser = Steps(rawValue: 2)
        /// Read and write the topics of a conversation that has an agent.
        package static let topics = Steps(rawValue: 4)

        static let all: [Steps] = [.finding, .scoring, .newUser, .topics]
    }

    /// What a row met. Two that are equal have one cause, as far as can be told.
    package struct Fault: Sendable, Hashable {
        var step: Steps
        var sqlState: String
        var place: PostgresError.Place
        /// Whether the server lacks something, by its own words and not a function's: it may take
        /// some rows all the same. A full disk takes what fits into a page that is there.
        var isShortage: Bool

        package init(_ error: PostgresError, in step: Steps) {
            self.step = step
            isShortage = error.kind == .unavailable && !error.isFromFunction
            sqlState = error.sqlState
            place = error.place
        }

        private init(missingIn step: Steps) {
            self.step = step
            sqlState = ""
            place = .init()
            isShortage = false
        }

        /// There is no such row.
        package static let notFound = Fault(missingIn: .finding)

        /// Rows that meet it, with none that passes, until it is taken for everyone's. Chosen: two
        /// may be one user's; and a producer may be ahead of its commits by some conversations.
        package var several: Int { step == .finding ? 20 : 3 }
    }

    package enum Attribution: Sendable, Equatable {
        /// It failed, others passed, and it failed again.
        case row
        /// Others pass where it failed. But what it met may have been mended a moment ago: try it
        /// once more.
        case again
        /// Each of several rows meets it, and none passes.
        case everyRow
        /// Too few were tried to say.
        case open
    }

    /// Chosen: more rows than fail side by side. The oldest is forgotten first, and then judged as
    /// new.
    private static let mostRemembered = 1000

    private struct Failed {
        var firstAt: ContinuousClock.Instant
        /// Whether others were seen to pass since.
        var othersPassed = false
    }

    private var passedAt: [Steps: ContinuousClock.Instant] = [:]
    /// Since a row last passed the step, up to `Fault.several` of each.
    private var meeting: [Fault: Set<ExactText>] = [:]
    private var failed: [ExactText: Failed] = [:]
    private var remembered: [ExactText] = []

    package init() {}

    /// Rows have passed these steps.
    package mutating func passed(_ steps: Steps, at now: ContinuousClock.Instant) {
        for step in Steps.all where steps.contains(step) { passedAt[step] = now }
        if meeting.isEmpty { return }
        meeting = meeting.filter { !steps.contains($0.key.step) }
    }

    package mutating func met(
        _ fault: Fault,
        by row: ExactText,
        at now: ContinuousClock.Instant
    ) {
        // Where others passed later, it is no sign of an end.
        let isOver = passedAt[fault.step].map { $0 > now } ?? false
        if !isOver, meeting[fault, default: []].count < fault.several {
            meeting[fault, default: []].insert(row)
        }
        remember(row, Failed(firstAt: now))
    }

    /// It fails in a transaction that takes others.
    package mutating func metBesideOthers(by row: ExactText, at now: ContinuousClock.Instant) {
        remember(row, Failed(firstAt: now))
        failed[row]?.othersPassed = true
    }

    private mutating func remember(_ row: ExactText, _ new: Failed) {
        if failed[row] != nil { return }
        failed[row] = new
        remembered.append(row)
        if remembered.count > Self.mostRemembered {
            let half = remembered.count / 2
            for row in remembered.prefix(half) { failed[row] = nil }
            remembered.removeFirst(half)
        }
    }

    /// Whose fault it is that `row` met this.
    ///
    /// - Parameter begin: when the rows that it is compared with began to be tried.
    package mutating func verdict(
        on fault: Fault,
        by row: ExactText,
        since begin: ContinuousClock.Instant
    ) -> Attribution {
        var known = failed[row] ?? Failed(firstAt: begin)
        let isProved = known.othersPassed
        // What passed before says nothing about a server that has run short since.
        let isEnough = isProved && !fault.isShortage
        let since = fault.isShortage ? begin : min(begin, known.firstAt)
        guard isEnough || passedAt[fault.step].map({ $0 >= since }) ?? false else {
            return meeting[fault]?.count ?? 0 >= fault.several ? .everyRow : .open
        }
        // What is its own says nothing about the others.
        meeting[fault]?.remove(row)
        known.othersPassed = true
        failed[row] = known
        return isProved ? .row : .again
    }
}

/// What is written user by user, so that one that the server refuses leaves the others.
enum Apart: Comparable {
    /// The events all at once: an error of theirs is everyone's.
    case users
    case usersAndEvents
}
