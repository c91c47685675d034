import AMQP
import Events
import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

extension Integration {
    /// Scores, told to other programs.
    struct ScoreEventTests {
        /// What is told of these users, until so many events have come.
        private func take(
            _ count: Int,
            of users: Set<String>,
            from tail: inout ExchangeTail
        ) throws -> [[String: Any]] {
            var found: [[String: Any]] = []
            let deadline = ContinuousClock.now + .seconds(30)
            while found.count < count, ContinuousClock.now < deadline {
                guard let message = try tail.next(within: .milliseconds(200)) else { continue }
                let json = try JSONSerialization.jsonObject(with: Data(message.body))
                let event = try #require(json as? [String: Any])
                if users.contains(event["user_id"] as? String ?? "") { found.append(event) }
            }
            #expect(found.count == count)
            return found
        }

        private func tail(_ scene: Scene) throws -> ExchangeTail {
            try ExchangeTail(
                of: EventTopics.exchange,
                matching: ["friendship.scored.#"],
                at: scene.settings.endpoint,
                logger: quiet
            )
        }

        /// Fault: a score is told twice, not at all, in another order, or with what was said.
        @Test func eachScoreIsToldOnceAndThoseOfAUserInOrder() throws {
            let tasks = try TaskScene(settings: ["EVENTS": "scores"])
            let scene = tasks.scene
            var tail = try tail(scene)
            let users = (0..<3).map { "\(scene.name)-\($0)" }
            let ids = (0..<30).map { "\(scene.name)-c\($0)" }
            for (number, id) in ids.enumerated() {
                try scene.addConversation(id, user: users[number % 3])
            }
            let worker = try scene.startWorker()
            try scene.publish(ids: Array(ids.prefix(1)))
            try eventually("one is scored") { try scene.count("status = 'PROCESSED'") == 1 }
            try scene.publish(ids: ids + ids)
            let events = try take(30, of: Set(users), from: &tail)
            try scene.expectEachToCountOnce(30, by: worker)
            #expect(Set(events.compactMap { $0["conversation_id"] as? String }) == Set(ids))
            for user in users {
                let scores = events.filter { $0["user_id"] as? String == user }
                    .compactMap { $0["score"] as? Double }
                #expect(scores == (1...10).map(Double.init))
            }
            let members = try #require(events.first)
            #expect(
                Set(members.keys) == [
                    "conversation_id", "user_id", "change", "score", "level", "turns",
                    "questions", "emotion", "memories",
                ]
            )
            #expect(members["level"] as? String == "PHASE1_STRANGER")
            #expect(members["turns"] as? Int == 1 && members["change"] as? Double == 1)
            #expect(try tail.next(within: .seconds(1)).map { _ in 1 } == nil)
            try eventually("none is left") {
                try scene.sql("SELECT 1 FROM amity_outbox").count == 0
            }
        }

        /// Fault: a score that was taken back is told of, or one that counted beside it is not.
        @Test func aScoreThatIsTakenBackIsNotTold() throws {
            let tasks = try TaskScene(settings: ["EVENTS": "scores"])
            let scene = tasks.scene
            var tail = try tail(scene)
            let users = ["\(scene.name)-good", "\(scene.name)-bad"]
            try scene.sql(
                """
                ALTER TABLE friendship_status ADD CHECK
                    (user_id NOT LIKE '%-bad' OR friendship_score = 0)
                """
            )
            for (number, user) in users.enumerated() {
                try scene.addConversation("\(scene.name)-\(number)", user: user)
            }
            let worker = try scene.startWorker(["MAX_ATTEMPTS": "1"])
            try scene.publish(ids: "\(scene.name)-0", "\(scene.name)-1")
            let events = try take(1, of: Set(users), from: &tail)
            #expect(events.first?["user_id"] as? String == users[0])
            try eventually("the other is given up") { try scene.deadLetters.ready() == 1 }
            #expect(try tail.next(within: .seconds(1)).map { _ in 1 } == nil)
            #expect(try scene.sql("SELECT 1 FROM amity_outbox").count == 0)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        /// Fault: a score that cannot be told of counts all the same, and its event is lost.
        @Test func aScoreThatCannotBeToldWaits() throws {
            let tasks = try TaskScene(settings: ["EVENTS": "scores"])
            let scene = tasks.scene
            var tail = try tail(scene)
            try scene.sql("ALTER TABLE amity_outbox RENAME TO elsewhere")
            let user = "\(scene.name)-user"
            try scene.addConversation("\(scene.name)-c", user: user)
            let worker = try scene.startWorker()
            try scene.publish(ids: "\(scene.name)-c")
            try eventually("it is held") { !worker.events("database.unavailable").isEmpty }
            #expect(try scene.score(of: user) ?? 0 == 0)
            try scene.sql("ALTER TABLE elsewhere RENAME TO amity_outbox")
            _ = try take(1, of: [user], from: &tail)
            #expect(try scene.score(of: user) == 1)
        }

        /// Fault: a worker that replaces another one writes what no program reads.
        @Test func whereTheyAreOffNoneIsWritten() throws {
            let scene = try Scene()
            try scene.addConversations(20)
            let worker = try scene.startWorker()
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            try scene.expectEachToCountOnce(20, by: worker)
            #expect(try scene.sql("SELECT 1 FROM amity_outbox").count == 0)
        }

        /// Fault: the command prints nothing until its buffer is full, or never ends.
        @Test func theCommandPrintsThemAsTheyCome() throws {
            let tasks = try TaskScene(settings: EventTests.on)
            let scene = tasks.scene
            let type = "t\(UInt32.random(in: 0 ... .max))"
            let command = try RunningWorker(
                ["events", "tail", "--pattern", "task.*.\(type)", "--json"],
                environment: scene.variables
            )
            try eventually("it waits") { command.log.contains("waiting for events") }
            let process = try SchedulingScene.process(scene.variables)
            defer { process.stop() }
            let id = try tasks.begin(type)
            try eventually("they are printed") { command.log.contains("\(id).1.started") }
            let lines = command.log.split(separator: "\n").filter { $0.hasPrefix("{") }
            let events = try lines.map { line in
                let json = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require(json as? [String: Any])
            }
            let types = events.compactMap { $0["type"] as? String }
            #expect(types == ["amity.task.created", "amity.task.started"])
            #expect((events[0]["data"] as? [String: Any])?["task_id"] as? String == id.text)
            command.signal(SIGINT)
            #expect(try command.waitForExit() == SIGINT)
        }
    }
}
