import Failpoints
import Foundation
import Messaging
import Postgres

/// Several conversations in one transaction, under locks of their users.
extension ConversationStore {
    /// - Parameter isRepeated: whether another made one of its new users meanwhile.
    func settleUnderLocks(
        _ request: LockedEvents.Request,
        apart: Apart?,
        isRepeated: Bool = false,
        in session: inout Session,
        by judge: (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling {
        let (ids, locking) = (request.ids, request.locking)
        var locked = try lock(request, in: &session)
        if locking == .passingOver, locked.numberOfHeld > 0 {
            expected.passedOver(locked.numberOfHeld, of: ids.count)
        }
        // One that waits has them all, unless it may see and not change them, or an event has come
        // to light since.
        let newUsers = locking == .waiting ? locked.strangers : locked.newUsers
        // Where there is one event only, an error must be about the user or about the conversation,
        // not about either.
        let makesThemLast =
            !newUsers.isEmpty && newUsers == locked.newUsers && ids.count > 1
            && locking != .free && apart == nil && expected.makesUsersLast()
        if makesThemLast {
            locked.takeInNewUsers()
            do throws(PostgresError) {
                let group = Group(ids: ids, locking: locking, making: newUsers)
                let settling = try score(group, locked, in: &session, by: judge)
                expected.madeUsersLast()
                return settling
            } catch {
                let isAboutThem = SQL.isAboutNewUsers(error.operation)
                if session.isBroken || !isAboutThem || !error.mayGoOtherwise { throw error }
                // Where another has made one of them meanwhile, the next time goes well.
                let isRace = error.isGuard && error.operation == SQL.insertNewUsers.name
                if isRace, !isRepeated {
                    return try settleUnderLocks(
                        request,
                        apart: nil,
                        isRepeated: true,
                        in: &session,
                        by: judge
                    )
                }
                expected.failedToMakeUsersLast(isRace: isRace)
            }
        }
        var group = Group(ids: ids, locking: locking, apart: apart)
        if !newUsers.isEmpty {
            var request = request
            if locking == .passingOver { request.locking = .waiting }
            let absent = locked.newUsers
            locked = try make(newUsers, in: request, &session)
            group.locking = request.locking
            group.hasMadeUsers = !absent.isSubset(of: locked.strangers)
            if request.locking == .waiting {
                try locked.findOtherSpellings(in: &session)
                group.hidden = newUsers.intersection(locked.strangers)
            }
        }
        return try score(group, locked, in: &session, by: judge)
    }

    /// What is scored in one transaction.
    private struct Group {
        var ids: [ExactText]
        var locking: Locking
        var apart: Apart?
        /// Users that have no row yet: made with what is written.
        var making: Set<ExactText> = []
        /// Whose row can neither be made nor locked.
        var hidden: Set<ExactText> = []
        /// In a transaction of their own.
        var hasMadeUsers = false
    }

    /// Scores what is locked, and ends the transaction.
    private func score(
        _ group: Group,
        _ locked: LockedEvents,
        in session: inout Session,
        by judge: (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling {
        let events = locked.events
        var fold = try fold(locked, in: &session)
        var fates: [ExactText: EventFate] = [:]
        for id in group.ids {
            let isHidden = events[id].map { group.hidden.contains($0.userID) } ?? false
            let missing: EventFate =
                isHidden
                ? .failed(.notWritten, mayPass: true)
                : group.locking == .waiting ? .changed : .locked
            fates[id] = Self.fate(of: events[id], in: &fold, missing: missing) {
                judge($0, locked.paid[id] ?? PaidAnalysis())
            }
        }
        var refused: [Settling.Refusal] = []
        if let apart = group.apart { refused = try Self.write(&fold, apart, to: &session) }
        for id in refused.flatMap(\.conversations) { fates[id] = nil }
        let over = locked.paid.keys.filter { fates[$0]?.isOver ?? false }
        let new = fold.users(of: group.making)
        var passed: FaultEvidence.Steps = []
        if !fold.isEmpty { passed.insert(fold.movesTopics ? [.scoring, .topics] : .scoring) }
        if group.hasMadeUsers || !new.isEmpty { passed.insert(.newUser) }
        try write(fold, making: new, after: group.apart, forgetting: over, to: &session)
        return Settling(fates: fates, passed: passed, refused: refused)
    }

    /// Chosen: with a tenth of the users refused, fours make the fewest statements.
    private static let usersUnderASavepoint = 4
    private static let savepointsInAFlight = 4

    /// Writes four users at a time under a savepoint, those of a refused four one by one, and takes
    /// out of `fold` the users that the server refuses then. The server skips what follows a
    /// refusal in its flight, so that is sent again.
    private static func write(
        _ fold: inout FriendshipFold,
        _ apart: Apart,
        to session: inout Session
    ) throws(PostgresError) -> [Settling.Refusal] {
        var refused: [Settling.Refusal] = []
        var waiting = fold.parts(of: usersUnderASavepoint)[...]
        var takingBack: [(Statement, [Parameter])] = []
        var isAnyTaken = false
        while !waiting.isEmpty || !takingBack.isEmpty {
            let next = waiting.prefix(savepointsInAFlight)
            let writes = next.map { $0.writes(apart) }
            let (rows, failure) = try session.openFlight(takingBack + writes.joined())
            if session.isBroken, let failure { throw failure }
            let isTakenBack = rows.count >= takingBack.count
            let taken = (rows.count - takingBack.count) / (writes.first?.count ?? 1)
            guard let failure else {
                isAnyTaken = true
                takingBack = []
                waiting.removeFirst(taken)
                continue
            }
            isAnyTaken = isAnyTaken || taken > 0
            // Chosen: three that are refused before one is taken look like a schema that takes
            // none.
            let isOfOne = failure.isAboutOneUser && (isAnyTaken || refused.count < 3)
            guard isOfOne, isTakenBack, taken < next.count else {
                _ = try session.flight([(.rollback, [])])
                throw failure
            }
            let part = next[next.startIndex + taken]
            waiting.removeFirst(taken + 1)
            takingBack = [(.takeBack, [])]
            if part.numberOfUsers > 1 {
                waiting = part.parts(of: 1) + waiting
            } else {
                refused.append(.init(conversations: part.conversations, error: failure))
                fold.leaveOut(part)
            }
        }
        return refused
    }

    /// Makes users that have no row, and locks all. First it lets go of all locks: to wait for
    /// another's insert with locks in hand could end in a deadlock.
    private func make(
        _ newUsers: Set<ExactText>,
        in request: LockedEvents.Request,
        _ session: inout Session
    ) throws(PostgresError) -> LockedEvents {
        // In a transaction of its own: then an error is about nothing but them.
        let users = Parameter.textArray(newUsers.map(\.text))
        _ = try session.flight([(.rollback, []), (SQL.insertUsers, [users])])
        return try lock(request, in: &session)
    }

    /// Locks users and reads their events, and the topics that are expected to be needed.
    private func lock(
        _ request: LockedEvents.Request,
        in session: inout Session
    ) throws(PostgresError) -> LockedEvents {
        let ahead = expected.ahead
        do throws(PostgresError) {
            let locked = try LockedEvents(request, expecting: ahead, in: &session)
            expected.saw(locked.events.values)
            return locked
        } catch {
            if ahead.agents.isEmpty || session.isBroken || !expected.areToBlame(for: error) {
                throw error
            }
            return try LockedEvents(request, in: &session)
        }
    }

    /// Reads the topics that events may move, under the users' locks, unless they came with them.
    private func fold(
        _ locked: LockedEvents,
        in session: inout Session
    ) throws(PostgresError) -> FriendshipFold {
        let open = locked.events.values.filter {
            !$0.isSettled && $0.defect == nil && $0.agent != nil
        }
        if open.isEmpty { return FriendshipFold(locked.users, at: Date()) }
        let agents = Set(open.compactMap(\.agent))
        let agenda: Agenda
        if let topics = locked.topics, agents.isSubset(of: topics.agents) {
            agenda = topics.agenda
        } else {
            // Of those that are expected, too: what is seen here is expected from now on.
            let names = Parameter.textArray(agents.union(expected.agents).map(\.text))
            agenda = try Agenda(session.flight([(SQL.readAgenda, [names])])[0])
        }
        expected.saw(agenda)
        // By name: what was not looked for would count as not there.
        var topics = locked.topics?.stored ?? []
        let missing = agenda.topics.subtracting(locked.topics?.names ?? [])
        if !missing.isEmpty {
            let movers = Set(open.map { locked.users.stored($0.userID) }).map(\.text)
            let wanted: [Parameter] = [.textArray(movers), .textArray(missing.map(\.text))]
            topics += try session.flight([(SQL.readTopics, wanted)])[0].map(SQL.topic)
        }
        return FriendshipFold(locked.users, agenda: agenda, topics: topics, at: Date())
    }

    /// - Parameter newUsers: users that have no row yet. Where another is making the same ones it
    ///   waits, with locks in hand; but what has come so far waits for no lock of a user, and for
    ///   inserts in one order, so there is no deadlock. Beside a version that inserts before it
    ///   locks there may be: then one of the two begins anew.
    private func write(
        _ fold: FriendshipFold,
        making newUsers: [String],
        after apart: Apart?,
        forgetting paid: [ExactText],
        to session: inout Session
    ) throws(PostgresError) {
        if fold.isEmpty {
            _ = try session.flight([(.rollback, [])])
            return
        }
        Failpoint.written.hit()
        var flight: [(Statement, [Parameter])] = []
        if !newUsers.isEmpty {
            let check = fold.movesTopics ? SQL.checkNewUsersAndTopics : SQL.checkNewUsers
            flight += [SQL.insertNewUsers, check].map { ($0, [.textArray(newUsers)]) }
        }
        if apart == nil { flight.append(fold.userUpdate) }
        if apart != .usersAndEvents { flight.append(fold.eventUpdate) }
        if writesEvents { flight.append(fold.events) }
        if !paid.isEmpty { flight.append((KeptAnalyses.forget, [.textArray(paid.map(\.text))])) }
        // Nothing follows COMMIT: until its answer is here, nothing has happened.
        _ = try session.flight(flight + [(.commit, [])])
        Failpoint.committed.hit()
    }
}

extension SQL {
    fileprivate static func isAboutNewUsers(_ operation: String) -> Bool {
        [insertNewUsers, checkNewUsers, checkNewUsersAndTopics].contains { $0.name == operation }
    }
}

extension PostgresError {
    /// Whether users may be made in a transaction of their own all the same.
    fileprivate var mayGoOtherwise: Bool {
        switch kind {
        case .permanent, .misconfigured, .unknown: !endsSession
        case .conflict: isGuard || sqlState == "40P01"
        case .timeout, .unavailable: false
        }
    }

    /// Whether a transaction may go on without the user of whom it was said, as far as the SQLSTATE
    /// says: no lock, race, time limit or state of the server.
    fileprivate var isAboutOneUser: Bool {
        switch kind {
        case .permanent, .misconfigured, .unknown: !endsSession
        case .conflict: isGuard
        case .timeout, .unavailable: false
        }
    }
}
