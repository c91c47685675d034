import Postgres

/// The right of one worker to watch a queue for all of them: a row of `amity_queues` that says who
/// has it and until when. The holder keeps it by renewing it; another takes it once it has run out.
///
/// Each is one statement, so it is safe behind a pooler. All times are the database's.
package struct Lease: Sendable {
    private let queue: String
    private let holder: String
    private let seconds: Double

    /// - Parameter interval: between two renewals. A holder that misses two loses it at the third.
    package init(on queue: String, by holder: String, renewedEvery interval: Duration) {
        self.queue = queue
        self.holder = holder
        seconds = interval / .seconds(1) * 3
    }

    /// Takes or renews it: what `isHeld` reads.
    package var taking: (Statement, [Parameter]) {
        (Self.take, [.text(queue), .text(holder), .double(seconds)])
    }

    /// Another worker can take it at once.
    package var releasing: (Statement, [Parameter]) {
        (Self.release, [.text(queue), .text(holder)])
    }

    /// - Parameter rows: the answer to `taking`.
    package static func isHeld(_ rows: Rows) -> Bool { rows.count > 0 }

    private static let take = Statement(
        "lease_queue",
        """
        INSERT INTO amity_queues (queue, leader, lease_until)
        VALUES ($1, $2, now() + make_interval(secs => $3))
        ON CONFLICT (queue) DO UPDATE
            SET leader = excluded.leader, lease_until = excluded.lease_until
            WHERE amity_queues.leader = excluded.leader OR amity_queues.lease_until < now()
        RETURNING 1
        """
    )

    private static let release = Statement(
        "release_queue",
        """
        UPDATE amity_queues SET lease_until = now() - interval '1 second'
        WHERE queue = $1 AND leader = $2
        """
    )
}
