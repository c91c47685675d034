import Logging
import Messaging
import Postgres
import WorkerRuntime

/// Decides whose fault an error is: `FaultEvidence` says how.
extension ConversationHandler {
    /// Tries that a race, or the loss of a session, is given before a group is parted and before
    /// one that is alone is given up.
    private static let tries = 3
    /// The same behind PgBouncer, which has kept every session while the server was away. Chosen:
    /// more than a pool has unless it is told to.
    private static let triesBehindPgBouncer = 40

    /// What to do about a group whose transaction failed.
    ///
    /// - Returns: the groups in which to try it again. What is alone may have an outcome instead,
    ///   or be among the refused, which are judged when all of the round were tried.
    func part(
        _ group: [ExactText],
        after error: PostgresError,
        _ run: inout Run,
        _ context: HandlerContext
    ) -> [[ExactText]] {
        if error.isFromConnecting {
            run.hold(error, outage)
            return [group]
        }
        if error.sqlState == "25P03" {
            if !run.judgesFirst { return [afterSlowness(group, error, &run)] }
            if group.count > 1 { return group.map { [$0] } }
            if count(group, in: &run.losses) < Self.tries { return later(group, &run) }
        } else if error.endsSession {
            let tries = error.isFromPgBouncer ? Self.triesBehindPgBouncer : Self.tries
            if count(group, in: &run.losses) < tries {
                run.pauses = true
                // An idle session that was ended has not begun with what was sent.
                if error.sqlState != "57P05" { run.hold(error, outage) }
                return [group]
            }
            run.losses = [:]
        } else if error.kind == .conflict {
            if error.sqlState == "55P03" { return afterLockWait(group, &run) }
            // Another process settled one of them, or a row stays as it is: all are read anew.
            if error.isGuard, divide(group, after: error, &run) { return [group] }
            if !error.isGuard, count(group, in: &run.conflicts) < Self.tries {
                return later(group, &run)
            }
        } else if group.count > 1, divide(group, after: error, &run) {
            // Where others pass in the same transaction, nothing more needs to be asked.
            return [group]
        } else if !isAboutRows(error, group, &run, context) {
            return run.isHeld ? [group] : []
        }
        if group.count > 1 { return group.map { [$0] } }
        run.refused.append(.init(id: group[0], error: error, fault: fault(error)))
        return []
    }

    /// The same once more, after a pause.
    private func later(_ group: [ExactText], _ run: inout Run) -> [[ExactText]] {
        run.pauses = true
        return [group]
    }

    /// Has a group written user by user, in one transaction still.
    ///
    /// - Returns: whether that may help, because what the error is about was not yet.
    private func divide(
        _ group: [ExactText],
        after error: PostgresError,
        _ run: inout Run
    ) -> Bool {
        let apart = Apart(for: error)
        if group.allSatisfy({ run.apart[$0].map { $0 >= apart } ?? false }) { return false }
        for id in group { run.apart[id] = apart }
        return true
    }

    /// What to do about conversations that were refused in a transaction that took others.
    ///
    /// - Parameter passed: the steps that the others passed.
    /// - Returns: those to be tried again.
    func part(
        _ refusal: Settling.Refusal,
        besideOthersThat passed: FaultEvidence.Steps,
        _ run: inout Run,
        _ context: HandlerContext
    ) -> [[ExactText]] {
        let ids = refusal.conversations
        // One user's: one of them may be to blame.
        if ids.count > 1 { return ids.flatMap { attempt([$0], &run, context) } }
        let fault = fault(refusal.error)
        // A guard may have met another process: who is settled by now is found so next time.
        if refusal.error.isGuard || !passed.contains(fault.step) {
            return part(ids, after: refusal.error, &run, context)
        }
        // The table cannot have been mended meanwhile: the transaction holds a lock on it.
        outage.metBesideOthers(by: ids[0], Apart(for: refusal.error))
        decide(on: .init(id: ids[0], error: refusal.error, fault: fault), .row, &run)
        return []
    }

    /// The server has ended the session because the worker was slow between two statements. So
    /// nothing slow happens there any more, for a while.
    private func afterSlowness(
        _ group: [ExactText],
        _ error: PostgresError,
        _ run: inout Run
    ) -> [ExactText] {
        run.judgesFirst = true
        slowUntil.withLock { $0 = .now + .seconds(60) }
        logger.warning("conversation.slow", metadata: ["error": "\(error)"])
        return group
    }

    /// Once more for what was found changed after all, some times.
    func again(_ open: [ExactText], _ run: inout Run) -> [[ExactText]] {
        if count(open, in: &run.conflicts) < Self.tries { return later(open, &run) }
        if open.count > 1 { return open.map { [$0] } }
        run.outcomes[open[0]] = .retry(.notWritten.about(open[0].text))
        return []
    }

    /// - Returns: how often it happened to the one of a group to which it happened most.
    private func count(_ group: [ExactText], in counts: inout [ExactText: Int]) -> Int {
        for id in group { counts[id, default: 0] += 1 }
        return group.map { counts[$0] ?? 0 }.max() ?? 0
    }

    /// One wait is enough: then only what is free is taken. What waits all the same waits for an
    /// event, or for a table.
    private func afterLockWait(_ group: [ExactText], _ run: inout Run) -> [[ExactText]] {
        if run.waitsForLocks {
            run.waitsForLocks = false
            return [group]
        }
        if group.count > 1 { return group.map { [$0] } }
        run.lockWaits += 1
        run.outcomes[group[0]] = .inConflict(group[0])
        return []
    }

    /// Asks the server whether an error is about rows, and if not, holds the group, or puts it off.
    private func isAboutRows(
        _ error: PostgresError,
        _ group: [ExactText],
        _ run: inout Run,
        _ context: HandlerContext
    ) -> Bool {
        let fault = fault(error)
        if run.examined.contains(fault) { return true }
        switch store.examine(fault.step, on: context.slot) {
        case .rows:
            run.examined.insert(fault)
            return true
        case .away(let error):
            run.hold(error, outage)
        case .unfit(let error):
            if fault.step == .scoring {
                run.hold(error, outage)
            } else if group.count > 1 {
                // Not each of them takes this step.
                return true
            } else {
                putOff(group[0], error, fault.step, &run)
            }
        }
        return false
    }

    private func fault(_ error: PostgresError) -> FaultEvidence.Fault {
        .init(error, in: SQL.step(of: error.operation))
    }

    /// Judges those that were refused alone in this round, now that all of it were tried.
    ///
    /// - Returns: those to be tried again.
    func judgeTheRefused(_ run: inout Run) -> [[ExactText]] {
        let refused = run.refused
        run.refused = []
        if refused.isEmpty { return [] }
        let verdicts = outage.verdicts(
            on: refused.map { ($0.id, $0.fault, $0.at) },
            since: run.roundBegan
        )
        var waiting: [[ExactText]] = []
        for (refusal, verdict) in zip(refused, verdicts) {
            decide(on: refusal, verdict, &run)
            if run.outcomes[refusal.id] == nil { waiting.append([refusal.id]) }
        }
        return waiting
    }

    /// Gives it an outcome, unless it is to be tried again.
    private func decide(
        on refusal: Run.Refusal,
        _ verdict: FaultEvidence.Attribution,
        _ run: inout Run
    ) {
        let (id, error) = (refusal.id, refusal.error)
        switch verdict {
        case _ where error.isRace: run.outcomes[id] = .inConflict(id)
        case _ where error.isAboutItsValues: run.outcomes[id] = .deadLetter(error, id)
        case _ where error.mayPassWithTime: run.outcomes[id] = .retry(.refused(error, id))
        case .row where error.kind == .permanent: run.outcomes[id] = .deadLetter(error, id)
        // A full disk takes one now and then.
        case .row where refusal.fault.isShortage:
            run.outcomes[id] = .postpone(.refused(error, id), isBounded: true)
        case .row: run.outcomes[id] = .retry(.refused(error, id))
        case .again: break
        case .open: run.outcomes[id] = .postpone(.refused(error, id), isBounded: true)
        case .everyRow: putOffLater(refusal, &run)
        }
    }

    /// Chosen: so long does a thread hold what every row meets. Then others are tried.
    private static let refusalLimit: Duration = .seconds(5)

    /// Has it wait here for a while, then puts it off.
    private func putOffLater(_ refusal: Run.Refusal, _ run: inout Run) {
        if refusal.fault.step != .scoring {
            return putOff(refusal.id, refusal.error, refusal.fault.step, &run)
        }
        let since = run.refusedSince ?? .now
        run.refusedSince = since
        run.hold(refusal.error, isEveryRow: true, outage)
        if .now < since + Self.refusalLimit { return }
        run.outcomes[refusal.id] = .postpone(
            .refused(refusal.error, refusal.id),
            isBounded: false
        )
    }

    /// The others go on: what takes this step comes again later.
    private func putOff(
        _ id: ExactText,
        _ error: PostgresError,
        _ step: FaultEvidence.Steps,
        _ run: inout Run
    ) {
        var problem = error.problem
        problem.kind = .schema
        problem.subject = error.place.table
        outage.refuses(step, problem)
        run.outcomes[id] = .postpone(.refused(error, id), isBounded: false)
    }

    /// Judges those that have no row, or none that we can see.
    ///
    /// - Parameter tried: how many were looked for.
    func judgeTheMissing(
        _ missing: [ExactText],
        of tried: Int,
        _ run: inout Run,
        on slot: ThreadPool.Slot
    ) {
        var verdicts = missing.map { _ in FaultEvidence.Attribution.row }
        var isHidden = false
        if missing.count == tried {
            verdicts = outage.verdicts(
                on: missing.map { ($0, .notFound, .now) },
                since: run.roundBegan
            )
            isHidden = areRowsHidden(on: slot)
        }
        for (id, verdict) in zip(missing, verdicts) {
            let failure = Failure.conversationNotFound.about(id.text)
            if verdict == .everyRow || isHidden && verdict == .open {
                outage.refuses(.finding, isHidden ? .hidden : .noneFound)
                run.outcomes[id] = .postpone(failure, isBounded: !isHidden)
            } else {
                // A producer may publish before its commit shows.
                run.outcomes[id] = .retry(failure)
            }
        }
    }

    private func areRowsHidden(on slot: ThreadPool.Slot) -> Bool {
        do throws(PostgresError) {
            return try store.mayHideEvents(on: slot)
        } catch {
            logger.debug("conversation.policies-unknown", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Whether this worker was too slow for a transaction a moment ago.
    var isSlow: Bool { slowUntil.withLock { $0.map { .now < $0 } ?? false } }
}

extension SQL {
    /// What part of the work a statement does, by its name.
    static func step(of operation: String) -> FaultEvidence.Steps {
        switch operation {
        case insertUser.name, insertUsers.name, insertNewUsers.name, checkNewUsers.name: .newUser
        case readAgenda.name, readTopics.name, updateUsersAndTopic.name, updateUsersAndTopics.name,
            readConversationsAndTopics.name, updateConversationAndTopic.name,
            checkNewUsersAndTopics.name:
            .topics
        case _: .scoring
        }
    }
}

extension Apart {
    /// What has to be apart for an error of one row to be its user's alone.
    init(for error: PostgresError) {
        self = error.operation == SQL.updateEvents.name ? .usersAndEvents : .users
    }
}

extension PostgresError {
    /// Whether others' transactions are in the way, and nothing else.
    fileprivate var isRace: Bool { ["40001", "40003", "40P01"].contains(sqlState) }

    /// Whether the server cannot hold the very text that it was sent.
    fileprivate var isAboutItsValues: Bool { sqlState == "22021" || sqlState == "22P05" }

    /// Whether it may pass by itself: a row that this one refers to is not there yet, or the
    /// server is slow.
    fileprivate var mayPassWithTime: Bool { sqlState == "23503" || kind == .timeout }
}
