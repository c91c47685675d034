import Foundation
import Testing

@testable import Tasks

extension Integration {
    /// Workers that run tasks, and the database, at their worst: real processes, and commands whose
    /// processes can be counted.
    struct TaskFaultTests {
        /// Fault: what a killed worker ran is lost, charged, late, or goes on beside its next run;
        /// one that was frozen for as long comes back, and its late result takes the place of
        /// another's, or its runs go on.
        @Test func whatAKilledOrFrozenWorkerRanRunsElsewhere() throws {
            let scene = try HeldTaskScene()
            let pools = [scene.tasks.pool, scene.tasks.otherPool()]
            let killed = try scene.startWorker([pools[0]])
            // As long as the broker takes it for alive it may be given messages.
            let frozen = try scene.startWorker([pools[1]], ["HEARTBEAT_SECONDS": "1"])
            let lost = try scene.submit(pools[0])
            let (late, running) = (try scene.submit(pools[1]), try scene.submit(pools[1]))
            for id in [lost, late, running] { try scene.waitUntilHeld(id) }
            let other = try scene.startWorker(pools)

            let begin = ContinuousClock.now
            killed.signal(SIGKILL)
            frozen.signal(SIGSTOP)
            try eventually("its command is gone", within: .seconds(5)) {
                scene.processes(of: lost) == 0
            }
            try eventually("one runs elsewhere", within: .seconds(30)) {
                [lost, late, running].contains { scene.runs(of: $0) == [1, 2] }
            }
            #expect(begin.duration(to: .now) < .seconds(20))
            // They are suspects, so one after the other.
            for id in [lost, late, running] {
                try eventually("it runs elsewhere, too") { scene.runs(of: id) == [1, 2] }
            }
            for id in [lost, late, running] {
                try scene.tasks.wait(for: id, toBe: .completed)
                try scene.expectCompleted(id, by: 2, crashes: 1)
            }

            // The command of one run ends before its worker wakes, that of the other does not.
            try scene.letEnd(late)
            try eventually("it has ended") { scene.processes(of: late) == 0 }
            #expect(scene.processes(of: running) > 0)
            #expect(frozen.events("task.fenced").isEmpty)
            frozen.signal(SIGCONT)
            try eventually("its write is held off") { frozen.events("task.fenced").count == 1 }
            try eventually("its run is told") { scene.processes(of: running) == 0 }
            for id in [late, running] { try scene.expectCompleted(id, by: 2, crashes: 1) }
            try scene.stop(frozen, other)
        }

        /// Fault: a blink of the database ends what runs; a longer outage charges it, or lets it go
        /// on beside the run that another worker begins; or a leader that is back takes a worker
        /// for lost that could not renew its lease either.
        @Test func anOutageOfTheDatabaseInterruptsLongRunsAndChargesNone() throws {
            let scene = try HeldTaskScene()
            let port = try Servers.workersDatabasePort()
            let (far, near) = (try Proxy(to: port), try Proxy(to: port))
            let worker = try scene.startWorker([scene.tasks.pool], through: far)
            let id = try scene.submit()
            try scene.waitUntilHeld(id)
            let leader = try scene.startWorker([scene.tasks.otherPool()], through: near)

            Self.cutOff(far)
            try eventually("it notices") { !worker.events("tasks.database-failed").isEmpty }
            far.endFaults()
            try eventually("it is well") { !worker.events("tasks.database-restored").isEmpty }
            #expect(scene.processes(of: id) > 0)

            let begin = ContinuousClock.now
            Self.cutOff(far, near)
            try eventually("its command is stopped") { scene.processes(of: id) == 0 }
            #expect(begin.duration(to: .now) > .seconds(8))
            try eventually("all leases are over") {
                let living = "SELECT FROM amity_leases WHERE lease_until > clock_timestamp()"
                return try scene.tasks.tasks.sql(living).count == 0
            }
            near.endFaults()
            for _ in 0..<2 { try waitForASlowTurn(scene) }
            let view = try scene.tasks.view(id)
            #expect(view.state == .processing && view.run == 1)

            far.endFaults()
            try scene.tasks.wait(for: id, toBe: .completed)
            try scene.expectCompleted(id, by: 2)
            for process in [worker, leader] {
                #expect(process.events("scheduler.lost-runs-given-back").isEmpty)
            }
            try scene.stop(worker, leader)
        }

        private static func cutOff(_ proxies: Proxy...) {
            for proxy in proxies {
                proxy.refuse()
                proxy.dropAll()
            }
        }

        /// Lost workers are looked for behind deadlines.
        private func waitForASlowTurn(_ scene: HeldTaskScene) throws {
            let late = try scene.tasks.tasks.submit {
                ($0.pool, $0.delay) = (scene.tasks.pool, 60)
                $0.deadline = "2020-01-01T00:00:00Z"
            }
            try scene.tasks.wait(for: late, toBe: .failed)
        }

        /// Fault: the answer to a claim's COMMIT is lost, and no worker runs the task while that
        /// one lives; or it is charged, or runs twice.
        @Test func aClaimWhoseAnswerIsLostIsGivenBack() throws {
            let scene = try HeldTaskScene()
            let proxy = try Proxy(to: Servers.workersDatabasePort())
            let worker = try scene.startWorker([scene.tasks.pool], through: proxy)
            proxy.cut(afterBytesToClient: 1, ofClientsThatSay: "claim_task")
            let id = try scene.submit()
            try eventually("the answer is cut off") { proxy.cuts == 1 }
            try eventually("it is given back", within: .seconds(10)) {
                worker.events("task.claim-recovered").count == 1
            }
            try scene.tasks.wait(for: id, toBe: .completed)
            try scene.expectCompleted(id, by: 2)
            #expect(scene.runs(of: id) == [2])
            try scene.stop(worker)
        }

        /// Fault: the answer to the COMMIT of ends and claims is lost, and a task runs twice, ends
        /// as fenced off, or is claimed and never begins.
        @Test func endsAndClaimsWhoseAnswerIsLostAreDoneOnce() throws {
            let scene = try HeldTaskScene()
            let proxy = try Proxy(to: Servers.workersDatabasePort())
            let worker = try scene.startWorker(
                [scene.tasks.pool],
                ["TASK_CONCURRENCY": "4"],
                through: proxy
            )
            let ids = try (0..<8).map { _ in try scene.submit() }
            try eventually("four are held") { ids.count { scene.runs(of: $0) == [1] } == 4 }
            proxy.cut(afterBytesToClient: 1, ofClientsThatSay: "tasks_succeeded")
            for id in ids { try scene.letEnd(id) }
            try eventually("the answer is cut off") { proxy.cuts == 1 }
            for id in ids {
                try scene.tasks.wait(for: id, toBe: .completed)
                let runs = scene.runs(of: id)
                #expect(runs.count == 1)
                try scene.expectCompleted(id, by: runs.last ?? 0)
            }
            #expect(ids.contains { scene.runs(of: $0) == [2] }, "a claim went with it")
            #expect(worker.events("task.fenced").isEmpty)
            try scene.stop(worker)
        }
    }
}
