import AMQP
import Postgres
import QueueAccess
import Storage

/// How many dead letters there are, by their rows and by their queue, without a look at any.
package struct DeadLetterCounts: Sendable {
    /// Messages that rows speak of as waiting; nil where there is no table.
    package var recorded: Int?
    package var presence: QueuePresence

    package init(recorded: Int?, presence: QueuePresence) {
        self.recorded = recorded
        self.presence = presence
    }

    /// - Throws: where the database does not answer. A table that is missing is part of the counts.
    package init(_ presence: QueuePresence, _ table: DeadLetterTable) throws(PostgresError) {
        self.presence = presence
        recorded = try OptionalTable.using { () throws(PostgresError) in
            try table.count(DeadLetterFilter())
        }
    }

    /// Messages in the queue that no row speaks of: others', older ones, such that were
    /// dead-lettered while the database was away, second copies. nil where the broker does not say.
    package var withoutRow: Int? {
        switch presence {
        case .there(let depth): max(0, depth.ready - (recorded ?? 0))
        case .missing: 0
        case .away: nil
        }
    }

    /// Messages that rows speak of and that are not in the queue, where that is certain for all of
    /// them.
    package var gone: Int { presence.holdsNothing ? recorded ?? 0 : 0 }

    /// What an operator has to know besides the dead letters themselves.
    ///
    /// - Parameter queue: the dead-letter queue's name.
    package func remarks(on queue: String) -> [String] {
        var remarks: [String] = []
        if recorded == nil {
            remarks.append(
                "there is no table amity_dead_letters, or no grant on it: amity migrate, "
                    + "deploy/grants.sql"
            )
        }
        if case .away(let reason) = presence { remarks.append(reason) }
        if gone > 0 {
            remarks.append(
                "\(queue) is empty or missing, so \(messages(gone)) of these are gone: another "
                    + "consumer took them, or a policy of the broker did"
            )
        }
        if let withoutRow, withoutRow > 0 {
            remarks.append(
                """
                \(messages(withoutRow)) in \(queue) without a row here (of other publishers, \
                older, or exact copies): amity dead-letters list --look-into-queue lists what is \
                in the queue; on a quorum queue a look costs each dead letter one delivery of its \
                limit, and those that were delivered before move to the end of the queue
                """
            )
        }
        return remarks
    }

    private func messages(_ count: Int) -> String {
        "\(count) \(count == 1 ? "message" : "messages")"
    }
}
