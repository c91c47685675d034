import Logging
import Postgres
import Storage

/// Analyses that were paid for, kept in a table of Amity's own until their conversation is settled:
/// a message that is retried, or delivered again after a crash, is not paid for twice. Numbers
/// only.
///
/// Where `amity migrate` has not been, nothing is kept and all else goes on.
package final class KeptAnalyses: Sendable {
    private let table: OptionalTable

    package init(logger: Logger) {
        table = OptionalTable(
            missing: "analyses.not-kept",
            triedAgainAfter: .seconds(300),
            logger: logger
        )
    }

    /// Runs what reads or writes the table, among other things.
    ///
    /// - Parameter body: is told whether it may touch the table. Called again, told that it may
    ///   not, when the table turns out to be missing.
    func using<Value>(
        _ body: (_ isOn: Bool) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        if !table.mayBeThere { return try body(false) }
        do throws(PostgresError) {
            let value = try body(true)
            table.isThere()
            return value
        } catch {
            // Whatever its table refuses: it is no conversation's fault.
            guard Self.operations.contains(error.operation), !error.endsSession,
                error.kind != .conflict, error.kind != .timeout
            else { throw error }
            table.isMissing(error)
            return try body(false)
        }
    }

    /// Reads the rows of `load`.
    package static func all(in rows: Rows) throws(PostgresError) -> [ExactText: PaidAnalysis] {
        var kept: [ExactText: PaidAnalysis] = [:]
        try rows.forEach { row throws(PostgresError) in
            let (id, paid) = try loaded(&row)
            kept[id] = paid
        }
        return kept
    }

    static func parameters(_ paid: [ExactText: PaidAnalysis]) -> [Parameter] {
        let paid = Array(paid)
        return [
            .textArray(paid.map(\.key.text)),
            .textArray(paid.map { $0.value.questions.map(String.init) }),
            .textArray(paid.map(\.value.emotion)), .textArray(paid.map(\.value.model)),
            .textArray(paid.map { $0.value.memories.map(String.init) }),
        ]
    }

    // MARK: Statements

    /// $1: ids of conversations.
    package static let load = Statement(
        "load_analyses",
        """
        SELECT conversation_id, questions, emotion, model, memories
        FROM amity_analyses WHERE conversation_id = ANY ($1::text[])
        """
    )

    private static func loaded(
        _ row: inout RowReader
    ) throws(PostgresError) -> (ExactText, PaidAnalysis) {
        let id = ExactText(try row.text() ?? "")
        let paid = PaidAnalysis(
            questions: try row.integer(),
            emotion: try row.text(),
            model: try row.text(),
            memories: try row.integer()
        )
        return (id, paid)
    }

    /// In a transaction of its own, which a crash of the database may lose: then it is paid for
    /// again.
    static let keep = Statement(
        "keep_analyses",
        """
        WITH hurry AS (SELECT set_config('synchronous_commit', 'off', true))
        INSERT INTO amity_analyses AS stored
            (conversation_id, questions, emotion, model, memories)
        SELECT id, questions, emotion, model, memories
        FROM hurry, unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::int[])
            AS new (id, questions, emotion, model, memories)
        ORDER BY id
        ON CONFLICT (conversation_id) DO UPDATE SET
            questions = coalesce(excluded.questions, stored.questions),
            emotion = coalesce(excluded.emotion, stored.emotion),
            model = coalesce(excluded.model, stored.model),
            memories = coalesce(excluded.memories, stored.memories),
            created_at = now()
        """
    )

    /// $1: ids of conversations, in the transaction that settles them.
    static let forget = Statement(
        "forget_analyses",
        "DELETE FROM amity_analyses WHERE conversation_id = ANY ($1::text[])"
    )

    /// Deletes what two workers have both paid for, and what belongs to dead letters that no
    /// operator has looked at.
    static let expire = Statement(
        "expire_analyses",
        """
        DELETE FROM amity_analyses AS kept
        WHERE created_at < now() - interval '30 days'
           OR conversation_id IN (SELECT conversation_id FROM amity_analyses
                  JOIN conversation_events AS event USING (conversation_id)
                  WHERE event.status IN ('PROCESSED', 'SKIPPED'))
        """
    )

    private static let operations = Set([load, keep, forget, expire].map(\.name))
}
