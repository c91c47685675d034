import Failpoints
import Foundation
import Messaging
import Postgres

/// Several conversations in one transaction, under locks of their users.
extension ConversationStore {
    func settleUnderLocks(
        _ ids: [ExactText],
        logs: SQL.LogPart,
        isKept: Bool,
        locking: Locking,
        apart: Apart?,
        in session: inout Session,
        by judge: (ConversationEvent, PaidAnalysis) -> Verdict?
    ) throws(PostgresError) -> Settling {
        var request = LockedEvents.Request(ids: ids, logs: logs, isKept: isKept, locking: locking)
        var locked = try lock(request, in: &session)
        var passed: FaultEvidence.Steps = []
        let strangers = locked.strangers
        var held: Set<ExactText> = []
        if locking == .passingOver, !strangers.isEmpty {
            held = try known(strangers, in: &session)
            expected.passedOver(locked.numberOfEvents(of: held), of: ids.count)
            if !strangers.isSubset(of: held) { request.locking = .waiting }
        }
        let waits = request.locking == .waiting
        let areNew = waits && !locked.hasMadeUsers
        // Whose row can neither be made nor locked.
        var hidden: Set<ExactText> = []
        if !strangers.isEmpty, request.locking != .passingOver {
            locked = try make(strangers, in: request, &session)
            if areNew, !strangers.subtracting(held).isSubset(of: locked.strangers) {
                passed.insert(.newUser)
                expected.sawNewUsers()
            }
            if waits {
                try locked.findOtherSpellings(in: &session)
                hidden = strangers.intersection(locked.strangers)
            }
        }
        let events = locked.events
        var fold = try Self.fold(locked, in: &session)
        var fates: [ExactText: EventFate] = [:]
        for id in ids {
            let isHidden = events[id].map { hidden.contains($0.userID) } ?? false
            let missing: EventFate =
                isHidden ? .failed(.notWritten, mayPass: true) : waits ? .changed : .locked
            fates[id] = Self.fate(of: events[id], in: &fold, missing: missing) {
                judge($0, locked.paid[id] ?? PaidAnalysis())
            }
        }
        var refused: [Settling.Refusal] = []
        if let apart { refused = try Self.write(&fold, apart, to: &session) }
        for id in refused.flatMap(\.conversations) { fates[id] = nil }
        let over = locked.paid.keys.filter { fates[$0]?.isOver ?? false }
        if !fold.isEmpty { passed.insert(fold.movesTopics ? [.scoring, .topics] : .scoring) }
        try write(fold, after: apart, forgetting: over.map(\.text), to: &session)
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

    /// - Returns: those of `users` that have a row of this spelling.
    private func known(
        _ users: Set<ExactText>,
        in session: inout Session
    ) throws(PostgresError) -> Set<ExactText> {
        let names = Parameter.textArray(users.map(\.text))
        let rows = try session.flight([(SQL.knownUsers, [names])])[0]
        return users.intersection(
            try rows.map { row throws(PostgresError) in ExactText(try row.text() ?? "") }
        )
    }

    /// Makes users that have no row, and locks all. First it lets go of all locks: to wait for
    /// another's insert with locks in hand could end in a deadlock.
    private func make(
        _ strangers: Set<ExactText>,
        in request: LockedEvents.Request,
        _ session: inout Session
    ) throws(PostgresError) -> LockedEvents {
        if request.makesUsers {
            do throws(PostgresError) {
                return try LockedEvents(
                    request,
                    makesUsers: true,
                    expecting: expected.agents,
                    after: [(.rollback, [])],
                    in: &session
                )
            } catch {
                if session.isBroken || !expected.areToBlame(for: error) { throw error }
            }
        }
        // In a transaction of its own: then an error is about nothing but them.
        let users = Parameter.textArray(strangers.map(\.text))
        _ = try session.flight([(.rollback, []), (SQL.insertUsers, [users])])
        return try LockedEvents(request, in: &session)
    }

    /// Locks users and reads their events; does ahead what is expected to be needed.
    private func lock(
        _ request: LockedEvents.Request,
        in session: inout Session
    ) throws(PostgresError) -> LockedEvents {
        let agents = expected.agents
        let makesUsers = request.makesUsers && expected.expectsNewUsers()
        do throws(PostgresError) {
            let locked = try LockedEvents(
                request,
                makesUsers: makesUsers,
                expecting: agents,
                in: &session
            )
            expected.saw(locked.events.values)
            return locked
        } catch {
            let isAhead = makesUsers || !agents.isEmpty
            if !isAhead || session.isBroken || !expected.areToBlame(for: error) { throw error }
            return try LockedEvents(request, in: &session)
        }
    }

    /// Reads the topics that events may move, under the users' locks, unless they came with them.
    private static func fold(
        _ locked: LockedEvents,
        in session: inout Session
    ) throws(PostgresError) -> FriendshipFold {
        let open = locked.events.values.filter {
            !$0.isSettled && $0.defect == nil && $0.agent != nil
        }
        if open.isEmpty { return try FriendshipFold(locked.users, at: Date()) }
        let agents = Set(open.compactMap(\.agent))
        if let topics = locked.topics, agents.isSubset(of: topics.agents) {
            return try FriendshipFold(
                locked.users,
                agenda: Agenda(topics.agenda),
                topics: topics.stored,
                at: Date()
            )
        }
        let names = Parameter.textArray(agents.map(\.text))
        let movers = Set(open.map { locked.users.stored($0.userID) }).map(\.text)
        let read = try session.flight([
            (SQL.readAgenda, [names]), (SQL.readTopics, [.textArray(movers), names]),
        ])
        let agenda = try Agenda(read[0])
        return try FriendshipFold(locked.users, agenda: agenda, topics: read[1], at: Date())
    }

    private func write(
        _ fold: FriendshipFold,
        after apart: Apart?,
        forgetting paid: [String],
        to session: inout Session
    ) throws(PostgresError) {
        if fold.isEmpty {
            _ = try session.flight([(.rollback, [])])
            return
        }
        Failpoint.written.hit()
        let forget = (KeptAnalyses.forget, [Parameter.textArray(paid)])
        // Nothing follows COMMIT: until its answer is here, nothing has happened.
        _ = try session.flight(
            (apart == nil ? [fold.userUpdate] : [])
                + (apart == .usersAndEvents ? [] : [fold.eventUpdate])
                + (writesEvents ? [fold.events] : []) + (paid.isEmpty ? [] : [forget])
                + [(.commit, [])]
        )
        Failpoint.committed.hit()
    }
}

extension PostgresError {
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
