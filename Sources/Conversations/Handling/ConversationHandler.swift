import Concurrency
import Failpoints
import Foundation
import FriendshipScoring
import Logging
import Messaging
import Metering
import Postgres
import Storage
import WorkerHealth
import WorkerRuntime

/// The path of one message through its thread, for a batch of any size:
///
///     decode ─▶ (load ─▶ analyse) ─▶ lock ─▶ score ─▶ persist ─▶ outcome
///
/// What the database refuses on the way is in `ConversationFaults.swift`.
///
/// It may run twice for the same conversation at any time: the row's own state when it is written,
/// under its user's lock, decides whether the conversation still counts.
package struct ConversationHandler: Handler {
    private let largestBatch: Int
    let store: ConversationStore
    private let judge: ConversationJudge
    private let taskTimeout: Duration
    let outage: DatabaseOutage
    /// Until when batches are judged before anything is locked: see `part`.
    let slowUntil = Locked<ContinuousClock.Instant?>(nil)
    /// Taken by the batch that locks users where others are likely to want the same.
    let turn = MonotonicSemaphore(value: 1)
    /// How long a batch waits for it. Chosen: one that takes longer probably waits for what no
    /// batch holds.
    var patience: Duration = .milliseconds(250)
    private let holdLimit: Duration
    private let counts: WorkerCounts
    private let metrics: WorkerMetrics
    let logger: Logger

    /// - Parameters:
    ///   - batchLimit: while the analyser answers at once.
    ///   - taskTimeout: how long one run tries before it gives its messages back. The time of an
    ///     outage does not count.
    ///   - holdLimit: how long it holds them in an outage before it gives them back.
    package init(
        store: ConversationStore,
        analyser: any Analyser,
        weights: ScoreWeights,
        batchLimit: Int,
        taskTimeout: Duration,
        holdLimit: Duration,
        outage: DatabaseOutage,
        counts: WorkerCounts = WorkerCounts(),
        metrics: WorkerMetrics = WorkerMetrics(),
        logger: Logger
    ) {
        self.store = store
        judge = ConversationJudge(analyser: analyser, weights: weights)
        largestBatch = batchLimit
        self.taskTimeout = taskTimeout
        self.holdLimit = holdLimit
        self.outage = outage
        self.counts = counts
        self.metrics = metrics
        self.logger = logger
    }

    package var batchLimit: Int {
        min(judge.analyser.batchLimit(largestBatch), judge.logs.batchLimit)
    }

    /// What of a log is judged.
    private var logPart: SQL.LogPart { judge.analyser.readsTexts ? .all : .speakers }

    package func affinity(of message: Message) -> Int? {
        ConversationReference.affinity(of: message.body)
    }

    package func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        judge.logs.beginBatch()
        let decoded = deliveries.map { delivery in
            Result { () throws(Failure) in try ConversationReference(body: delivery.message.body) }
        }
        // Each conversation once, in order of first arrival: duplicates share its fate.
        var seen: Set<ExactText> = []
        let ids = decoded.compactMap { reference -> ExactText? in
            guard case .success(let reference) = reference,
                seen.insert(reference.conversationID).inserted
            else { return nil }
            return reference.conversationID
        }
        let overdue = zip(deliveries, decoded).compactMap { delivery, reference -> ExactText? in
            guard !delivery.mayBeDeferred, case .success(let reference) = reference else {
                return nil
            }
            return reference.conversationID
        }
        var outcomes = settle(ids, waitingFor: Set(overdue), in: context)
        let now = Date().timeIntervalSince1970
        return zip(deliveries, decoded).map { delivery, reference in
            switch reference {
            case .failure(let failure): return .deadLetter(failure)
            case .success(let reference):
                let outcome = outcomes[reference.conversationID] ?? .interrupted
                if case .done = outcome {
                    outcomes[reference.conversationID] = .duplicate
                    takeTime(of: delivery, reference, at: now)
                }
                return outcome
            }
        }
    }

    /// - Parameter now: in seconds since 1970, just after the commit.
    private func takeTime(
        of delivery: Delivery,
        _ reference: ConversationReference,
        at now: Double
    ) {
        let timestamp = delivery.message.properties.timestamp.map(Double.init)
        guard let published = reference.enqueuedAt ?? timestamp else { return }
        let age = now - published
        // A longer age is a publisher's mistake, and would outweigh all others in the sum.
        if age < 366 * 86400 { metrics.publishToCommit.record(.seconds(max(0, age))) }
    }

    /// Works on conversations until each has an outcome, a drain begins, or time is over; what has
    /// none by then was interrupted. They begin as one group, and part where one holds up others.
    ///
    /// - Parameter overdue: those that may not be put back; a group of their own, so that the
    ///   others do not wait for their locks, too.
    private func settle(
        _ ids: [ExactText],
        waitingFor overdue: Set<ExactText>,
        in context: HandlerContext
    ) -> [ExactText: Outcome] {
        let begin = ContinuousClock.now
        let mayMeetOthers =
            judge.analyser.isImmediate && !isSlow && outage.apart == nil
            && ids.count > overdue.count + 1
        var run = Run(
            limit: begin + holdLimit,
            judgesFirst: isSlow,
            areUsersContended: mayMeetOthers && !store.expected.passesOverLocked(),
            overdue: overdue
        )
        if let apart = outage.apart { for id in ids { run.apart[id] = apart } }
        var groups = [ids.filter { !overdue.contains($0) }, ids.filter(overdue.contains)]
            .filter { !$0.isEmpty }
        var deadline = begin + taskTimeout
        var persistence = Persistence(until: context.drain)
        while !groups.isEmpty {
            run.beginRound()
            let before = groups.count
            groups = groups.flatMap { group in
                // A group that has parted may take its time limit for each of its members.
                mayGoOn(run, context) ? attempt(group, &run, context) : [group]
            }
            groups += judgeTheRefused(&run)
            if groups.isEmpty { break }
            let goesOn =
                run.pauses
                ? persistence.mayTryAgain(within: holdLimit) : mayGoOn(run, context)
            if !goesOn { break }
            if !run.isHeld && groups.count == before && deadline <= .now {
                // Not even parted yet: what holds up the group may be one of it.
                if groups.allSatisfy({ $0.count == 1 }) { break }
                groups = groups.flatMap { $0.map { [$0] } }
            }
            if run.isHeld || groups.count != before { deadline = .now + taskTimeout }
        }
        return run.outcomes
    }

    /// Messages go back long before the broker would take them back by closing the channel.
    private func mayGoOn(_ run: borrowing Run, _ context: HandlerContext) -> Bool {
        !context.drain.isRaised && .now < run.limit
    }

    /// Tries a group in one transaction.
    ///
    /// - Returns: the groups in which to try again what has no outcome yet.
    func attempt(
        _ group: [ExactText],
        _ run: inout Run,
        _ context: HandlerContext
    ) -> [[ExactText]] {
        if run.isHeld { return [group] }
        if run.hasWaitedForSeveral {
            for id in group { run.outcomes[id] = .inConflict(id) }
            return []
        }
        do throws(PostgresError) {
            let settling = try score(group, &run, context)
            run.lockWaits = 0
            let refused = Set(settling.refused.flatMap(\.conversations))
            let open = group.filter { run.outcomes[$0] == nil && !refused.contains($0) }
            let parts = settling.refused.flatMap {
                part($0, besideOthersThat: settling.passed, &run, context)
            }
            return open.isEmpty ? parts : again(open, &run) + parts
        } catch {
            return part(group, after: error, &run, context)
        }
    }

    /// Records an outcome for each conversation whose fate is known. One that changed hands while
    /// it was analysed has none, and goes round again.
    private func score(
        _ ids: [ExactText],
        _ run: inout Run,
        _ context: HandlerContext
    ) throws(PostgresError) -> Settling {
        let slot = context.slot
        // Decided once: what is asked under the locks must not wait.
        let isQuick = judge.analyser.isImmediate && !run.judgesFirst
        let isImmediate = isQuick && !run.areUsersContended
        var ids = ids
        if !isQuick {
            ids = try analyse(ids, &run, on: slot)
        } else if !isImmediate {
            try judgeAhead(ids, &run, on: slot)
        }
        if ids.isEmpty { return Settling() }
        let apart = ids.compactMap { run.apart[$0] }.max()
        // What was analysed for long is settled now.
        let mayDefer = isImmediate && apart == nil && run.overdue.isDisjoint(with: ids)
        let passesOver = mayDefer && run.waitsForLocks && ids.count > 1
        // Here it waits with no transaction open, and makes no other worker's wait longer.
        let takesTurn =
            run.areUsersContended && run.waitsForLocks && ids.count > 1 && !context.drain.isRaised
        let isItsTurn = takesTurn && turn.wait(atMost: patience)
        defer { if isItsTurn { turn.signal() } }
        let settling = try store.settle(
            ids,
            logs: isImmediate ? logPart : .nothing,
            locking: passesOver ? .passingOver : run.waitsForLocks ? .waiting : .free,
            apart: apart,
            on: slot,
            upcoming: { isImmediate ? upcoming(in: context) : [] }
        ) { [self, verdicts = run.verdicts] event, paid in
            Failpoint.loaded.hit()
            return verdicts[event.id] ?? (isImmediate ? judge.judge(event, paid) : nil)
        }
        let fates = settling.fates
        let missing = fates.filter { $0.value == .missing }.map(\.key)
        outage.passed(
            missing.count < fates.count || !settling.refused.isEmpty
                ? settling.passed.union(.finding) : settling.passed
        )
        counts.foundDuplicates(fates.values.count { $0 == .settled })
        for (id, fate) in fates {
            switch fate {
            case .applied(let change, let level, let user):
                log(id, of: user, change, level)
                run.outcomes[id] = .done
            case .settled: run.outcomes[id] = .duplicate
            case .failed(let failure, mayPass: false):
                run.outcomes[id] = .deadLetter(failure.about(id.text))
            case .failed(let failure, mayPass: true):
                run.outcomes[id] = .retry(failure.about(id.text))
            case .locked: run.outcomes[id] = passesOver ? .deferred : .inConflict(id)
            case .missing, .changed: break
            }
        }
        if !missing.isEmpty { judgeTheMissing(missing, of: fates.count, &run, on: slot) }
        return settling
    }

    /// Conversations that wait for a thread, where each takes one at a time.
    private func upcoming(in context: HandlerContext) -> [ExactText] {
        if largestBatch > 1 { return [] }
        let messages = context.upcoming(
            atMost: min(ConversationStore.mostInARead, judge.logs.batchLimit) - 1
        )
        return messages.compactMap { Self.conversation(of: $0) }
    }

    /// Judges with no transaction open and no lock held, one by one; anew each time, for until the
    /// locks are there it may have been corrected.
    private func judgeAhead(
        _ ids: [ExactText],
        _ run: inout Run,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) {
        // What was paid for when the analyser took its time stays.
        if !judge.analyser.isPaid { run.verdicts = [:] }
        for (event, paid) in try store.load(ids, logs: logPart, on: slot)
        where !event.isSettled && run.verdicts[event.id] == nil {
            run.verdicts[event.id] = judge.judge(event, paid)
        }
    }

    /// Judges what it has not judged yet, with no transaction open and no session held.
    ///
    /// - Returns: those of them that it was not interrupted at.
    private func analyse(
        _ ids: [ExactText],
        _ run: inout Run,
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [ExactText] {
        var open = try store.load(ids, logs: logPart, on: slot)
        open.removeAll { $0.event.isSettled || run.verdicts[$0.event.id] != nil }
        var interrupted: Set<ExactText> = []
        for judgement in judge.judge(open, until: run.limit) {
            let event = judgement.event
            run.verdicts[event.id] = judgement.verdict
            if judgement.verdict == nil { interrupted.insert(event.conversationID) }
            if let paid = judgement.paid { run.unkept[event.conversationID] = paid }
        }
        if !run.unkept.isEmpty {
            try store.keep(run.unkept, on: slot)
            run.unkept = [:]
        }
        return ids.filter { !interrupted.contains($0) }
    }

    package func record(_ failed: [FailedDelivery], in context: HandlerContext) {
        // A message that names no conversation has no row to say so.
        let failures = failed.compactMap { failed -> EventFailure? in
            guard let id = Self.conversation(of: failed.delivery.message) else { return nil }
            return EventFailure(
                conversationID: id,
                failure: failed.failure,
                retryAfter: failed.retryAfter
            )
        }
        FailureRecorder(
            store: store,
            outage: outage,
            taskTimeout: taskTimeout,
            holdLimit: holdLimit,
            logger: logger
        ).record(failures, in: context)
    }

    private static func conversation(of message: Message) -> ExactText? {
        do {
            return try ConversationReference(body: message.body).conversationID
        } catch {
            return nil
        }
    }

    private func log(
        _ id: ExactText,
        of user: ExactText,
        _ change: Double,
        _ level: FriendshipLevel
    ) {
        logger.debug(
            "conversation.scored",
            metadata: [
                "conversation": "\(id)", "user": "\(user)",
                "change": .stringConvertible(change), "level": "\(level.rawValue)",
            ]
        )
    }
}
