import Failpoints
import Foundation
import Postgres
import TestSupport
import Testing
import WorkerHealth

@testable import TaskScheduling
@testable import Tasks

extension Integration {
    /// Tasks on their way to the broker.
    struct SchedulingTests {
        // MARK: Publisher

        /// Fault: the first task of a pool waits until an operator has declared its queue.
        @Test func aNewTasksMessageIsOnTheBrokerAndItsRowAtRest() throws {
            let scene = try SchedulingScene()
            let process = try scene.process()
            defer { process.stop() }
            let begin = ContinuousClock.now
            let made = try scene.submit { $0.type = "resize" }
            process.publisher.publish(made, leasedAt: begin)
            try eventually("it is at rest", within: .seconds(4)) { try scene.atRest() == 1 }
            let message = try #require(try scene.queue().take(1).first)
            #expect(message.properties.type == "resize")
            #expect(String(decoding: message.body, as: UTF8.self) == SchedulingScene.body(made[0]))
            // All four, so that another priority's first task finds its own.
            for priority in Priority.allCases {
                #expect(try scene.queue(priority).unsettled() == 0)
            }
            #expect(process.health.reports.isEmpty)
        }

        /// Fault: a task that was published twice is run twice, or its row is moved by a process
        /// whose lease is over.
        @Test func aMessageThatComesTwiceHasOneEffect() throws {
            let scene = try SchedulingScene()
            let process = try scene.process()
            defer { process.stop() }
            let made = try scene.submit()
            process.publisher.publish(made, leasedAt: .now)
            process.publisher.publish(made, leasedAt: .now)
            try eventually("both are there") { try scene.queue().ready() == 2 }
            let id = made[0].id
            try scene.tasks.claim(id, run: 1)
            #expect(throws: TaskScene.Refused.self) {
                try scene.tasks.claim(id, run: 1, worker: TaskScene.otherWorker)
            }
            // The confirm of a lease that is over, while another process publishes.
            let next = try scene.submit()
            try scene.tasks.sql("UPDATE amity_tasks SET due_at = due_at + interval '1 second'")
            try scene.store.published(next)
            #expect(try scene.atRest() == 0)
        }

        /// Fault: an urgent task waits until thousands of others have been published.
        @Test func anUrgentTaskOvertakesThoseThatWaitToBePublished() throws {
            let scene = try SchedulingScene()
            let process = try scene.process()
            defer { process.stop() }
            // Their queues are there.
            process.publisher.publish(try scene.submit(), leasedAt: .now)
            try eventually("it is at rest") { try scene.atRest() == 1 }
            let low = try scene.submit(9_000) { $0.priority = .low }
            let urgent = try scene.submit { $0.priority = .high }
            process.publisher.publish(low, leasedAt: .now)
            process.publisher.publish(urgent, leasedAt: .now)
            try eventually("the urgent one is there") { try scene.queue(.high).ready() == 1 }
            #expect(try scene.queue(.low).ready() < 9_000)
        }

        /// Fault: a queue that an operator has deleted stays away.
        @Test func aQueueThatWasDeletedIsDeclaredAgain() throws {
            let scene = try SchedulingScene()
            let queue = scene.queue()
            try queue.declare([])
            let process = try scene.process()
            defer { process.stop() }
            process.publisher.publish(try scene.submit(), leasedAt: .now)
            try eventually("it is at rest") { try scene.atRest() == 1 }
            try Servers.rabbitmqctl("delete_queue", queue.name)
            process.publisher.publish(try scene.submit(50), leasedAt: .now)
            try eventually("all are at rest", within: .seconds(4)) { try scene.atRest() == 51 }
            #expect(try queue.ready() == 50)
        }

        /// Fault: messages for a queue that cannot be declared are sent for ever, or hold up those
        /// of other pools, and no log says so.
        @Test func aQueueThatCannotBeDeclaredIsSetAside() throws {
            let scene = try SchedulingScene()
            let (user, there) = (scene.tasks.scene.name, "\(scene.pool)-there")
            try scene.queue(of: there).declare([])
            try Servers.rabbitmqctl("add_user", user, "secret")
            try Servers.rabbitmqctl("set_permissions", user, "^$", ".*", ".*")
            var variables = scene.tasks.scene.variables
            variables["RABBITMQ_URL"] = variables["RABBITMQ_URL"].map {
                $0.replacing(/\/\/.*@/, with: "//\(user):secret@")
            }
            let process = try SchedulingScene.process(variables)
            defer { process.stop() }
            process.publisher.publish(try scene.submit(), leasedAt: .now)
            try eventually("it is named") { process.health.reports.count == 1 }
            let problem = try #require(process.health.reports.first?.problem)
            #expect(problem.subject == scene.queue().name && problem.kind == .missing)
            #expect(problem.text.contains("403"))
            try scene.submit(pool: there)
            try eventually("the other pool's is published") { try scene.atRest() == 1 }
            // It is not leased again and again.
            try eventually("the first one's lease is over") {
                try scene.tasks.sql(
                    "SELECT pool FROM amity_tasks WHERE due_at < clock_timestamp() - interval '1 s'"
                ).string(0, 0) == scene.pool
            }
        }

        // MARK: Scheduler

        /// Fault: the process dies between the commit and the message.
        @Test func aTaskWhoseProcessDiedIsPublishedByTheScheduler() throws {
            let scene = try SchedulingScene()
            let process = try scene.process()
            defer { process.stop() }
            let begin = ContinuousClock.now
            let made = try scene.submit()
            try eventually("it is at rest", within: .seconds(10)) { try scene.atRest() == 1 }
            #expect(begin.duration(to: .now) > .seconds(4))
            #expect(try scene.take(1) == made.map(SchedulingScene.body))
        }

        /// Fault: a process dies between the broker's confirm and the row, and its task is lost, or
        /// run twice.
        @Test func aTaskWhoseProcessDiedAfterTheConfirmIsPublishedTwiceAndRunOnce() async throws {
            let scene = try SchedulingScene()
            try scene.queue().declare([])
            try scene.submit { $0.delay = 0.1 }
            let variables = scene.tasks.scene.variables
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [variables = variables as [String: String]] in
                setenv("AMITY_FAILPOINT", "\(Failpoint.retryConfirmed.rawValue):1", 1)
                let first = try SchedulingScene.process(variables)
                try eventually("it dies") { first.publisher.room < 0 }
            }
            #expect(try scene.queue().ready() == 1)
            #expect(try scene.atRest() == 0)
            let second = try scene.process()
            defer { second.stop() }
            try eventually("it is at rest") { try scene.atRest() == 1 }
            let bodies = try scene.take(2)
            #expect(Set(bodies).count == 1)
            let id = try scene.onlyTask().id
            try scene.tasks.claim(id, run: 1)
            #expect(throws: TaskScene.Refused.self) { try scene.tasks.claim(id, run: 1) }
        }

        /// Fault: a delayed task runs at once, or waits for the next full scan.
        @Test func aDelayedTaskComesAtItsTime() throws {
            let scene = try SchedulingScene()
            let process = try scene.process()
            defer { process.stop() }
            try eventually("it leads") { process.scheduler.isLeading }
            let made = try scene.submit { $0.delay = 2 }
            #expect(made.isEmpty)
            #expect(try scene.onlyTask().state == .scheduled)
            try eventually("it is at rest", within: .seconds(6)) { try scene.atRest() == 1 }
            let late = try scene.tasks.sql(
                "SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM amity_tasks"
            ).double(0, 0)
            #expect(try #require(late) > 2)
            #expect(try scene.queue().ready() == 1)
        }

        /// Fault: while the broker is away rows are leased for nothing, or what was handed over is
        /// sent when others have sent it, too.
        @Test func aBrokerThatIsAwayCostsNothing() throws {
            let scene = try SchedulingScene()
            let proxy = try Proxy(to: try Servers.port("RABBITMQ_URL"))
            let process = try scene.process(through: proxy)
            defer { process.stop() }
            var made = try scene.submit()
            process.publisher.publish(made, leasedAt: .now)
            try eventually("it is at rest") { try scene.atRest() == 1 }
            proxy.refuse()
            proxy.dropAll()
            let new = try scene.submit(20)
            process.publisher.publish(new, leasedAt: .now)
            made += new
            try eventually("it is named") {
                process.health.reports.contains { $0.problem.link == .publisher }
            }
            try eventually("nothing more is taken") { process.publisher.room == 0 }
            made += try scene.submit(5) { $0.delay = 0.1 }
            let due = "SELECT count(*) FROM amity_tasks WHERE due_at < clock_timestamp()"
            try eventually("all are due") { try scene.tasks.sql(due).integer(0, 0) == 25 }
            proxy.endFaults()
            try eventually("all are at rest") { try scene.atRest() == 26 }
            #expect(try scene.queue().ready() == 26)
            #expect(try scene.take(26).count == 26)
            #expect(process.health.reports.isEmpty)
        }

        /// Fault: a scheduler that has met an outage of the database stays idle, or forgets tasks.
        @Test func aDatabaseThatIsAwayIsNamedAndComesBack() throws {
            let scene = try SchedulingScene()
            let proxy = try Proxy(to: try Servers.workersDatabasePort())
            let process = try scene.process(through: proxy)
            defer { process.stop() }
            try eventually("it leads") { process.scheduler.isLeading }
            proxy.refuse()
            proxy.dropAll()
            try eventually("it is named") {
                process.health.reports.map(\.problem.link) == [.database]
            }
            try scene.submit { $0.delay = 0.1 }
            try eventually("it does not lead") { !process.scheduler.isLeading }
            proxy.endFaults()
            try eventually("it is at rest") { try scene.atRest() == 1 }
            try eventually("all is well") { process.health.reports.isEmpty }
        }

        /// Fault: a task is failed late, or its message comes when it has failed.
        @Test func aDeadlineEndsATaskThatWaits() throws {
            let scene = try SchedulingScene()
            let process = try scene.process()
            defer { process.stop() }
            let deadline = Date(timeIntervalSinceNow: 2).formatted(
                Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            )
            let made = try scene.submit { $0.deadline = deadline }
            process.publisher.publish(made, leasedAt: .now)
            try eventually("it is at rest") { try scene.atRest() == 1 }
            try eventually("it has failed") { try scene.onlyTask().state == .failed }
            #expect(try scene.onlyTask().errorCode == TaskErrorCode.deadlineExceeded.rawValue)
        }

        /// Fault: what a worker ran that is gone runs nowhere; or what a living one runs, twice.
        @Test func aLostWorkersRunIsGivenBackAndPublished() throws {
            let scene = try SchedulingScene()
            let begin = ContinuousClock.now
            let process = try scene.process()
            defer { process.stop() }
            let made = try scene.submit(2)
            try scene.store.renewWorker(TaskScene.worker)
            try scene.store.renewWorker(TaskScene.otherWorker)
            try scene.tasks.claim(made[0].id, run: 1)
            try scene.tasks.claim(made[1].id, run: 1, worker: TaskScene.otherWorker)
            try scene.tasks.sql(
                """
                UPDATE amity_leases SET lease_until = clock_timestamp()
                    + CASE WHEN holder = $1::uuid THEN -1 ELSE 300 END * interval '1 second'
                WHERE name LIKE 'worker %'
                """,
                .text(TaskScene.worker.text)
            )
            try eventually("it is given back", within: .seconds(30)) { try scene.atRest() == 1 }
            // Until then it might have been the database that was away.
            #expect(begin.duration(to: .now) > .seconds(15))
            #expect(try scene.store.get(made[0].id)?.view.run == 2)
            #expect(try scene.store.get(made[0].id)?.view.crashes == 1)
            #expect(try scene.tasks.state(made[1].id) == .processing)
            var again = made[0]
            again.run = 2
            #expect(try scene.take(1) == [SchedulingScene.body(again)])
        }

        /// Fault: a queue was purged, and its tasks wait for ever; or what a worker holds counts as
        /// lost.
        @Test func lostMessagesArePublishedAgain() throws {
            let scene = try SchedulingScene()
            let queue = scene.queue()
            let process = try scene.process { $0.lookInterval = .seconds(1) }
            defer { process.stop() }
            let made = try scene.submit(5)
            process.publisher.publish(made, leasedAt: .now)
            try eventually("all are at rest") { try scene.atRest() == 5 }
            try scene.store.renewWorker(
                TaskScene.worker,
                facts: #"{"unclaimed": {"\#(queue.name)": 2, "amity_tasks.other.low": 7}}"#
            )
            #expect(try scene.store.unclaimed()[queue.name] == 2)
            try Servers.rabbitmqctl("purge_queue", queue.name)
            try eventually("what no worker holds is there again") { try queue.ready() == 3 }
            #expect(try scene.take(3) == made.prefix(3).map(SchedulingScene.body).sorted())
        }

        @Test func whatEndedLongAgoIsForgotten() throws {
            let scene = try SchedulingScene()
            let (old, young) = (try scene.submit()[0].id, try scene.submit()[0].id)
            for id in [old, young] { _ = try scene.store.cancel(id) }
            try scene.tasks.sql(
                """
                UPDATE amity_tasks SET finished_at = finished_at
                    - CASE WHEN id = $1::uuid THEN 49 ELSE 47 END * interval '1 hour'
                """,
                .text(old.text)
            )
            let process = try scene.process { $0.retentionDays = 2 }
            defer { process.stop() }
            try eventually("it is gone") { try scene.store.get(old) == nil }
            #expect(try scene.store.get(young) != nil)
        }

        // MARK: Leader

        /// Fault: two lead, or none does for long once the leader has stopped.
        @Test func anotherLeadsOnceTheLeaderHasStopped() throws {
            let scene = try SchedulingScene()
            let first = try scene.process()
            try eventually("the first leads") { first.scheduler.isLeading }
            let second = try scene.process()
            defer { second.stop() }
            try scene.submit { $0.delay = 0.1 }
            try eventually("it is at rest") { try scene.atRest() == 1 }
            #expect(!second.scheduler.isLeading)
            let begin = ContinuousClock.now
            first.stop()
            try eventually("the second leads") { second.scheduler.isLeading }
            // The lease was released: it has not run out.
            #expect(begin.duration(to: .now) < .seconds(3))
            try scene.submit { $0.delay = 0.1 }
            try eventually("it is at rest, too") { try scene.atRest() == 2 }
        }

        /// Fault: a leader that was killed is the leader for ever.
        @Test func anotherLeadsOnceTheLeaderWasKilled() async throws {
            let scene = try SchedulingScene()
            let variables = scene.tasks.scene.variables
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [variables = variables as [String: String]] in
                let first = try SchedulingScene.process(variables)
                try eventually("it leads") { first.scheduler.isLeading }
                kill(getpid(), SIGKILL)
            }
            let leader = "SELECT count(*) FROM amity_leases WHERE name = 'scheduler'"
            #expect(try scene.tasks.sql(leader).integer(0, 0) == 1)
            let second = try scene.process()
            defer { second.stop() }
            try eventually("the second leads", within: .seconds(8)) { second.scheduler.isLeading }
            try scene.submit { $0.delay = 0.1 }
            try eventually("it is at rest") { try scene.atRest() == 1 }
        }
    }
}
