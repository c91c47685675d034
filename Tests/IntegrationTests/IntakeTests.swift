import Concurrency
import Failpoints
import Foundation
import Messaging
import TestSupport
import Testing

@testable import ConversationIntake

extension Integration {
    /// Conversations that come over HTTP, as far as the door of the HTTP server.
    struct Intake {
        /// Fault: a client's retry is stored under another id, or published again, and scored
        /// twice.
        @Test(arguments: Scene.Tables.allCases)
        func aRequestThatIsSentThreeTimesIsOneRowOneMessageOneScore(
            tables: Scene.Tables
        ) async throws {
            let intake = try IntakeScene(tables)
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            let body = IntakeScene.body("c-1", #""agent_tag":"a","next_attempt_at":null"#)
            let three = await IntakeScene.answers([body, body, body], of: service)
            #expect(three.map(\.status) == [202, 202, 202])
            #expect(Set(three.map(\.body)).count == 1)
            #expect(try intake.messages() == 1)
            #expect(try intake.scene.count("conversation_id = 'c-1'") == 1)
            let isDueInSixHours = "next_attempt_at = created_at + interval '6 hours'"
            #expect(try intake.scene.count(isDueInSixHours) == 1)

            let worker = try intake.scene.startWorker()
            try eventually("it is scored") { try intake.scene.count("status = 'PROCESSED'") == 1 }
            let late = await service.end(body)
            #expect(late.status == 202)
            #expect(try late.data["status"] as? String == "PROCESSED")
            #expect(try late.data["friendship_score_change"] as? Double == 1)
            #expect(try intake.messages() == 0)
            #expect(try intake.scene.score() == 1)
            #expect(try intake.scene.count("attempt_count = 1") == 1)
            worker.signal(SIGTERM)
        }

        /// Fault: a client reads a time as local, or misses a member.
        @Test(arguments: Scene.Tables.allCases)
        func theAnswerIsTheStoredRow(tables: Scene.Tables) async throws {
            let intake = try IntakeScene(tables)
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            let answer = await service.end(
                IntakeScene.body(
                    "c-1",
                    #""end_time":"2026-01-01T17:20:00.25+07:00","status":"SKIPPED","#
                        + #""next_attempt_at":"2026-01-03","attempt_count":7,"#
                        + #""conversation_log":[{"character":"USER","content":" mẹ "}]"#
                )
            )
            #expect(answer.status == 202)
            #expect(try answer.json["success"] as? Bool == true)
            #expect(
                try answer.json["message"] as? String
                    == "Conversation event accepted for processing"
            )
            var data = try answer.data
            for name in ["created_at", "updated_at"] {
                let value = data.removeValue(forKey: name)
                let text = try #require(value as? String)
                let time = try IntakeTime(text: text)
                #expect(abs(Double(time.microseconds) / 1e6 - Date().timeIntervalSince1970) < 60)
                #expect(text.hasSuffix("Z"))
            }
            let id = try intake.scene.sql("SELECT id FROM conversation_events").integer(0, 0)
            #expect(
                data as NSDictionary == [
                    "id": id ?? -1, "conversation_id": "c-1", "user_id": "user",
                    "bot_type": "TALK", "bot_id": "bot-1", "bot_name": "Pika",
                    "start_time": "2026-01-01T10:00:00Z",
                    "end_time": "2026-01-01T10:20:00.250000Z", "duration_seconds": 1200,
                    "conversation_log": [
                        [
                            "speaker": "user", "turn_id": 1, "text": "mẹ",
                            "timestamp": "2026-01-01T10:00:00Z",
                        ]
                    ],
                    "status": "SKIPPED", "attempt_count": 0,
                    "next_attempt_at": "2026-01-03T00:00:00Z", "processed_at": NSNull(),
                    "error_code": NSNull(), "error_details": NSNull(),
                    "friendship_score_change": NSNull(), "new_friendship_level": NSNull(),
                ]
            )
            let raw = try intake.scene.sql(
                "SELECT raw_conversation_log ->> 0 FROM conversation_events"
            )
            #expect(raw.string(0, 0)?.contains(#""content": " mẹ ""#) == true)
            // What an operator has skipped gets no message.
            #expect(try intake.outbox() == 0)
            #expect(try intake.scene.queue.ready() == 0)
        }

        @Test func theMessageIsThePythonPublishersWithoutTheLog() async throws {
            let intake = try IntakeScene()
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            _ = await service.end(IntakeScene.body("c\\\"1"))
            #expect(try intake.messages() == 1)
            let message = try #require(try intake.scene.queue.take(1).first)
            #expect(message.properties.contentType == "application/json")
            #expect(message.properties.type == nil)
            let body = try JSONSerialization.jsonObject(with: Data(message.body))
            var members = try #require(body as? [String: String])
            let time = members.removeValue(forKey: "enqueued_at")
            #expect(time?.hasSuffix("Z") == false)
            #expect(members == ["conversation_id": "c\"1", "user_id": "user", "bot_id": "bot-1"])
        }

        private static let others = [
            #""user_id":"another""#, #""bot_type":"GREETING""#, #""bot_id":"another""#,
            #""bot_name":"another""#, #""agent_tag":"another""#, #""agent_tag":null"#,
            #""start_time":"2026-01-01T10:00:00.000001Z""#,
            #""end_time":"2026-01-01T10:20:01Z""#, #""conversation_log":[]"#,
            #""conversation_log":[{"character":"BOT","content":"Hi!"}]"#,
        ]
        private static let same = [
            #""start_time":"2026-01-01T17:00:00+07:00""#, #""end_time":1767262800"#,
            #""status":"SKIPPED""#, #""next_attempt_at":"2026-01-09""#, #""attempt_count":3"#,
            #""conversation_log":[ {"content":"Hi","character":"BOT"} ]"#,
        ]

        /// Fault: another conversation under an id that is taken is lost without a word, or a retry
        /// that spells the same content otherwise is refused.
        @Test func onlyTheSameContentIsARetry() async throws {
            let intake = try IntakeScene()
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            let first =
                #""agent_tag":"a","conversation_log":[{"character":"BOT","content":"Hi"}]"#
            let answer = await service.end(IntakeScene.body("c-1", first))
            for other in Self.others {
                let refused = await service.end(IntakeScene.body("c-1", "\(first),\(other)"))
                #expect(refused.status == 409, "\(other)")
                let detail = try refused.json["detail"] as? [String: Any]
                #expect(detail?["error"] as? String == "CONVERSATION_EVENT_EXISTS")
            }
            for spelling in Self.same {
                let again = await service.end(IntakeScene.body("c-1", "\(first),\(spelling)"))
                #expect(again == answer, "\(spelling)")
            }
            #expect(try intake.scene.count("true") == 1)
            #expect(try intake.messages() == 1)
        }

        /// Fault: a row of the replaced service, whose converted items have other timestamps, is no
        /// retry of the same request.
        @Test func aRowOfTheReplacedServiceIsKnownByTheLogAsItCame() async throws {
            let intake = try IntakeScene(.python)
            let service = try intake.service()
            try service.start()
            defer { service.stop() }
            let log = #""conversation_log":[{"character":"BOT","content":"Hi"}]"#
            _ = await service.end(IntakeScene.body("c-1", log))
            try intake.scene.sql(
                """
                UPDATE conversation_events SET conversation_log =
                    jsonb_set(conversation_log, '{0,timestamp}', '"2026-01-01T10:00:00+00:00Z"')
                """
            )
            #expect(await service.end(IntakeScene.body("c-1", log)).status == 202)
        }

        /// Fault: one row that the database refuses fails the 49 that came with it.
        @Test func oneBadRowOfAGroupFailsAlone() throws {
            let intake = try IntakeScene()
            let outcomes = try intake.store(
                (0..<50).map { number in
                    // A duration that its column cannot hold.
                    ("c-\(number)", number == 7 ? #""end_time":"9999-01-01T00:00:00Z""# : "")
                }
            )
            #expect(outcomes.indices.filter { outcomes[$0] == "refused 22003" } == [7])
            #expect(outcomes.count { $0 == "stored" } == 49)
            #expect(try intake.scene.count("true") == 49)
            #expect(try intake.outbox() == 49)
        }

        /// Fault: twins in one group fail it, or both count as new.
        @Test func twinsInAGroupAreComparedWithEachOther() throws {
            let intake = try IntakeScene()
            let outcomes = try intake.store([
                ("c-2", ""), ("c-1", ""), ("c-2", ""), ("c-1", #""bot_id":"another""#), ("c-1", ""),
            ])
            #expect(outcomes == ["stored", "stored", "same", "different", "same"])
            #expect(try intake.outbox() == 2)
        }

        /// Fault: two processes store groups with ids in common in other orders, and deadlock.
        @Test func groupsWithTheSameIDsDoNotDeadlock() throws {
            let intake = try IntakeScene()
            let stores = try (0..<2).map { _ in try intake.store() }
            func endedWaits() throws -> Int {
                // Both come after a second.
                try ["deadlock detected", "due to lock timeout"].map(Servers.postgresLogCount)
                    .reduce(0, +)
            }
            let before = try endedWaits()
            let groups = try (0..<20).map { group in
                try (0..<50).map { try ConversationEnd(body: IntakeScene.body("\(group)-c-\($0)")) }
            }
            DispatchQueue.concurrentPerform(iterations: 2) { number in
                for group in groups {
                    _ = stores[number].store(number == 0 ? group : group.reversed(), lane: 0)
                }
            }
            #expect(try intake.scene.count("true") == 1000)
            #expect(try intake.outbox() == 1000)
            #expect(try endedWaits() == before)
        }

        // MARK: Privacy

        /// Fault: what a child said stands in a log.
        @Test func noLineOfTheLogHoldsATextOfARequest() async throws {
            let intake = try IntakeScene()
            let canary = "canary-9173"
            try intake.scene.sql(
                """
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.conversation_id LIKE 'raises%' THEN
                        RAISE EXCEPTION 'said %', NEW.conversation_log::text;
                    END IF;
                    RETURN NEW;
                END $$
                """
            )
            try intake.scene.sql(
                """
                CREATE TRIGGER fail BEFORE INSERT ON conversation_events
                FOR EACH ROW EXECUTE FUNCTION fail()
                """
            )
            let logged = LoggedText()
            let service = try intake.service(logger: logged.logger)
            try service.start()
            let log = #""conversation_log":[{"text":"\#(canary)"}]"#
            var bodies = [
                IntakeScene.body("fine", log), IntakeScene.body("raises", log),
                IntakeScene.body("fine", #""conversation_log":[{"text":"\#(canary)!"}]"#),
                IntakeScene.body("huge", #""conversation_log":[{"\#(canary)":1e999999}]"#),
                IntakeScene.body("type", #""conversation_log":["\#(canary)"]"#),
                Array(#"{"\#(canary)":"#.utf8),
            ]
            bodies.append(
                IntakeScene.body(
                    "long",
                    #""bot_name":"\#(canary)","end_time":"9999-01-01T00:00:00Z""#
                )
            )
            var statuses: [Int] = []
            for body in bodies { statuses.append(await service.end(body).status) }
            #expect(statuses == [202, 500, 409, 422, 422, 422, 400])
            service.stop()
            #expect(logged.all.contains("intake.row-refused"))
            #expect(!logged.all.contains(canary))
        }
    }
}
