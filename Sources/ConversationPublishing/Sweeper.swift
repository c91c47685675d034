import AMQP
import Concurrency
import Logging
import Postgres

/// Puts conversations on the queue again whose message was lost: a publish that failed after the
/// insert, a worker of another kind that died, a retry that is due and does not come.
///
/// A conversation is pushed forward in time, committed, and then published: a crash in between
/// delays it by `after`, and one that is swept although its message lives has one effect all the
/// same.
package struct Sweeper {
    let sessions: SessionPool
    let endpoint: Endpoint
    let topology: Topology
    /// How old a conversation must be before its message counts as lost.
    let after: Duration
    let taskTimeout: Duration
    let maxAttempts: Int
    /// Messages in the queue from which on it is long: what is not done then merely waits.
    let longQueue: Int
    let logger: Logger

    package init(
        sessions: SessionPool,
        endpoint: Endpoint,
        topology: Topology,
        after: Duration,
        taskTimeout: Duration,
        maxAttempts: Int,
        longQueue: Int,
        logger: Logger
    ) {
        self.sessions = sessions
        self.endpoint = endpoint
        self.topology = topology
        self.after = after
        self.taskTimeout = taskTimeout
        self.maxAttempts = maxAttempts
        self.longQueue = longQueue
        self.logger = logger
    }
    private let refused = RefusedRows()

    /// Chosen: few enough to lock and publish in a moment.
    private static let batch = 500

    /// Sweeps in batches, until nothing is left or the queue is long.
    ///
    /// - Returns: how many conversations were published.
    package func sweep(_ drain: DrainSignal) throws -> Int {
        var swept = 0
        while !drain.isRaised, try hasCandidates() {
            let ready = try topology.ready(at: endpoint)
            if ready >= longQueue {
                logger.debug("sweep.queue-is-long", metadata: ["ready": .stringConvertible(ready)])
                break
            }
            let lost = try claim()
            if lost.isEmpty { break }
            let unconfirmed = publish(lost)
            swept += lost.count - unconfirmed
            if unconfirmed > 0 { break }
        }
        return swept
    }

    private struct Lost: Sendable {
        var conversationID: String
        var user: String?
        var attempts: Int
    }

    private var parameters: [Parameter] {
        [.double(after / .seconds(1)), .double(taskTimeout * 2 / .seconds(1))]
    }

    /// Asked first, because it is cheap and the answer nearly always no.
    private func hasCandidates() throws(PostgresError) -> Bool {
        let parameters = parameters
        return try sessions.withSession { session throws(PostgresError) in
            try session.flight([(Self.find, parameters)])[0].count > 0
        }
    }

    /// Pushes a batch forward, or, where the database refuses one of it, each that it does not
    /// refuse.
    private func claim() throws(PostgresError) -> [Lost] {
        do throws(PostgresError) {
            return try claim(upTo: Self.batch)
        } catch {
            if error.endsSession || error.kind == .conflict { throw error }
            return try claimOneByOne()
        }
    }

    /// Rows that were named in the log. Used by the thread that sweeps.
    private final class RefusedRows: Sendable {
        private let ids = Locked<Set<Int>>([])

        /// - Returns: false for one that was in it.
        func insert(_ id: Int) -> Bool {
            ids.withLock { ids in
                if ids.count >= 10_000 { ids = [] }
                return ids.insert(id).inserted
            }
        }
    }

    /// Chosen: enough to get past rows that are refused for ever, few enough for one turn.
    private static let mostOneByOne = 100

    private func claimOneByOne() throws(PostgresError) -> [Lost] {
        var lost: [Lost] = []
        var last = 0
        for _ in 0..<Self.mostOneByOne {
            let parameters = parameters + [.integer(last)]
            let row = try sessions.withSession { session throws(PostgresError) in
                try session.flight([(Self.next, parameters)])[0].first(Self.candidate)
            }
            guard let (id, conversation) = row else { break }
            last = id
            do throws(PostgresError) {
                lost += try claim(upTo: 1, from: id)
            } catch {
                if error.endsSession { throw error }
                // Once: it is met by every sweep.
                logger.log(
                    level: refused.insert(id) ? .warning : .debug,
                    "sweep.row-refused",
                    metadata: ["conversation": "\(conversation)", "error": "\(error)"]
                )
            }
        }
        return lost
    }

    /// Workers may sweep at the same time: none gets a row that another has locked, or pushed.
    private func claim(upTo limit: Int, from id: Int = 0) throws(PostgresError) -> [Lost] {
        let parameters = parameters + [.integer(limit), .integer(id)]
        return try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([
                (.begin, []), (Self.push, parameters), (.commit, []),
            ])[1]
            return try rows.map(Self.pushed)
        }
    }

    /// - Returns: how many the broker did not confirm. They are swept again later.
    private func publish(_ lost: [Lost]) -> Int {
        let publisher = ConversationPublisher(
            publisher: Publisher(
                endpoint: endpoint.named("amity sweep"),
                topology: topology,
                insists: false,
                logger: logger
            ),
            exchange: "",
            routingKey: topology.names.main,
            patience: .seconds(10)
        )
        var refused = 0
        for one in lost {
            // Whatever its row has been through, it is given one more run.
            let attempts = min(one.attempts, maxAttempts - 1)
            let isTaken = publisher.publish(
                one.conversationID,
                of: one.user,
                attempts: attempts,
                isDated: false
            )
            if !isTaken { refused += 1 }
        }
        return publisher.finish().count + refused
    }

    // MARK: Statements

    /// $1 and $2 in seconds. A dead-lettered conversation is due in the year 3000; so is one whose
    /// row takes no failure (`SQL.markFailures`).
    private static let isLost = """
        (status = 'PENDING' AND greatest(created_at, updated_at) < now() - make_interval(secs => $1)
                AND (next_attempt_at IS NULL OR next_attempt_at < '2999-01-01')
            OR status = 'FAILED' AND next_attempt_at <= now()
            OR status = 'PROCESSING'
                AND greatest(created_at, updated_at) < now() - make_interval(secs => $2))
        """

    private static let find = Statement(
        "find_lost",
        "SELECT 1 FROM conversation_events WHERE \(isLost) LIMIT 1"
    )

    /// $3: the id that was looked at last.
    private static let next = Statement(
        "next_lost",
        """
        SELECT id, conversation_id FROM conversation_events WHERE \(isLost) AND id > $3
        ORDER BY id LIMIT 1
        """
    )

    private static func candidate(
        _ row: inout RowReader
    ) throws(PostgresError) -> (id: Int, conversation: String)? {
        guard let id = try row.integer() else { return nil }
        return (id, try row.text() ?? "")
    }

    private static let push = Statement(
        "push_lost",
        """
        UPDATE conversation_events AS stored
        SET next_attempt_at = now() + make_interval(secs => $1),
            status = CASE stored.status WHEN 'PROCESSING' THEN 'PENDING' ELSE stored.status END,
            updated_at = now()
        FROM (SELECT id FROM conversation_events
              WHERE \(isLost) AND id >= $4
              ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED) AS lost
        WHERE stored.id = lost.id
        RETURNING stored.conversation_id, stored.user_id, stored.attempt_count
        """
    )

    private static func pushed(_ row: inout RowReader) throws(PostgresError) -> Lost {
        Lost(
            conversationID: try row.text() ?? "",
            user: try row.text(),
            attempts: try row.integer() ?? 0
        )
    }
}
