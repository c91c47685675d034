import FriendshipScoring
import Logging
import Postgres
import WorkerRuntime

/// The path of one message through its thread, for a batch of any size:
///
///     decode ─▶ load ─▶ analyse ─▶ score ─▶ persist ─▶ outcome
///
/// It may run twice for the same conversation at any time: the row's own state, under its lock,
/// decides whether the conversation still counts.
package struct ConversationHandler: Handler {
    package let batchLimit: Int
    private let store: ConversationStore
    private let analyser: any Analyser
    private let weights: ScoreWeights
    private let logger: Logger

    package init(
        store: ConversationStore,
        analyser: any Analyser,
        weights: ScoreWeights,
        batchLimit: Int,
        logger: Logger
    ) {
        self.store = store
        self.analyser = analyser
        self.weights = weights
        self.batchLimit = batchLimit
        self.logger = logger
    }

    package func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        let decoded = deliveries.map { delivery in
            Result { () throws(Failure) in try ConversationReference(body: delivery.message.body) }
        }
        // Each conversation once, in order of first arrival: duplicates share its outcome.
        var seen: Set<String> = []
        let ids = decoded.compactMap { reference -> String? in
            guard case .success(let reference) = reference,
                seen.insert(reference.conversationID).inserted
            else { return nil }
            return reference.conversationID
        }
        let outcomes = settle(ids, in: context)
        return decoded.map { reference in
            switch reference {
            case .success(let reference): outcomes[reference.conversationID] ?? .interrupted
            case .failure(let failure): .deadLetter(failure)
            }
        }
    }

    /// Scores conversations until the database has answered for each of them, or a drain begins.
    private func settle(_ ids: [String], in context: HandlerContext) -> [String: Outcome] {
        if ids.isEmpty { return [:] }
        var conflicts = 0
        var outage = Outage(logger: logger)
        while true {
            do throws(PostgresError) {
                let outcomes = try score(ids, on: context.slot)
                outage.end()
                return outcomes
            } catch {
                switch error.kind {
                case .conflict where conflicts < Self.mostConflicts:
                    // Not the messages' fault: once more from the start, no attempt spent.
                    conflicts += 1
                    context.drain.wait(for: .milliseconds(Int.random(in: 1...(10 * conflicts))))
                case .unavailable, .misconfigured:
                    // Held, not failed. Intake stops by itself when the prefetch count is reached.
                    if context.drain.wait(for: outage.delay(after: error)) { return [:] }
                case .conflict, .permanent, .unknown:
                    if ids.count == 1 { return [ids[0]: fail(ids[0], error, on: context.slot)] }
                    // One of them spoils the transaction: singly, so that it fails alone.
                    return ids.reduce(into: [:]) { outcomes, id in
                        outcomes.merge(settle([id], in: context)) { _, new in new }
                    }
                }
            }
        }
    }

    /// Chosen: with 1 s of lock timeout and growing pauses, a race that lasts this long is a fault.
    private static let mostConflicts = 20

    private func score(
        _ ids: [String],
        on slot: ThreadPool.Slot
    ) throws(PostgresError) -> [String: Outcome] {
        let loaded = try store.load(ids, on: slot)
        var outcomes: [String: Outcome] = [:]
        var scored: [ScoredEvent] = []
        var failed: [(event: Int, failure: Failure)] = []
        for id in ids {
            guard let event = loaded.events[id] else {
                // A producer may publish before its commit shows.
                outcomes[id] = .retry(.conversationNotFound)
                continue
            }
            outcomes[id] = .done
            if event.isSettled { continue }
            do throws(Failure) {
                scored.append(ScoredEvent(event: event, score: try score(event)))
            } catch {
                failed.append((event.id, error))
                outcomes[id] = .deadLetter(error)
            }
        }
        if !scored.isEmpty {
            let applied = try store.persist(scored, agenda: loaded.agenda, on: slot)
            for event in applied { log(event) }
        }
        if !failed.isEmpty { try store.recordFailures(failed, on: slot) }
        return outcomes
    }

    private func score(_ event: ConversationEvent) throws(Failure) -> ConversationScore {
        let log: ConversationLog
        do throws(ConversationLogError) {
            log = try ConversationLog(json: event.logJSON)
        } catch {
            throw Failure(code: "INVALID_LOG", reason: error.description)
        }
        let analysis = analyser.analyse(log)
        let score = ConversationScore(of: log, analysis: analysis, weights: weights)
        guard score.change.isFinite else {
            throw Failure(code: "INVALID_SCORE", reason: "the change is not a finite number")
        }
        return score
    }

    /// The outcome of one conversation that the database refuses.
    private func fail(_ id: String, _ error: PostgresError, on slot: ThreadPool.Slot) -> Outcome {
        let failure = Failure(code: "UNEXPECTED_ERROR", reason: error.description)
        do throws(PostgresError) {
            if let event = try store.load([id], on: slot).events[id], !event.isSettled {
                try store.recordFailures([(event.id, failure)], on: slot)
            }
        } catch {
            logger.error(
                "conversation.failure-not-recorded",
                metadata: ["conversation": "\(id)", "error": "\(error)"]
            )
        }
        return error.kind == .permanent ? .deadLetter(failure) : .retry(failure)
    }

    private func log(_ event: AppliedEvent) {
        logger.debug(
            "conversation.scored",
            metadata: [
                "conversation": "\(event.conversationID)", "user": "\(event.userID)",
                "change": .stringConvertible(event.change), "level": "\(event.level.rawValue)",
            ]
        )
    }
}

extension Failure {
    static let conversationNotFound = Failure(
        code: "CONVERSATION_NOT_FOUND",
        reason: "conversation_events has no row with this conversation_id"
    )
}

/// Logs the database's absence once on entry and once on exit, and paces the attempts.
private struct Outage {
    let logger: Logger
    private var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
    private var began: ContinuousClock.Instant?

    init(logger: Logger) {
        self.logger = logger
    }

    mutating func delay(after error: PostgresError) -> Duration {
        if began == nil {
            began = .now
            logger.error("database.unavailable", metadata: ["error": "\(error)"])
        }
        return backoff.next()
    }

    func end() {
        guard let began else { return }
        logger.notice(
            "database.available",
            metadata: [
                "downtime_seconds": .stringConvertible(began.duration(to: .now) / .seconds(1))
            ]
        )
    }
}
