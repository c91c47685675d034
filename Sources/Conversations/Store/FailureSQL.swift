import Postgres

/// The statements that write down why a conversation has no score.
extension SQL {
    /// $4 is seconds until the message runs again, NULL for never. `nextAttempt` adds a minute, so
    /// that the sweep for lost messages skips the row. A dead message gets the year 3000, so it
    /// never falls due.
    static let recordFailures = Statement(
        "record_failures",
        """
        UPDATE conversation_events AS stored
        SET status = 'FAILED',
            attempt_count = stored.attempt_count + 1,
            error_code = new.code,
            error_details = new.reason,
            next_attempt_at = \(nextAttempt),
            updated_at = now()
        \(failures)
        """
    )

    /// The least that tells the sweep to leave the rows alone, where the columns do not take more.
    /// Same parameters.
    static let markFailures = [
        Statement(
            "mark_failures",
            """
            UPDATE conversation_events AS stored
            SET status = 'FAILED', next_attempt_at = \(nextAttempt), updated_at = now()
            \(failures)
            """
        ),
        Statement(
            "put_off_failures",
            """
            UPDATE conversation_events AS stored
            SET next_attempt_at = \(nextAttempt)
            \(failures)
            """
        ),
    ]

    private static let nextAttempt = """
        coalesce(now() + make_interval(secs => new.delay + 60), '3000-01-01T00:00:00Z')
        """

    private static let failures = """
        FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
            AS new (conversation_id, code, reason, delay)
        WHERE stored.conversation_id = ANY ($1::text[])
          AND stored.conversation_id = new.conversation_id
          AND \(isOpen("stored.status"))
        """
}
