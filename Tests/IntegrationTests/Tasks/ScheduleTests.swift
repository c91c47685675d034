import Failpoints
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Schedules
@testable import Settings
@testable import TaskTypes
@testable import Tasks

extension Integration {
    struct ScheduleTests {
        @Test func aTickMakesTheTaskThatItsScheduleSays() throws {
            let scene = try ScheduleScene()
            try scene.define("nightly", "30 2 * * *") {
                ($0.payload, $0.kbID, $0.uniqueKey) = (#"{"a": 1}"#, "kb-1", "one")
                ($0.priority, $0.retryLimit, $0.timeout) = (.high, 7, 11)
                $0.tags = ["mine"]
            }
            #expect(try scene.tick(at: "2026-01-01T02:29:59Z").made == 0)
            let ticks = try scene.tick(at: "2026-01-01T02:30:00Z")
            #expect(ticks.made == 1 && ticks.toPublish.count == 1 && ticks.failures.isEmpty)
            let task = try #require(try scene.tasks.store.get(ticks.toPublish[0].id))
            #expect(task.payload == #"{"a": 1}"# && task.timeout == 11)
            #expect(task.view.kbID == "kb-1" && task.view.uniqueKey == "one")
            #expect(task.view.priority == .high && task.view.maxAttempts == 8)
            #expect(
                task.tags == #"["mine", "schedule:nightly", "tick:2026-01-01T02:30:00Z"]"#
            )
            let schedule = try #require(try scene.store.get("nightly"))
            #expect(schedule.lastTask == task.view.id)
            #expect(try schedule.lastAt == ScheduleScene.time("2026-01-01T02:30:00Z"))
            #expect(try schedule.nextAt == ScheduleScene.time("2026-01-02T02:30:00Z"))
            #expect(try scene.tick(at: "2026-01-01T02:30:00Z").made == 0)
            // While the first one lives there is no second.
            let second = try scene.tick(at: "2026-01-02T02:30:00Z")
            #expect(second.made == 0 && second.unique == 1 && second.toPublish.isEmpty)
            #expect(try scene.store.get("nightly")?.lastTask == task.view.id)
        }

        // MARK: Once each

        /// Fault: a leader is killed in the middle of a tick, or another one leads beside it, and
        /// the tick has no task, or two; in a night whose clock is set forward or back.
        @Test(arguments: [
            ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", ["29T01:00", "30T00:30"]),
            (
                "Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00:00Z",
                ["04T14:45", "05T15:15"]
            ),
        ])
        func eachTickHasOneTaskWhateverLeaderDies(
            zone: String,
            cron: String,
            start: String,
            nightly: [String]
        ) async throws {
            let scene = try ScheduleScene()
            let begin = try ScheduleScene.time(start)
            let end = begin + 48 * 3600
            let crons = ["nightly": cron, "often": "*/20 * * * *", "day": "5 */2 * * *"]
            for (name, cron) in crons {
                try scene.define(name, cron, from: start) {
                    ($0.timeZone, $0.catchUp) = (zone, .all)
                }
            }
            try scene.tasks.sql("CREATE TABLE wall_clock (now float8)")
            try scene.tasks.sql("GRANT ALL ON wall_clock TO \(scene.tasks.scene.name)")
            try scene.tasks.sql(
                "INSERT INTO wall_clock VALUES ($1::float8)",
                .double(begin.timeIntervalSince1970)
            )
            let variables = scene.tasks.scene.variables
            for round in 0..<4 {
                let places: [Failpoint] = [.written, .committed]
                await withTaskGroup(of: Void.self) { group in
                    for lane in 0..<2 {
                        let point = "\(places[lane].rawValue):\(2 + round + lane)"
                        group.addTask {
                            await #expect(processExitsWith: .signal(SIGKILL)) {
                                [
                                    variables = variables as [String: String],
                                    point = point as String, end = end as Date
                                ] in
                                setenv("AMITY_FAILPOINT", point, 1)
                                try VirtualLeader(variables).run(until: end)
                                kill(getpid(), SIGKILL)
                            }
                        }
                    }
                }
            }
            let clock = try scene.tasks.sql("SELECT now FROM wall_clock").double(0, 0)
            let reached = Date(timeIntervalSince1970: try #require(clock))
            // They died on their way.
            #expect(reached > begin + 6 * 3600 && reached < end)
            try VirtualLeader(variables).run(until: end)
            for (name, cron) in crons {
                let zone = try #require(Recurrence.zone(named: zone))
                let recurrence = Recurrence(try CronExpression(cron), in: zone)
                let expected = recurrence.times(after: begin, 1_000).filter { $0 <= end }
                #expect(try scene.ticks(of: name) == expected.map { $0.ISO8601Format() }, "\(name)")
            }
            let times = try scene.ticks(of: "nightly").map { String($0.dropFirst(8).prefix(8)) }
            #expect(times == nightly)
        }

        // MARK: Catching up

        /// An outage from 10:30 to 13:00:30.
        @Test(arguments: [
            (CatchUp.none, ["13:00"]), (.one, ["13:00"]), (.all, ["11:00", "12:00", "13:00"]),
        ])
        func whatWasMissedIsCaughtUpWithAsItsScheduleSays(
            catchUp: CatchUp,
            made: [String]
        ) throws {
            let scene = try ScheduleScene()
            try scene.define("hourly", "0 * * * *", from: "2026-01-01T10:30:00Z") {
                $0.catchUp = catchUp
            }
            try scene.tick(at: "2026-01-01T13:00:30Z")
            let times = try scene.ticks(of: "hourly").map { String($0.dropFirst(11).prefix(5)) }
            #expect(times == made)
            let next = try ScheduleScene.time("2026-01-01T14:00:00Z")
            #expect(try scene.store.get("hourly")?.nextAt == next)
        }

        /// From 10:30 to 13:10: the last tick is ten minutes late.
        @Test(arguments: [(CatchUp.none, 0), (.one, 1), (.all, 3)])
        func whatIsMoreThanAMinuteLateHasNoTaskWhereNothingIsCaughtUpWith(
            catchUp: CatchUp,
            made: Int
        ) throws {
            let scene = try ScheduleScene()
            try scene.define("hourly", "0 * * * *", from: "2026-01-01T10:30:00Z") {
                $0.catchUp = catchUp
            }
            #expect(try scene.tick(at: "2026-01-01T13:10:00Z").made == made)
            #expect(try scene.tick(at: "2026-01-01T13:10:00Z").made == 0)
        }

        /// Fault: a schedule of every minute that stood still for a week fills a turn.
        @Test func aTurnMakesSoManyOfOneScheduleAtMost() throws {
            let scene = try ScheduleScene()
            try scene.define("often", "* * * * *") { $0.catchUp = .all }
            var counts: [Int] = []
            for _ in 0..<4 {
                let ticks = try scene.tick(at: "2026-01-01T04:10:00Z")
                counts.append(ticks.made)
                #expect(ticks.hasMore == (counts.count < 3))
            }
            #expect(counts == [100, 100, 50, 0])
            #expect(try Set(scene.ticks(of: "often")).count == 250)
        }

        // MARK: What cannot be made

        /// Fault: one schedule whose type is gone keeps all others from their tasks, or its reason
        /// is nowhere, or its ticks are lost when the type is back.
        @Test func aScheduleThatCannotBeMadeStopsNoOther() throws {
            let scene = try ScheduleScene()
            for name in ["a", "b", "c"] { try scene.define(name, "0 * * * *") }
            try scene.tasks.sql("UPDATE amity_schedules SET type = 'gone' WHERE name = 'a'")
            try scene.tasks.sql("UPDATE amity_schedules SET time_zone = 'X/Y' WHERE name = 'b'")
            let ticks = try scene.tick(at: "2026-01-01T01:00:00Z")
            #expect(ticks.made == 1 && ticks.failures.map(\.name).sorted() == ["a", "b"])
            #expect(try scene.store.get("a")?.lastError == "its type gone is unknown")
            #expect(try scene.store.get("b")?.lastError == "its time zone is unknown here")
            #expect(try scene.tick(at: "2026-01-01T01:00:59Z").failures.isEmpty)
            #expect(try scene.tick(at: "2026-01-01T01:01:00Z").failures.count == 2)
            try scene.tasks.sql("UPDATE amity_schedules SET type = 'test' WHERE name = 'a'")
            #expect(try scene.tick(at: "2026-01-01T01:02:00Z").made == 1)
            #expect(try scene.ticks(of: "a") == ["2026-01-01T01:00:00Z"])
            #expect(try scene.store.get("a")?.lastError == nil)
        }

        /// Fault: the database refuses one task, and with it those of all schedules that are due.
        @Test func aTaskThatTheDatabaseRefusesStopsNoOther() throws {
            let scene = try ScheduleScene()
            for name in ["a", "b", "c"] { try scene.define(name, "0 * * * *") { $0.kbID = name } }
            try scene.tasks.sql("ALTER TABLE amity_tasks ADD CHECK (kb_id <> 'b')")
            let ticks = try scene.tick(at: "2026-01-01T01:00:00Z")
            #expect(ticks.made == 2 && ticks.failures.map(\.name) == ["b"])
            #expect(try scene.store.get("b")?.lastError?.contains("23514") == true)
            #expect(try scene.tick(at: "2026-01-01T01:00:30Z").failures.isEmpty)
        }

        /// Fault: a tick that has lost a race waits for a minute, or is too late then.
        @Test func aTickThatLosesARaceStaysDue() throws {
            let scene = try ScheduleScene()
            for name in ["a", "b"] { try scene.define(name, "0 * * * *") { $0.kbID = name } }
            try scene.tasks.sql(
                """
                CREATE FUNCTION race() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.kb_id = 'b' THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
                    RETURN NEW;
                END $$
                """
            )
            try scene.tasks.sql(
                """
                CREATE TRIGGER race BEFORE INSERT ON amity_tasks
                FOR EACH ROW EXECUTE FUNCTION race()
                """
            )
            let ticks = try scene.tick(at: "2026-01-01T01:00:00Z")
            #expect(ticks.made == 1 && ticks.failures.isEmpty)
            try scene.tasks.sql("DROP TRIGGER race ON amity_tasks")
            #expect(try scene.tick(at: "2026-01-01T01:00:00Z").made == 1)
        }

        // MARK: Definitions

        /// Fault: a file that a deployment applies each time takes back what an outage left to be
        /// caught up with, or lets what an operator paused go on.
        @Test func whatIsAppliedAgainKeepsItsNextTickAndItsPause() throws {
            let scene = try ScheduleScene()
            try scene.define("nightly", "30 2 * * *")
            let next = try ScheduleScene.time("2026-01-01T02:30:00Z")
            var definition = try #require(try scene.store.get("nightly")).definition
            definition.payload = "[1]"
            #expect(try scene.store.apply([definition])?.first?.nextAt == next)
            let paused = try #require(try scene.store.pause("nightly"))
            #expect(paused.pausedBy == scene.tasks.scene.name && paused.nextTimes(5).isEmpty)
            #expect(try scene.store.pause("nightly", by: "x")?.pausedBy == paused.pausedBy)
            definition.cron = "31 2 * * *"
            let changed = try #require(try scene.store.apply([definition])?.first)
            #expect(changed.isPaused && changed.pausedAt == paused.pausedAt)
            #expect(try scene.tick(at: "2099-01-01T00:00:00Z").made == 0)
            let resumed = try #require(try scene.store.resume("nightly"))
            let times = resumed.nextTimes(5)
            #expect(!resumed.isPaused && times.count == 5 && times[0] > Date.now)
            #expect(times.allSatisfy { $0.ISO8601Format().contains("T02:31:00") })
            #expect(try scene.store.resume("nightly")?.nextAt == resumed.nextAt)
            #expect(try scene.store.delete("nightly") != nil)
            for none in [scene.store.get, scene.store.delete, scene.store.resume] {
                #expect(try none("nightly", nil) == nil)
            }
        }
    }
}

/// Ticks as a leader does, by a clock that stands in the database and that all leaders move.
private struct VirtualLeader {
    private let store: ScheduleStore
    private let sessions: SessionPool

    init(_ variables: [String: String]) throws {
        let settings = try WorkerSettings(SettingValues { variables[$0] })
        store = ScheduleScene.store(on: settings.database)
        sessions = SessionPool(
            target: settings.database,
            limit: 1,
            applicationName: "clock",
            statementTimeout: .seconds(20)
        )
    }

    func run(until end: Date) throws {
        while true {
            let now = try time(Statement("read_clock", "SELECT now FROM wall_clock"))
            while try store.tick(at: now).hasMore {}
            if now >= end { return }
            _ = try time(
                Statement(
                    "move_clock",
                    "UPDATE wall_clock SET now = now + 3600 RETURNING now",
                    commits: true
                )
            )
        }
    }

    private func time(_ statement: Statement) throws -> Date {
        let seconds = try sessions.withSession { session throws(PostgresError) in
            try session.flight([(statement, [])])[0].first { row throws(PostgresError) in
                try row.double()
            }
        }
        return Date(timeIntervalSince1970: seconds ?? 0)
    }
}
