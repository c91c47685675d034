import Foundation
import Testing

@testable import Postgres

extension Integration {
    /// libpq's pipeline mode, whose answers must be read to the end whatever goes wrong on the way.
    struct Sessions {
        private let target: ConnectionTarget

        init() throws {
            let url = try #require(Servers.environment[Servers.workersDatabase])
            target = try #require(ConnectionTarget(url: url))
        }

        private func open() throws -> Session {
            try Session(to: target, applicationName: "test")
        }

        private func error(
            _ session: inout Session,
            _ statements: [(Statement, [Parameter])]
        ) -> PostgresError? {
            do throws(PostgresError) {
                _ = try session.flight(statements)
                return nil
            } catch {
                return error
            }
        }

        private let one = Statement("one", "SELECT 1")

        @Test func anErrorInTheMiddleRollsBackAndLeavesTheSessionUsable() throws {
            var session = try open()
            let root = Statement("root", "SELECT sqrt($1::int)")
            let failure = error(
                &session,
                [(.begin, []), (one, []), (root, [.integer(-1)]), (one, []), (.commit, [])]
            )
            #expect(failure?.sqlState == "2201F" && failure?.operation == "root")
            #expect(failure?.kind == .permanent)
            let isBroken = session.isBroken
            #expect(!isBroken)
            let rows = try session.flight([(root, [.integer(1)]), (one, [])])
            #expect(rows.map { $0.integer(0, 0) } == [1, 1])
        }

        /// Fault: behind a pooler the setting is lost, or it stays with a server that another
        /// program uses next; or its answer is taken for one of the caller's.
        @Test func aLocalSettingIsInEachTransactionAndItsAnswerInNone() throws {
            var target = target
            target.localSetting = .init(name: "amity.test", value: "on")
            var session = try Session(to: target, applicationName: "test")
            let asked = Statement("asked", "SELECT current_setting('amity.test', true)")
            func texts(_ rows: [Rows]) -> [String?] { rows.map { $0.string(0, 0) } }
            #expect(texts(try session.flight([(asked, []), (asked, [])])) == ["on", "on"])
            let rows = try session.flight([(.begin, []), (asked, []), (.savepoint, [])])
            #expect(rows.count == 3 && rows[1].string(0, 0) == "on")
            // The same transaction, so that it is not sent again.
            let rest = try session.flight([(.takeBack, []), (asked, []), (.commit, [])])
            #expect(rest.count == 3 && rest[1].string(0, 0) == "on")
            let root = Statement("root", "SELECT sqrt(-1)")
            let (before, failure) = try session.openFlight([(.begin, []), (asked, []), (root, [])])
            #expect(before.count == 2 && failure?.operation == "root")
            _ = try session.flight([(.rollback, [])])
            #expect(texts(try session.flight([(asked, [])])) == ["on"])
            // Nothing of it is left to the session.
            let reset = Statement("reset", "SELECT set_config('amity.test', 'off', true)")
            _ = try session.flight([(reset, [])])
            #expect(texts(try session.flight([(asked, [])])) == ["on"])
        }

        /// Fault: a statement that did not parse is remembered as prepared, and fails for ever.
        @Test func aStatementThatDidNotParseIsPreparedAgain() throws {
            var session = try open()
            let table = "late_\(UInt32.random(in: 0 ... .max))"
            let read = Statement("read", "SELECT count(*) FROM \(table)")
            let failure = error(&session, [(read, []), (one, [])])
            #expect(failure?.kind == .misconfigured)
            #expect(failure?.description.contains(table) == true)
            _ = try session.flight([(Statement("make", "CREATE TABLE \(table) ()"), [])])
            let rows = try session.flight([(read, []), (one, [])])
            #expect(rows.map { $0.integer(0, 0) } == [0, 1])
            _ = try session.flight([(Statement("drop", "DROP TABLE \(table)"), [])])
        }

        /// The server says no to the commit itself: nothing happened, and the error says so.
        @Test func aCommitThatFailsIsAnError() throws {
            var session = try open()
            let table = "deferred_\(UInt32.random(in: 0 ... .max))"
            _ = try session.flight([
                (
                    Statement(
                        "make",
                        "CREATE TABLE \(table) (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
                    ), []
                )
            ])
            let insert = Statement("insert", "INSERT INTO \(table) VALUES (1), (1)")
            let failure = error(&session, [(.begin, []), (insert, []), (.commit, [])])
            #expect(failure?.sqlState == "23505" && failure?.operation == "commit")
            // The constraint's DETAIL would quote the row.
            let names = "(table \(table), constraint \(table)_n_key)"
            #expect(failure?.description == "commit: SQLSTATE 23505 \(names)")
            // One that commits without being told to fails after its last answer.
            let late = error(&session, [(insert, [])])
            #expect(late?.description == "insert: SQLSTATE 23505 \(names)")
            #expect(late?.kind == .permanent)
            let isBroken = session.isBroken
            #expect(isBroken)
            var other = try open()
            _ = try other.flight([(Statement("drop", "DROP TABLE \(table)"), [])])
        }

        /// Live DDL under a prepared statement: the session is given up and the work done again.
        @Test func anOutdatedPlanGivesTheSessionUp() throws {
            var session = try open()
            let table = "outdated_\(UInt32.random(in: 0 ... .max))"
            _ = try session.flight([(Statement("make", "CREATE TABLE \(table) (a int)"), [])])
            let read = Statement("read", "SELECT * FROM \(table)")
            _ = try session.flight([(read, [])])
            try Servers.psql(["-c", "ALTER TABLE \(table) ALTER a TYPE text"])
            let failure = error(&session, [(read, [])])
            #expect(failure?.sqlState == "0A000" && failure?.kind == .conflict)
            let isBroken = session.isBroken
            #expect(isBroken)
            try Servers.psql(["-c", "DROP TABLE \(table)"])
        }

        @Test(.withoutPooler) func aKilledSessionIsAnOutageAndNotAMessagesFault() throws {
            var session = try open()
            let id = try session.flight([(Statement("pid", "SELECT pg_backend_pid()"), [])])[0]
            let pid = try #require(id.integer(0, 0))
            try Servers.psql(["-c", "SELECT pg_terminate_backend(\(pid))"])
            let failure = error(&session, [(.begin, []), (one, []), (.commit, [])])
            #expect(failure?.kind == .unavailable)
            let isBroken = session.isBroken
            #expect(isBroken)
        }

        @Test func noConnectionIsAnOutageThatQuotesNoPassword() {
            let target = ConnectionTarget(keywords: [
                "host": "127.0.0.1", "port": "1", "password": "canary-secret", "dbname": "x",
            ])
            do throws(PostgresError) {
                _ = try Session(to: target, applicationName: "test")
                Issue.record("connected to nothing")
            } catch {
                #expect(error.kind == .unavailable)
                #expect(error.description.contains("port 1"))
                #expect(!error.description.contains("canary-secret"))
            }
        }

        /// Fault: a pooler with fewer places than the worker has threads lets it in and answers
        /// nothing. The first word came after a minute, and did not name it.
        @Test func aPoolerWithoutAPlaceIsNamedAtOnce() throws {
            let proxy = try Proxy(to: Servers.port("DATABASE_URL"))
            proxy.lose(.toServer, onceAClientSends: Array("SET TimeZone".utf8))
            let url = proxy.rerouted(try #require(Servers.environment["DATABASE_URL"]))
            var session = try Session(
                to: try #require(ConnectionTarget(url: url)),
                applicationName: "test"
            )
            let begin = ContinuousClock.now
            let failure = try #require(error(&session, [(one, [])]))
            #expect(begin.duration(to: .now) < .seconds(20))
            #expect(failure.isFromConnecting && failure.endsSession)
            #expect(failure.description.contains("PgBouncer"))
        }

        /// Fault: each session of a pool waits in turn for a server that is frozen, and each new
        /// one for the time that it takes to connect to it.
        @Test(.withoutPooler) func aFrozenHostCostsOneWait() throws {
            let port = try Servers.port("DATABASE_URL")
            let frozen = try Proxy(to: port)
            let url = try #require(Servers.environment["DATABASE_URL"])
                .replacing("127.0.0.1:\(port)", with: "127.0.0.1:\(frozen.port),127.0.0.1:\(port)")
            let pool = SessionPool(
                target: try #require(ConnectionTarget(url: url)),
                limit: 3,
                applicationName: "test",
                statementTimeout: .milliseconds(500),
                rest: .zero
            )
            let ask = { @Sendable (place: Int) throws(PostgresError) in
                try pool.withSession(preferring: place) { session throws(PostgresError) in
                    _ = try session.flight([(Statement("one", "SELECT 1"), [])])
                }
            }
            try pool.withSession(preferring: 0) { _ throws(PostgresError) in
                try pool.withSession(preferring: 1) { _ throws(PostgresError) in try ask(2) }
            }
            #expect(frozen.accepted == 3)
            frozen.stall([.toServer, .toClient])
            #expect(throws: PostgresError.self) { try ask(0) }
            let begin = ContinuousClock.now
            for place in 0..<3 { try ask(place) }
            #expect(begin.duration(to: .now) < .seconds(2))
            #expect(frozen.accepted == 3)
        }

        @Test func everyTextSurvivesAnArray() throws {
            var session = try open()
            let texts: [String?] = [
                "", "null", "NULL", nil, #"a"b\c"#, "{,}", " x ", "ế\u{301}🙂", "line\nbreak",
            ]
            let echo = Statement("echo", "SELECT unnest($1::text[])")
            let rows = try session.flight([(echo, [.textArray(texts)])])[0]
            #expect((0..<rows.count).map { rows.string($0, 0) } == texts)
            let numbers: [Double] = [0.1, 1e300, -0.0, 2.3e-308, 2999.9]
            let same = Statement("same", "SELECT unnest($1::float8[])")
            let back = try session.flight([(same, [.doubleArray(numbers)])])[0]
            #expect((0..<back.count).map { back.double($0, 0) } == numbers)
        }

        /// More threads than sessions: they take turns, and a broken session is replaced.
        @Test func threadsShareTheSessionsThereAre() async throws {
            let pool = SessionPool(
                target: target,
                limit: 2,
                applicationName: "test-\(UInt32.random(in: 0 ... .max))",
                statementTimeout: .seconds(10)
            )
            let pids = try await withThrowingTaskGroup(of: Int.self) { group in
                for thread in 0..<40 {
                    group.addTask {
                        try pool.withSession(preferring: thread) { session throws(PostgresError) in
                            let pid = Statement("pid", "SELECT pg_backend_pid()")
                            return try session.flight([(pid, [])])[0].integer(0, 0) ?? 0
                        }
                    }
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect((1...2).contains(pids.count))
            for pid in pids { try Servers.psql(["-c", "SELECT pg_terminate_backend(\(pid))"]) }
            for _ in 0..<2 {
                let lost = { () throws(PostgresError) in
                    try pool.withSession { session throws(PostgresError) in
                        _ = try session.flight([(Statement("one", "SELECT 1"), [])])
                    }
                }
                do { try lost() } catch { #expect(error.kind == .unavailable) }
            }
            try pool.withSession { session throws(PostgresError) in
                _ = try session.flight([(Statement("one", "SELECT 1"), [])])
            }
        }

        /// Fault: a worker that had one busy moment keeps a session for each thread for ever.
        @Test(.withoutPooler)
        func noMoreSessionsAreOpenThanWereNeededAtOnceAndIdleOnesAreClosed() throws {
            let pool = SessionPool(
                target: target,
                limit: 8,
                applicationName: "test-\(UInt32.random(in: 0 ... .max))",
                statementTimeout: .seconds(10)
            )
            func process(preferring thread: Int) throws -> Int {
                try pool.withSession(preferring: thread) { session throws(PostgresError) in
                    let pid = Statement("pid", "SELECT pg_backend_pid()")
                    return try session.flight([(pid, [])])[0].integer(0, 0) ?? 0
                }
            }
            let first = try process(preferring: 0)
            #expect(
                try (1..<8).map { try process(preferring: $0) } == Array(repeating: first, count: 7)
            )
            pool.close(idleFor: .seconds(60))
            #expect(try process(preferring: 0) == first, "it was closed too early")
            pool.close(idleFor: .zero)
            #expect(try process(preferring: 0) != first)
        }
    }
}
