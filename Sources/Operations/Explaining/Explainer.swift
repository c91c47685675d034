import AMQP
import Conversations
import DeadLetters
import Foundation
import FriendshipScoring
import Postgres
import QueueAccess
import SafeText
import Storage

/// Finds out how a conversation's score came about, or why it has none yet, from its row, the queue
/// and the dead letters.
package struct Explainer {
    private let options: ExplainerOptions
    private let sessions: SessionPool

    package init(options: ExplainerOptions, sessions: SessionPool) {
        self.options = options
        self.sessions = sessions
    }

    /// - Throws: when the database does not answer. A broker that does not is a sentence of the
    ///   explanation.
    package func explain(_ conversationID: String) throws -> Explanation {
        let row = try sessions.withSession { session throws(PostgresError) in
            try session.flight([(Self.find, [.text(conversationID)])])[0].first(Row.init)
        }
        var explanation = Explanation(conversationID: conversationID, state: .unknown)
        if let row {
            explanation.take(row)
            explanation.judge(row, options)
            if explanation.state == .scored {
                explanation.score = score(row, &explanation.because)
            }
        }
        switch explanation.state {
        case .scored, .skipped: break
        case .unknown, .queued, .processing, .delayed, .dead:
            explanation.paid = try paid(for: conversationID, in: sessions)
            try lookForWorkers(&explanation, in: sessions)
            askBroker(&explanation)
            try findDeadLetters(&explanation, in: sessions)
        }
        return explanation
    }

    /// Adds which workers consume from the queue, or why none does.
    private func lookForWorkers(
        _ explanation: inout Explanation,
        in sessions: SessionPool
    ) throws {
        let queue = options.topology.names.main
        let workers = try OptionalTable.using {
            try Statistics(sessions: sessions, queue: queue).workers().filter { $0.queue == queue }
        }
        explanation.because +=
            workers.map { Self.sentences(about: $0, of: queue) }
            ?? ["Workers are not registered here: amity migrate."]
    }

    private static func sentences(about workers: [WorkerStats], of queue: String) -> [String] {
        let ready = workers.count { $0.state == .ready }
        if ready > 0 {
            return ["\(ready) \(ready == 1 ? "worker consumes" : "workers consume") from \(queue)."]
        }
        let living = workers.filter(\.state.isLiving).map { worker in
            "\(worker.name) runs and does not consume: \(worker.reasons.joined(separator: ", "))."
        }
        let causes = SharedProblem.among(workers).map { shared in
            "\(shared.problem.name): \(shared.problem.advice)."
        }
        let pauses = workers.filter(\.state.isLiving).compactMap { worker in
            worker.wayBack.map {
                "\(worker.name) is paused by \(worker.paused?.by ?? "an operator"); \($0)."
            }
        }
        let lost = workers.filter { $0.state == .lost }.map { worker in
            "\(worker.name) is gone without a word, with \(worker.inFlight) messages in hand."
        }
        return ["No worker consumes from \(queue)."] + living + causes + pauses + lost.prefix(3)
    }

    private func score(_ row: Row, _ because: inout [String]) -> Explanation.Score? {
        guard let change = row.change, let text = row.details else {
            because.append("The row does not say how: another service has scored it.")
            return nil
        }
        do {
            let details = try JSONDecoder().decode(ScoreDetails.self, from: Data(text.utf8))
            return Explanation.Score(
                details,
                counted: countedTurns(row, &because),
                change: change,
                levelAfter: row.newLevel,
                weights: options.weights
            )
        } catch {
            because.append("Its score_calculation_details are not in the form that is known here.")
            return nil
        }
    }

    /// nil also where no number came from the built-in analysis.
    private func countedTurns(_ row: Row, _ because: inout [String]) -> CountedTurns? {
        guard let log = row.log else { return nil }
        do throws(ConversationLogError) {
            return try CountedTurns(log: Data(log.utf8), botType: row.botType)
        } catch {
            because.append("Its conversation_log is not in a form that is known here.")
            return nil
        }
    }

    private func paid(
        for conversationID: String,
        in sessions: SessionPool
    ) throws(PostgresError) -> Explanation.Paid? {
        let paid = try OptionalTable.using { () throws(PostgresError) in
            try sessions.withSession { session throws(PostgresError) in
                let ids = Parameter.textArray([conversationID])
                return try KeptAnalyses.all(in: try session.flight([(KeptAnalyses.load, [ids])])[0])
            }
        }
        return paid?[ExactText(conversationID)].map { paid in
            Explanation.Paid(
                questions: paid.questions,
                emotion: paid.emotion,
                model: paid.model,
                memories: paid.memories
            )
        }
    }

    /// The queue's length.
    private func askBroker(_ explanation: inout Explanation) {
        do throws(AMQPError) {
            let ready = try options.topology.ready(at: options.endpoint)
            explanation.because.append(
                "\(ready) \(ready == 1 ? "message waits" : "messages wait") in "
                    + "\(options.topology.names.main)."
            )
        } catch {
            let isMissing = error.replyCode == ReplyCode.notFound
            explanation.because.append(
                isMissing
                    ? """
                    A queue of \(options.topology.names.main) is missing: amity migrate --topology.
                    """
                    : "The broker could not be asked: \(error)."
            )
        }
    }

    /// The conversation's dead letters by their rows, and what the rows cannot tell.
    private func findDeadLetters(
        _ explanation: inout Explanation,
        in sessions: SessionPool
    ) throws(PostgresError) {
        let names = options.topology.names
        let table = DeadLetterTable(sessions: sessions, queue: names.main)
        var filter = DeadLetterFilter()
        filter.conversationIDs = [ExactText(explanation.conversationID)]
        let deadLetters =
            try OptionalTable.using { () throws(PostgresError) in
                try table.list(filter, limit: Self.mostDeadLetters)
            } ?? []
        let presence: QueuePresence
        do throws(AMQPError) {
            presence = try QueuePresence(of: names.dead, at: options.endpoint)
        } catch {
            return explanation.takeDeadLetters(deadLetters, of: names.dead, nil)
        }
        let counts = try DeadLetterCounts(presence, table)
        explanation.takeDeadLetters(deadLetters, of: names.dead, counts)
    }

    private static let mostDeadLetters = 100

    /// $1: id of a conversation. Columns without a zone hold UTC, as does the session.
    private static let find = Statement(
        "explain_conversation",
        """
        SELECT user_id, status, attempt_count, \(utc("created_at")), \(utc("processed_at")),
            \(utc("next_attempt_at")), error_code, left(error_details, 500),
            friendship_score_change, new_friendship_level, score_calculation_details::text,
            extract(epoch FROM now() - created_at::timestamptz),
            extract(epoch FROM now()
                - greatest(created_at::timestamptz, updated_at::timestamptz)),
            extract(epoch FROM next_attempt_at::timestamptz - now()), bot_type,
            CASE WHEN score_calculation_details::text LIKE '%"\(AnalysisSource.builtIn.rawValue)"%'
                THEN conversation_log::text END
        FROM conversation_events WHERE conversation_id = $1
        """
    )

    private static func utc(_ column: String) -> String {
        #"to_char(\#(column)::timestamptz, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#
    }

    /// The answer to `find`.
    fileprivate struct Row: Sendable {
        let user: String?
        let status: String
        let attempts: Int
        let createdAt: String?
        let processedAt: String?
        let nextAttemptAt: String?
        let errorCode: String?
        let errorDetails: String?
        let change: Double?
        let newLevel: String?
        let details: String?
        /// In seconds.
        let age: Double
        /// Seconds since the row last changed.
        let idle: Double
        /// Seconds until it is due; negative when it is.
        let dueIn: Double
        let botType: String
        /// nil unless the built-in analysis has a part in the score.
        let log: String?

        init(_ row: inout RowReader) throws(PostgresError) {
            user = try row.text()
            status = try row.text() ?? ""
            attempts = try row.integer() ?? 0
            createdAt = try row.text()
            processedAt = try row.text()
            nextAttemptAt = try row.text()
            errorCode = try row.text()
            errorDetails = try row.text()
            change = try row.double()
            newLevel = try row.text()
            details = try row.text()
            age = try row.double() ?? 0
            idle = try row.double() ?? age
            dueIn = try row.double() ?? 0
            botType = try row.text() ?? ""
            log = try row.text()
        }
    }
}

extension Explanation {
    fileprivate mutating func take(_ row: Explainer.Row) {
        userID = row.user
        status = row.status
        attempts = row.attempts
        createdAt = row.createdAt
        processedAt = row.processedAt
        nextAttemptAt = row.nextAttemptAt
        errorCode = row.errorCode
        errorDetails = row.errorDetails
    }

    /// What its row says of where it stands, and of what comes next.
    fileprivate mutating func judge(_ row: Explainer.Row, _ options: ExplainerOptions) {
        switch row.status {
        case "PROCESSED": state = .scored
        case "SKIPPED":
            state = .skipped
            because.append("It is marked as one that does not count; no worker touches it.")
        case "PROCESSING":
            state = .processing
            because.append(
                "A worker of another kind took it \(Self.span(row.idle)) ago; Amity itself never "
                    + "leaves this status."
            )
            because.append(sweep(options, options.taskTimeout * 2, row.idle))
        case "FAILED" where row.dueIn > Self.never:
            state = .dead
            because.append("It failed for good: nothing picks it up by itself.")
        case "FAILED":
            state = .delayed
            // A minute is on top, so that the sweep does not come first.
            let left = row.dueIn - 60
            because.append(
                left > 0
                    ? """
                    Its message waits in a delay queue and runs again in about \(Self.span(left)).
                    """
                    : "It is due."
            )
            if row.dueIn <= 0 { because.append(sweep(options, .zero, 0)) }
        case _:
            state = .queued
            because.append("It has waited for \(Self.span(row.age)).")
            because.append(sweep(options, options.sweepAfter, row.idle))
        }
    }

    /// - Parameter counts: nil where the broker does not answer.
    fileprivate mutating func takeDeadLetters(
        _ found: [DeadLetter],
        of queue: String,
        _ counts: DeadLetterCounts?
    ) {
        deadLetters = found
        if state == .unknown {
            because.insert(
                """
                conversation_events has no row with this id: the id is wrong, or its producer has \
                not committed, or another database is set.
                """,
                at: 0
            )
        }
        let word = conversationID.shellWord
        let isOption = conversationID.hasPrefix("-")
        let others = counts?.withoutRow ?? 0
        if !deadLetters.isEmpty, let counts, counts.gone > 0 {
            because.append(
                """
                Its \(deadLetters.count) dead letters are gone: \(queue) is empty or missing, so \
                another consumer or a policy of the broker took them. amity publish \
                \(isOption ? "-- " : "")\(word) queues it again.
                """
            )
        } else if !deadLetters.isEmpty {
            because.append(
                "\(queue) holds \(deadLetters.count) of its messages: mend the cause, then "
                    + "amity dead-letters retry --conversation\(isOption ? "=" : " ")\(word)"
            )
        } else if others > 0 {
            because.append(
                """
                \(queue) has \(others) \(others == 1 ? "message" : "messages") without a row, \
                which may be its: amity dead-letters list --look-into-queue \
                --conversation\(isOption ? "=" : " ")\(word)
                """
            )
        } else if state == .dead, counts != nil {
            because.append(
                """
                \(queue) does not hold its message any more: it was purged, or was retried and \
                runs. amity publish \(isOption ? "-- " : "")\(word) queues it again.
                """
            )
        }
    }

    /// Whether and when the sweep finds it if its message is lost.
    private func sweep(_ options: ExplainerOptions, _ after: Duration, _ idle: Double) -> String {
        if options.sweepAfter == .zero {
            return "The sweep is off (SWEEP_AFTER_SECONDS=0): if its message is lost, it stays so."
        }
        let left = after / .seconds(1) - idle
        if left > 0 {
            return "If its message is lost, the sweep queues it again in \(Self.span(left))."
        }
        return "If its message is lost, the sweep queues it again as soon as a worker runs and the "
            + "queue is short."
    }

    /// Seconds until the year 3000 are far more, until any retry far less.
    private static let never = 100 * 365 * 86_400.0

    private static func span(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(Int(max(0, seconds).rounded())) s"
        case ..<7200: "\(Int((seconds / 60).rounded())) min"
        case ..<172_800: "\(Int((seconds / 3600).rounded())) h"
        case _: "\(Int((seconds / 86_400).rounded())) days"
        }
    }
}
