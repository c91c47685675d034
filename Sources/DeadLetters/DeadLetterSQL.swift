import Conversations
import Postgres

/// The statements on `amity_dead_letters`.
enum DeadLetterSQL {
    /// $1 rows as a JSON array, $2 queue, $3 ids that may have been written down before: each is
    /// the same dead letter again and no copy of it.
    static let record = Statement(
        "record_dead_letters",
        """
        INSERT INTO amity_dead_letters AS stored (id, queue, code, reason, attempts, replays,
            first_failure_at, last_failure_at, worker, body_bytes, body_sha256, headers,
            conversation_id, user_id, message_id, copies)
        SELECT entry.id, $2, entry.code, entry.reason, entry.attempts, entry.replays,
            entry.first_failure_at, entry.last_failure_at, entry.worker, entry.body_bytes,
            entry.body_sha256, entry.headers, entry.conversation_id,
            coalesce(entry.user_id, (SELECT event.user_id FROM conversation_events AS event
                WHERE event.conversation_id = entry.conversation_id LIMIT 1)),
            entry.message_id, entry.copies
        FROM jsonb_to_recordset($1::jsonb) AS entry(id text, code text, reason text,
            attempts integer, replays integer, first_failure_at timestamptz,
            last_failure_at timestamptz, worker text, body_bytes bigint, body_sha256 text,
            headers jsonb, conversation_id text, user_id text, message_id text, copies integer)
        ON CONFLICT (id) DO UPDATE SET
            copies = CASE WHEN stored.settled_at IS NOT NULL THEN excluded.copies
                          WHEN stored.id = ANY ($3::text[]) THEN stored.copies
                          ELSE stored.copies + excluded.copies END,
            code = excluded.code, reason = excluded.reason, attempts = excluded.attempts,
            last_failure_at = excluded.last_failure_at, worker = excluded.worker,
            headers = excluded.headers, dead_at = now(), settled_at = NULL, settled_how = NULL
        """
    )

    /// $1 queue; of each of the others NULL means any: $2 code, $3 ids, $4 conversations, $5 user,
    /// $6 the user's conversations, $7 last failed before and $8 since, in seconds since 1970.
    private static let matches = """
        queue = $1 AND ($2::text IS NULL OR code = $2)
            AND ($3::text[] IS NULL OR id = ANY ($3))
            AND ($4::text[] IS NULL OR conversation_id = ANY ($4))
            AND ($5::text IS NULL OR user_id = $5 OR conversation_id = ANY ($6::text[]))
            AND ($7::float8 IS NULL OR last_failure_at < to_timestamp($7))
            AND ($8::float8 IS NULL OR last_failure_at >= to_timestamp($8))
        """

    private static func utc(_ column: String) -> String {
        #"to_char(\#(column), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#
    }

    /// As `entry` reads them.
    private static let columns = """
        id, conversation_id, user_id, message_id, code, reason, attempts, replays,
            \(utc("first_failure_at")), \(utc("last_failure_at")), worker, body_bytes, body_sha256,
            copies, settled_how, \(utc("settled_at")), headers::text
        """

    static func entry(_ row: inout RowReader) throws(PostgresError) -> DeadLetterTable.Entry {
        .init(
            deadLetter: DeadLetter(
                id: try row.text() ?? "",
                conversationID: try row.text(),
                userID: try row.text(),
                messageID: try row.text(),
                code: try row.text() ?? "",
                reason: try row.text() ?? "",
                attempts: try row.integer() ?? 0,
                replays: try row.integer() ?? 0,
                firstFailureAt: try row.text() ?? "",
                lastFailureAt: try row.text() ?? "",
                worker: try row.text() ?? "",
                bodyBytes: try row.integer() ?? 0,
                bodySHA256: try row.text() ?? "",
                copies: try row.integer() ?? 0,
                state: try row.text().flatMap(DeadLetter.State.init) ?? .waiting,
                settledAt: try row.text()
            ),
            headers: DeadLetterTable.Entry.headers(try row.data())
        )
    }

    /// $9 whether those that are settled count, too, $10 most rows.
    static let list = Statement(
        "list_dead_letters",
        """
        SELECT \(columns) FROM amity_dead_letters
        WHERE \(matches) AND ($9::boolean OR settled_at IS NULL)
        ORDER BY dead_at, id LIMIT $10
        """
    )
    static let count = Statement(
        "count_dead_letters",
        """
        SELECT coalesce(sum(copies), 0) FROM amity_dead_letters
        WHERE \(matches) AND settled_at IS NULL
        """
    )
    static func counted(_ row: inout RowReader) throws(PostgresError) -> Int? {
        try row.integer()
    }

    static let erase = Statement(
        "erase_dead_letters",
        "DELETE FROM amity_dead_letters WHERE \(matches)"
    )
    /// $1 an id, of a dead letter or of a conversation, $2 queue.
    static let find = Statement(
        "find_dead_letter",
        """
        SELECT \(columns) FROM amity_dead_letters
        WHERE (id = $1 OR conversation_id = $1) AND queue = $2
        ORDER BY settled_at IS NOT NULL, dead_at, id LIMIT 100
        """
    )

    /// $1 queue.
    static let codes = Statement(
        "count_dead_letters_by_code",
        """
        SELECT code, sum(copies), \(utc("min(first_failure_at)")), \(utc("max(last_failure_at)"))
        FROM amity_dead_letters WHERE queue = $1 AND settled_at IS NULL
        GROUP BY code ORDER BY sum(copies) DESC, code
        """
    )
    static func code(_ row: inout RowReader) throws(PostgresError) -> DeadLetterTable.CodeCount {
        DeadLetterTable.CodeCount(
            code: try row.text() ?? "",
            count: try row.integer() ?? 0,
            firstFailureAt: try row.text() ?? "",
            lastFailureAt: try row.text() ?? ""
        )
    }

    /// $1 queue, $2 codes, $3 most dead letters of each.
    static let oldest = Statement(
        "oldest_dead_letters",
        """
        SELECT oldest.* FROM unnest($2::text[]) AS wanted CROSS JOIN LATERAL (
            SELECT \(columns) FROM amity_dead_letters
            WHERE queue = $1 AND code = wanted AND settled_at IS NULL
            ORDER BY dead_at, id LIMIT $3) AS oldest
        """
    )
    /// $1 queue, $2 codes: the reason of the latest of each.
    static let reasons = Statement(
        "latest_dead_letter_reasons",
        """
        SELECT wanted, latest.reason FROM unnest($2::text[]) AS wanted CROSS JOIN LATERAL (
            SELECT reason FROM amity_dead_letters
            WHERE queue = $1 AND code = wanted AND settled_at IS NULL
            ORDER BY dead_at DESC LIMIT 1) AS latest
        """
    )
    static func reason(_ row: inout RowReader) throws(PostgresError) -> (String, String) {
        (try row.text() ?? "", try row.text() ?? "")
    }

    /// $1 ids, $2 how many copies of each have left the queue, $3 how. Of a row with more copies
    /// the others stay.
    static let settle = Statement(
        "settle_dead_letters",
        """
        UPDATE amity_dead_letters AS stored
        SET copies = CASE WHEN copies > removed THEN copies - removed ELSE copies END,
            settled_at = CASE WHEN copies > removed THEN NULL ELSE now() END,
            settled_how = CASE WHEN copies > removed THEN NULL ELSE $3 END
        FROM unnest($1::text[], $2::integer[]) AS entry(id, removed)
        WHERE stored.id = entry.id AND (settled_at IS NULL OR settled_how = 'gone')
        """
    )
    /// $1 queue, $2 seconds, $3 ids that were seen in the queue: the others, if they are older than
    /// that, are not in it.
    static let markGone = Statement(
        "mark_dead_letters_gone",
        """
        UPDATE amity_dead_letters SET settled_at = now(), settled_how = 'gone'
        WHERE queue = $1 AND settled_at IS NULL AND dead_at < now() - make_interval(secs => $2)
            AND id <> ALL ($3::text[])
        RETURNING copies
        """
    )
    static func copies(_ row: inout RowReader) throws(PostgresError) -> Int {
        try row.integer() ?? 0
    }

    /// $1 user.
    static let conversations = Statement(
        "conversations_of_user",
        "SELECT conversation_id FROM conversation_events WHERE user_id = $1"
    )
    static func conversation(_ row: inout RowReader) throws(PostgresError) -> ExactText? {
        try row.text().map(ExactText.init)
    }

    /// $1 queue, $2 days since the last failure, $3 most rows.
    static let expired = Statement(
        "expired_dead_letters",
        """
        SELECT id, copies FROM amity_dead_letters
        WHERE queue = $1 AND settled_at IS NULL
            AND last_failure_at < now() - make_interval(days => $2)
        ORDER BY dead_at LIMIT $3
        """
    )
    static func old(_ row: inout RowReader) throws(PostgresError) -> (String, Int) {
        (try row.text() ?? "", try row.integer() ?? 1)
    }

    static let forget = Statement(
        "forget_dead_letters",
        "DELETE FROM amity_dead_letters WHERE settled_at < now() - interval '30 days'"
    )
}
