import Logging
import Postgres
import Storage
import WorkerRuntime

/// Writes down in the events' rows what failed. A row that does not take it all is at least marked,
/// so that the sweep leaves it alone: else each sweep would make another dead letter.
struct FailureRecorder {
    let store: ConversationStore
    let outage: DatabaseOutage
    let taskTimeout: Duration
    let holdLimit: Duration
    let logger: Logger

    /// Blocks while the database is away, for as long as messages are held.
    func record(_ failures: [EventFailure], in context: HandlerContext) {
        var groups = failures.isEmpty ? [] : [failures]
        var persistence = Persistence(until: context.drain)
        var hold: DatabaseOutage.Hold?
        while let group = groups.popLast() {
            do throws(PostgresError) {
                try store.record(group, on: context.slot)
                if hold != nil { outage.answered() }
            } catch {
                let away = self.away(error, context)
                if let away { outage.began(away, &hold) }
                // A lock that lasts must not keep a thread: the message moves on without its row.
                let limit = away == nil ? min(taskTimeout, .seconds(5)) : holdLimit
                let mayPass = away != nil || error.kind == .conflict
                if away == nil, group.count > 1 {
                    groups += group.map { [$0] }
                } else if mayPass, persistence.mayTryAgain(within: limit) {
                    groups.append(group)
                } else {
                    mark(group, after: error, on: context.slot)
                }
            }
        }
    }

    /// - Returns: why the database is away or not as it is needed; nil where it is about the rows.
    private func away(_ error: PostgresError, _ context: HandlerContext) -> PostgresError? {
        if error.endsSession { return error }
        if !error.isOutage { return nil }
        switch store.examine(.scoring, on: context.slot) {
        case .rows: return nil
        case .away(let error), .unfit(let error): return error
        }
    }

    /// What a narrow column or a constraint does not take is left out.
    private func mark(
        _ group: [EventFailure],
        after first: PostgresError,
        on slot: ThreadPool.Slot
    ) {
        var isMarked = false
        for statement in SQL.markFailures where !isMarked {
            do throws(PostgresError) {
                try store.record(group, by: statement, on: slot)
                isMarked = true
            } catch {
                logger.debug("conversation.failure-not-marked", metadata: ["error": "\(error)"])
            }
        }
        for failure in group {
            logger.error(
                "conversation.failure-not-recorded",
                metadata: [
                    "conversation": "\(failure.conversationID)", "error": "\(first)",
                    "code": "\(failure.failure.code)",
                    "is_marked": .stringConvertible(isMarked),
                ]
            )
        }
    }
}
