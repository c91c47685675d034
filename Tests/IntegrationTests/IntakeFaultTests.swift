import Concurrency
import Failpoints
import Foundation
import TestSupport
import Testing

@testable import ConversationIntake

extension Integration {
    /// Intake while something is away, and at its begin and end.
    struct IntakeFaults {
        /// Fault: the process dies between the commit and the message, and the conversation waits
        /// for the sweep.
        @Test func aMessageWhoseProcessDiedIsPublishedByAnother() async throws {
            let intake = try IntakeScene()
            let variables = intake.scene.variables
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [variables = variables as [String: String]] in
                setenv("AMITY_FAILPOINT", "\(Failpoint.intakeCommitted.rawValue):1", 1)
                let service = try IntakeScene.service(variables)
                try service.start()
                _ = await service.end(IntakeScene.body("c-1"))
            }
            #expect(try intake.scene.count("true") == 1)
            #expect(try intake.outbox() == 1)
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            #expect(try intake.messages() == 1)
            // The client, whose answer was lost, comes again.
            #expect(await service.end(IntakeScene.body("c-1")).status == 202)
            #expect(try intake.messages() == 1)
        }

        /// Fault: a broker that is away costs requests or messages.
        @Test func aBrokerThatIsAwayCostsNothing() async throws {
            let intake = try IntakeScene()
            let proxy = try Proxy(to: try Servers.port("RABBITMQ_URL"))
            let service = try intake.service(through: proxy)
            try service.start()
            defer { service.stop() }
            #expect(await service.end(IntakeScene.body("c-0")).status == 202)
            #expect(try intake.messages() == 1)
            proxy.refuse()
            proxy.dropAll()
            let all = await IntakeScene.answers(
                (1...20).map { IntakeScene.body("c-\($0)") },
                of: service
            )
            #expect(all.allSatisfy { $0.status == 202 })
            #expect(service.isReady)
            try eventually("it is named") {
                service.problems.contains { $0.problem.link == .publisher }
            }
            // Longer than a lease: what was handed over is stale by then.
            try eventually("the leases are over") {
                try intake.scene.sql(
                    "SELECT count(*) FROM amity_outbox WHERE due_at < now()"
                ).integer(0, 0) == 20
            }
            proxy.endFaults()
            #expect(try intake.messages() == 21)
            #expect(service.problems.isEmpty)
        }

        /// Fault: a database that is away makes requests hang, or the service stays unready.
        @Test func aDatabaseThatIsAwayIsSaidAndComesBack() async throws {
            let intake = try IntakeScene()
            let proxy = try Proxy(to: try Servers.workersDatabasePort())
            let service = try intake.service(through: proxy)
            try service.start()
            defer { service.stop() }
            #expect(service.isReady)
            proxy.refuse()
            proxy.dropAll()
            let answer = await service.end(IntakeScene.body("c-1"))
            #expect(answer.status == 503 && answer.retryAfter == 5)
            #expect(!service.isReady)
            #expect(service.problems.map(\.problem.link) == [.database])
            proxy.endFaults()
            try eventually("it is ready again, without a request") { service.isReady }
            #expect(await service.end(IntakeScene.body("c-1")).status == 202)
            #expect(try intake.messages() == 1)
        }

        /// Fault: the commit's answer is lost, and the conversation is stored or published twice.
        @Test func aCommitWhoseAnswerIsLostCountsOnce() async throws {
            let intake = try IntakeScene()
            let proxy = try Proxy(to: try Servers.workersDatabasePort())
            let service = try intake.service(through: proxy)
            try service.start()
            defer { service.stop() }
            #expect(await service.end(IntakeScene.body("c-0")).status == 202)
            #expect(try intake.messages() == 1)
            proxy.lose(.toClient, onceAClientSends: Array("c-lost".utf8))
            async let answer = service.end(IntakeScene.body("c-lost"))
            try eventually("the answer is lost") { try intake.scene.count("true") == 2 }
            proxy.endFaults()
            proxy.dropAll()
            #expect(await answer.status == 202)
            #expect(try intake.messages() == 2)
            #expect(try intake.scene.count("true") == 2)
        }

        /// Fault: a message that no queue takes counts as published.
        @Test func aMessageThatNoQueueTakesWaitsInTheOutbox() async throws {
            let intake = try IntakeScene()
            let service = try intake.service()
            try service.start()
            #expect(await service.end(IntakeScene.body("c-0")).status == 202)
            #expect(try intake.messages() == 1)
            try Servers.rabbitmqctl("delete_queue", intake.scene.name)
            #expect(await service.end(IntakeScene.body("c-1")).status == 202)
            try eventually("it is named") { service.problems.map(\.problem.code) == ["returned"] }
            #expect(service.problems.first?.problem.text.contains(intake.scene.name) == true)
            #expect(service.isReady)
            service.stop()
            #expect(try intake.outbox() == 1)
            // One that connects declares the queue.
            let next = try intake.service()
            try next.start()
            defer { next.stop() }
            #expect(try intake.messages() == 1)
        }

        /// Fault: messages for a queue of old settings hold up all others; or what is scored is
        /// published again.
        @Test func rowsOfAnotherQueueOrWithoutNeedHoldUpNothing() async throws {
            let intake = try IntakeScene()
            try intake.scene.addConversation("old")
            try intake.scene.addConversation("done", status: "PROCESSED")
            try intake.scene.sql(
                """
                INSERT INTO amity_outbox (due_at, exchange, routing_key, conversation_id) VALUES
                    (now(), '', 'gone', 'old'), (now(), '', $1, 'done'), (now(), '', $1, 'deleted')
                """,
                .text(intake.scene.name)
            )
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            try eventually("it is named") { service.problems.map(\.problem.subject) == ["gone"] }
            #expect(await service.end(IntakeScene.body("c-1")).status == 202)
            try eventually("the others are gone", within: .seconds(4)) {
                try intake.outbox() == 1
            }
            #expect(try intake.scene.queue.ready() == 1)
        }

        /// Fault: 49 requests wait for one row that another transaction holds.
        @Test func aRowThatIsLockedCostsTheOthersOneWait() throws {
            let intake = try IntakeScene()
            try intake.scene.lock(
                """
                INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id,
                    bot_name, start_time, end_time)
                VALUES ('c-3', 'user', '', '', '', now(), now())
                """
            )
            let begin = ContinuousClock.now
            let outcomes = try intake.store((0..<50).map { ("c-\($0)", "") })
            #expect(begin.duration(to: .now) < .seconds(4))
            #expect(outcomes.indices.filter { outcomes[$0] == "unavailable" } == [3])
            #expect(outcomes.count { $0 == "stored" } == 49)
        }

        // MARK: Start and stop

        @Test func itDoesNotBeginWithoutAnOutbox() throws {
            let scene = try Scene(.python)
            let service = try IntakeScene.service(scene.variables)
            let error = try #require(throws: IntakeService.Unfit.self) { try service.start() }
            #expect("\(error)" == "the table amity_outbox is missing: run amity migrate")
        }

        @Test func itDoesNotBeginWithoutTheRightToStore() throws {
            let scene = try Scene()
            let service = try IntakeScene.service(scene.variables)
            let error = try #require(throws: IntakeService.Unfit.self) { try service.start() }
            #expect("\(error)".contains("42501"))
            #expect("\(error)".hasSuffix("deploy/grants.sql with -v intake=1"))
        }

        /// Fault: a drain drops requests that it has taken, or never ends.
        @Test func aDrainAnswersWhatIsInHand() async throws {
            let intake = try IntakeScene()
            let service = try intake.service()
            try service.start()
            let bodies = (0..<400).map { IntakeScene.body("c-\($0)") }
            async let answers = IntakeScene.answers(bodies, of: service)
            try eventually("some are stored") { try intake.scene.count("true") > 0 }
            service.stop()
            let statuses = await answers.map(\.status)
            #expect(Set(statuses).isSubset(of: [202, 503]))
            #expect(try intake.scene.count("true") == statuses.count { $0 == 202 })
            #expect(try intake.outbox() == 0)
            #expect(try intake.scene.queue.ready() == statuses.count { $0 == 202 })
            #expect(await service.end(IntakeScene.body("late")).status == 503)
        }
    }
}
