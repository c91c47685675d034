import Foundation
import HostResources
import Logging
import Postgres

/// The statements on `amity_workers` and `amity_worker_samples`. All times are the database's.
enum RegistrySQL {
    /// The worker's identity ($1 to $7: its settings with what it uses are $6, the seconds since
    /// its start $7), its state and counts ($8 to $18), the seconds since its latest delivery ($19,
    /// NULL for none), its latest failures ($20), the problems of its links ($21), and who paused
    /// it ($22, NULL where it is not paused). The state "stopped" is final: a heartbeat that
    /// arrives later changes nothing.
    static let heartbeat = Statement(
        "heartbeat",
        """
        INSERT INTO amity_workers (boot_id, host, pid, version, queue, settings, started_at,
            state, reasons, done, duplicates, retried, dead, interrupted, reconnects, busy_threads,
            in_flight, resident_bytes, last_delivery_at, failures, problems, paused)
        VALUES ($1, $2, $3, $4, $5, $6, now() - make_interval(secs => $7),
            $8, $9::text[], $10, $11, $12, $13, $14, $15, $16,
            $17, $18, now() - make_interval(secs => $19), $20, $21, $22)
        ON CONFLICT (boot_id) DO UPDATE SET
            settings = excluded.settings, heartbeat_at = now(),
            state = excluded.state, reasons = excluded.reasons,
            done = excluded.done, duplicates = excluded.duplicates, retried = excluded.retried,
            dead = excluded.dead, interrupted = excluded.interrupted,
            reconnects = excluded.reconnects, busy_threads = excluded.busy_threads,
            in_flight = excluded.in_flight, resident_bytes = excluded.resident_bytes,
            last_delivery_at = excluded.last_delivery_at, failures = excluded.failures,
            problems = excluded.problems, paused = excluded.paused
        WHERE amity_workers.state <> 'stopped'
        """
    )

    /// $1: seconds of silence. Only one worker finds each lost one, and no worker waits for a row
    /// that another has locked.
    static let findLost = Statement(
        "find_lost_workers",
        """
        UPDATE amity_workers SET state = 'lost'
        WHERE boot_id = ANY (ARRAY(
            SELECT boot_id FROM amity_workers
            WHERE state NOT IN ('stopped', 'lost')
              AND heartbeat_at < now() - make_interval(secs => $1)
            FOR UPDATE SKIP LOCKED))
        RETURNING host, pid, extract(epoch FROM now() - heartbeat_at), busy_threads, in_flight
        """
    )

    /// What is to be said of one that was found lost.
    static func lost(_ row: inout RowReader) throws(PostgresError) -> Logger.Metadata {
        [
            "worker": "\(try row.text() ?? ""):\(try row.text() ?? "")",
            "silent_seconds": .stringConvertible(try row.double() ?? 0),
            "threads_busy": .stringConvertible(try row.integer() ?? 0),
            "in_flight": .stringConvertible(try row.integer() ?? 0),
        ]
    }

    /// $1 boot id, $2 queue; what has happened since the last one.
    static let sample = Statement(
        "sample_worker",
        """
        INSERT INTO amity_worker_samples
            (boot_id, queue, done, retried, dead, acked, ack_seconds_p50, ack_seconds_p99)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """
    )

    /// Those that ended in peace are kept for an hour, the lost for a day, and never more than $1
    /// of them, however often a worker dies.
    static let forgetGone = Statement(
        "forget_gone_workers",
        """
        DELETE FROM amity_workers
        WHERE state IN ('stopped', 'lost')
          AND (heartbeat_at < now() - CASE state WHEN 'lost' THEN interval '1 day'
                                                 ELSE interval '1 hour' END
               OR boot_id = ANY (ARRAY(
                    SELECT boot_id FROM amity_workers WHERE state IN ('stopped', 'lost')
                    ORDER BY heartbeat_at DESC OFFSET $1)))
        """
    )

    /// The readers look back one hour.
    static let forgetSamples = Statement(
        "forget_worker_samples",
        "DELETE FROM amity_worker_samples WHERE taken_at < now() - interval '65 minutes'"
    )

    /// $1: seconds of silence; $2: most rows. The living first, then the latest that have ended.
    /// Where no worker runs `findLost`, the lost are recognised by their silence.
    static let workers = Statement(
        "read_workers",
        """
        SELECT boot_id, host, pid, version, queue, settings, extract(epoch FROM started_at),
               extract(epoch FROM heartbeat_at), extract(epoch FROM now() - heartbeat_at),
               CASE WHEN state NOT IN ('stopped', 'lost')
                         AND heartbeat_at < now() - make_interval(secs => $1)
                    THEN 'lost' ELSE state END AS seen,
               to_json(reasons), done, duplicates, retried, dead, interrupted, reconnects,
               busy_threads, in_flight, resident_bytes, extract(epoch FROM last_delivery_at),
               failures, problems, paused, settings -> 'resources'
        FROM amity_workers
        ORDER BY state IN ('stopped', 'lost'),
                 CASE WHEN state IN ('stopped', 'lost') THEN heartbeat_at END DESC,
                 host, started_at, boot_id
        LIMIT $2
        """
    )

    static func worker(_ row: inout RowReader) throws -> WorkerStats {
        func instant(_ seconds: Double?) -> Date? { seconds.map(Date.init(timeIntervalSince1970:)) }
        func decoded<T: Decodable>(_ json: Data?) throws -> T {
            try JSONDecoder().decode(T.self, from: json ?? Data())
        }
        var worker = WorkerStats(
            bootID: try row.text() ?? "",
            host: try row.text() ?? "",
            processID: try row.integer() ?? 0,
            version: try row.text() ?? "",
            queue: try row.text() ?? "",
            settings: try decoded(try row.data()),
            startedAt: instant(try row.double()) ?? .distantPast,
            heartbeatAt: instant(try row.double()) ?? .distantPast,
            heartbeatAgeSeconds: try row.double() ?? 0,
            // A state that a later version knows is none in which it is surely ready.
            state: .init(rawValue: try row.text() ?? "") ?? .notReady,
            reasons: try decoded(try row.data()),
            done: try row.integer() ?? 0,
            duplicates: try row.integer() ?? 0,
            retried: try row.integer() ?? 0,
            dead: try row.integer() ?? 0,
            interrupted: try row.integer() ?? 0,
            reconnects: try row.integer() ?? 0,
            busyThreads: try row.integer() ?? 0,
            inFlight: try row.integer() ?? 0,
            residentBytes: try row.integer() ?? 0,
            lastDeliveryAt: instant(try row.double()),
            failures: [],
            problems: [],
            paused: nil
        )
        let failures: [StoredFailure] = try decoded(try row.data())
        let problems: [StoredProblem] = try decoded(try row.data())
        let pause: StoredPause? = try row.data().map { try decoded($0) }
        do {
            worker.resources = try row.data().map { try decoded($0) }
        } catch {
            // As another version has them.
        }
        let toldAt = worker.heartbeatAt
        worker.failures = failures.map { .init($0, toldAt: toldAt) }
        worker.problems = problems.map { .init($0, toldAt: toldAt) }
        worker.paused = pause.map { .init(by: $0.by, since: toldAt - $0.secondsAgo) }
        return worker
    }
}
