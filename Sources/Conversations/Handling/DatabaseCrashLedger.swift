import Concurrency
import Logging
import Postgres
import Storage
import WorkerRuntime

/// The crash ledger of all workers, in two tables of Amity's own. Keys are hashes: nothing of a
/// message is in them.
package final class DatabaseCrashLedger: CrashLedger {
    private let sessions: SessionPool
    private let store: ConversationStore
    private let outage: DatabaseOutage
    /// Names this process among all that ever were.
    private let process: String
    /// How long messages are held while the database is away.
    private let holdLimit: Duration
    /// What runs alone at the moment.
    private let charged = Locked<[MessageKey: Int]>([:])
    private let table: OptionalTable
    private let logger: Logger

    package init(
        sessions: SessionPool,
        store: ConversationStore,
        outage: DatabaseOutage,
        process: String,
        holdLimit: Duration,
        logger: Logger
    ) {
        table = OptionalTable(missing: "crash-attribution.off", logger: logger)
        self.holdLimit = holdLimit
        self.sessions = sessions
        self.store = store
        self.outage = outage
        self.process = process
        self.logger = logger
    }

    package func take(_ keys: [MessageKey], in context: HandlerContext) -> [CrashRecord]? {
        let texts = Parameter.textArray(keys.map(\.description))
        let me = Parameter.text(process)
        let answer = persistently(in: context) { session throws(PostgresError) in
            let rows = try session.flight([
                (Self.findSuspects, [texts, me]),
                (Self.take, [me, .integer(context.slot), texts]),
            ])[0]
            var crashes: [String: Int] = [:]
            try rows.forEach { row throws(PostgresError) in
                let (key, count) = try Self.suspect(&row)
                crashes[key] = count
            }
            return crashes
        }
        switch answer {
        case .drained: return nil
        case .off: return keys.map { _ in .clear }
        case .done(let crashes):
            return keys.map { key in
                crashes[key.description].map { .suspect(crashes: $0) } ?? .clear
            }
        }
    }

    package func release(in context: HandlerContext) {
        _ = persistently(in: context) { [process] session throws(PostgresError) in
            _ = try session.flight([
                (Self.release, [.text(process), .integer(context.slot)])
            ])
        }
    }

    package func charge(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool {
        charged.withLock { $0[key] = crashes - 1 }
        let answer = persistently(in: context) { session throws(PostgresError) in
            _ = try session.flight([(Self.charge, Self.count(key, crashes))])
        }
        if case .drained = answer { return false }
        return true
    }

    package func acquit(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool {
        charged.withLock { $0[key] = crashes }
        // Also while the worker drains.
        var persistence = Persistence(until: DrainSignal())
        repeat {
            do throws(PostgresError) {
                try sessions.withSession(preferring: context.slot) {
                    session throws(PostgresError) in
                    _ = try session.flight([(Self.charge, Self.count(key, crashes))])
                }
                charged.withLock { $0[key] = nil }
                return true
            } catch {
                // Without its table nothing was charged.
                if error.isMissingOrForbidden { return true }
            }
        } while persistence.mayTryAgain(within: .seconds(2))
        return false
    }

    private static func count(_ key: MessageKey, _ crashes: Int) -> [Parameter] {
        [.text(key.description), .integer(crashes)]
    }

    /// Forgets this process, which ends in peace, also where a message is still running alone.
    package func close() {
        let charged = charged.withLock { $0 }
        forget(
            [(Self.releaseAll, [.text(process)])]
                + charged.map { (Self.charge, Self.count($0, $1)) }
        )
    }

    /// Forgets what processes had in hand that have long been gone, and crashes of long ago.
    package func forgetThePast() {
        forget([(Self.forgetHands, []), (Self.forgetCrashes, [])])
    }

    private func forget(_ statements: [(Statement, [Parameter])]) {
        do throws(PostgresError) {
            try sessions.withSession { session throws(PostgresError) in
                _ = try session.flight(statements)
            }
        } catch {
            // What is remembered too long makes suspects, which run alone once.
            logger.debug("crash-attribution.not-forgotten", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Persistence

    private enum Answer<Value> {
        case done(Value)
        /// The tables are not there, or not for us.
        case off
        /// The messages are to be given back.
        case drained
    }

    /// Tries until it has an answer, for as long as messages may be held: a ledger that is skipped
    /// while the database is away would not know who brought down the next worker.
    private func persistently<Value: Sendable>(
        in context: HandlerContext,
        _ body: @Sendable (inout Session) throws(PostgresError) -> Value
    ) -> Answer<Value> {
        var persistence = Persistence(until: context.drain)
        var hold: DatabaseOutage.Hold?
        repeat {
            do throws(PostgresError) {
                let value = try sessions.withSession(preferring: context.slot, body)
                table.isThere()
                return .done(value)
            } catch {
                if error.isMissingOrForbidden {
                    table.isMissing(error)
                    return .off
                }
                if error.endsSession {
                    outage.began(error, &hold)
                } else if error.kind != .conflict || error.outdatesSession {
                    // Its tables are Amity's own, so what they refuse is no conversation's fault;
                    // but a server that only reads refuses them first.
                    switch store.examine(.scoring, on: context.slot) {
                    case .rows:
                        table.isMissing(error)
                        return .off
                    case .away(let error), .unfit(let error): outage.began(error, &hold)
                    }
                }
            }
        } while persistence.mayTryAgain(within: holdLimit)
        return .drained
    }

    // MARK: Statements

    /// $1 keys, $2 this process: what another process has, or had when it died, in hand, and what
    /// has killed before, with how often.
    private static let findSuspects = Statement(
        "find_suspects",
        """
        SELECT key, coalesce(crashes, 0)
        FROM unnest($1::text[]) AS key LEFT JOIN amity_crashes USING (key)
        WHERE crashes > 0
           OR EXISTS (SELECT 1 FROM amity_in_hand WHERE process <> $2 AND key = ANY (keys))
        """
    )

    private static func suspect(
        _ row: inout RowReader
    ) throws(PostgresError) -> (key: String, crashes: Int) {
        (try row.text() ?? "", try row.integer() ?? 0)
    }

    private static let take = Statement(
        "take_in_hand",
        """
        INSERT INTO amity_in_hand (process, thread, keys) VALUES ($1, $2, $3::text[])
        ON CONFLICT (process, thread) DO UPDATE SET keys = excluded.keys, taken_at = now()
        """
    )
    private static let release = Statement(
        "release_from_hand",
        "DELETE FROM amity_in_hand WHERE process = $1 AND thread = $2"
    )
    private static let releaseAll = Statement(
        "release_all_from_hand",
        "DELETE FROM amity_in_hand WHERE process = $1"
    )
    private static let forgetHands = Statement(
        "forget_hands",
        "DELETE FROM amity_in_hand WHERE taken_at < now() - interval '1 day'"
    )
    private static let forgetCrashes = Statement(
        "forget_crashes",
        """
        DELETE FROM amity_crashes
        WHERE charged_at < now() - CASE WHEN crashes > 0 THEN interval '30 days'
                                        ELSE interval '1 hour' END
        """
    )
    /// $2: the count as it is to be, so that it may be said twice.
    private static let charge = Statement(
        "charge_crash",
        """
        INSERT INTO amity_crashes AS stored (key, crashes) VALUES ($1, $2)
        ON CONFLICT (key) DO UPDATE SET crashes = excluded.crashes, charged_at = now()
        """
    )
}
