import AMQP
import Foundation
import Messaging
import TestSupport
import Testing

extension Integration {
    /// Dead letters by their rows: looking is free, and rows and queue agree.
    struct DeadLetterRows {
        /// A scene whose dead-letter queue is there already, a quorum queue that drops what was
        /// delivered more than `limit` times.
        private func quorumScene(limit: Int64 = 3) throws -> Scene {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.deadLetters.declare([
                ("x-queue-type", .string("quorum")), ("x-delivery-limit", .integer(limit)),
            ])
            return scene
        }

        private func bury(_ ids: [String], in scene: Scene) throws {
            let worker = try scene.startWorker()
            // Dead at once, whatever their conversations are.
            var properties = MessageProperties()
            properties.type = "other"
            let bodies = ids.map { Array(#"{"conversation_id":"\#($0)"}"#.utf8) }
            try scene.publish(bodies, properties)
            try eventually("all are dead", within: .seconds(60)) {
                try scene.deadLetters.ready() == ids.count
            }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        private func rows(_ scene: Scene, _ condition: String = "settled_at IS NULL") throws -> Int
        {
            let sum = "SELECT coalesce(sum(copies), 0) FROM amity_dead_letters WHERE \(condition)"
            return try scene.sql(sum).integer(0, 0) ?? -1
        }

        private func object(_ text: some StringProtocol) throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            return try #require(object as? [String: Any])
        }

        // MARK: Looking is free

        /// Fault: the fifth look shows none of five dead letters, because each look was a delivery,
        /// and the broker drops what was delivered too often.
        @Test(arguments: [
            ["dead-letters", "list"], ["dead-letters", "list", "--look-into-queue"],
            ["dead-letters", "show", "c1"],
            ["dead-letters", "show", "c1", "--body-because", "test"],
            ["dead-letters", "retry", "--all", "--dry-run"],
            ["dead-letters", "retry", "--code", "NONE"],
            ["dead-letters", "purge", "--conversation", "none", "--yes"],
            ["status"], ["explain", "c1"],
        ])
        func noCommandLosesALetterByLooking(command: [String]) throws {
            let scene = try quorumScene()
            try bury((0..<5).map { "c\($0)" }, in: scene)
            for _ in 0..<6 {
                let result = try scene.amity(command)
                // Explain says 1 of a conversation without a row of its own.
                #expect(result.status == 0 || command[0] == "explain", "\(result.error)")
                #expect(try scene.deadLetters.ready() == 5)
            }
            #expect(try rows(scene) == 5)
            let all = try scene.deadLetters.take(5)
            #expect(Set(all.compactMap(\.deadLetterID)).count == 5)
        }

        /// Fault: the page looks by itself, so a page that is open for an hour empties the queue.
        @Test func thePageLosesNoDeadLetter() throws {
            let port = RawConnection.freePort()
            let scene = try quorumScene()
            let worker = try scene.startWorker(["HTTP_PORT": "\(port)"])
            try scene.publish(ids: (0..<5).map { "c\($0)" })
            try eventually("five are dead") { try scene.deadLetters.ready() == 5 }
            for _ in 0..<6 {
                let order = #"{"code":"NONE"}"#
                let headers = ["X-Amity-Request: test"]
                let path = "/api/v1/dead-letters"
                _ = try RawAnswer.post("\(path)/purge", order, port: port, headers: headers)
                let page = try object(try RawAnswer.get(path, port: port).body)
                let groups = try #require(page["groups"] as? [[String: Any]])
                #expect(groups.map { $0["count"] as? Int } == [5])
                #expect(page["is_complete"] as? Bool == true)
            }
            #expect(try scene.deadLetters.ready() == 5)
            withExtendedLifetime(worker) {}
        }

        /// Faults: a quorum queue delivers 2,000 messages and no more to who settles none, and a
        /// window that is full hides the rest; a pass that stops in the middle gives back what it
        /// has not looked at.
        @Test func aDeadLetterFarBackIsFoundAndNoneIsLost() throws {
            let scene = try quorumScene(limit: 1)
            try bury((0..<450).map { "c\($0)" }, in: scene)
            for last in [449, 448, 300] {
                let only = ["--conversation", "c\(last)", "--limit", "1"]
                let retried = try scene.amity(["dead-letters", "retry"] + only)
                #expect(retried.output == "retried 1\n", "\(last): \(retried.error)")
            }
            #expect(try rows(scene) == 447)
            // Asked before they are taken: at the end of a connection a quorum queue may lose its
            // last acks.
            #expect(try scene.deadLetters.ready() == 447, "a dead letter is there twice")
            let left = try scene.deadLetters.take(447)
            #expect(Set(left.compactMap(\.deadLetterID)).count == 447)
        }

        /// Fault: at the end of its connection a quorum queue loses acks that it has not carried
        /// out yet, so dead letters come back whose rows say that they are gone.
        @Test(arguments: [["retry", "--all"], ["purge", "--all", "--yes"]])
        func whatWasTakenFromAQuorumQueueStaysAway(command: [String]) throws {
            let scene = try quorumScene()
            try bury((0..<450).map { "c\($0)" }, in: scene)
            let done = try scene.amity(["dead-letters"] + command)
            #expect(done.output.hasSuffix("450\n"), "\(done.output)\(done.error)")
            #expect(try scene.deadLetters.ready() == 0)
            #expect(try rows(scene) == 0)
        }

        /// Dead letters of others, and of older versions, have no row: they are counted, and listed
        /// on request.
        @Test func deadLettersWithoutARowAreCountedAndListedOnRequest() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try bury(["c1"], in: scene)
            var properties = MessageProperties()
            properties.headers[HeaderName.code] = .string("OLD")
            for number in 0..<2 { try scene.bury(Array("old \(number)".utf8), properties) }
            let list = try scene.amity(["dead-letters", "list"])
            #expect(list.output.hasSuffix("1 dead letter\n"))
            #expect(list.error.contains("2 messages in \(scene.name).dead without a row"))
            #expect(list.error.contains("one delivery of its limit"))
            let status = try object(try scene.amity(["status", "--json"]).output)
            #expect(status["dead_letters_without_row"] as? Int == 2)
            #expect(
                status["dead_letters_by_code"] as? [String: Int] == ["UNKNOWN_TYPE": 1]
            )
            let look = try scene.amity(["dead-letters", "list", "--look-into-queue"])
            #expect(look.output.hasSuffix("3 dead letters\n"))
            let purged = try scene.amity(["dead-letters", "purge", "--code", "OLD", "--yes"])
            #expect(purged.output == "purged 2\n")
            let away = try scene.amity(
                ["dead-letters", "list"],
                ["RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/"]
            )
            #expect(away.status == 0 && away.output.hasSuffix("1 dead letter\n"))
            #expect(away.error.contains("the broker could not be asked"))
        }

        /// Fault: a database that was not migrated hides the dead letters, or breaks the commands.
        @Test func anUnmigratedDatabaseHasCommandsThatWork() throws {
            let scene = try Scene(.python, settings: ["MAX_ATTEMPTS": "1"])
            let worker = try scene.startWorker()
            try scene.publish([Array("bad 1".utf8), Array("bad 2".utf8)])
            try eventually("both are dead") { try scene.deadLetters.ready() == 2 }
            try eventually("it is said") { worker.events("dead-letters.not-recorded").count == 1 }
            let list = try scene.amity(["dead-letters", "list"])
            #expect(list.status == 0 && list.output.hasSuffix("0 dead letters\n"))
            #expect(list.error.contains("amity migrate"))
            #expect(list.error.contains("2 messages in \(scene.name).dead without a row"))
            #expect(try scene.amity(["dead-letters", "retry", "--all"]).output == "retried 2\n")
            try eventually("both are dead again") { try scene.deadLetters.ready() == 2 }
            let purged = try scene.amity(["dead-letters", "purge", "--all", "--yes"])
            #expect(purged.output == "purged 2\n", "\(purged.error)")
        }

        // MARK: By id

        /// Fault: a body that is no JSON names no conversation, so its dead letter could not be
        /// shown.
        @Test(arguments: ["not JSON", "", "{\"conversation_id\":7}"])
        func aDeadLetterIsShownRetriedAndPurgedByItsID(body: String) throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try scene.publish([Array(body.utf8)])
            try eventually("it is dead") { try scene.deadLetters.ready() == 1 }
            let list = try scene.amity(["dead-letters", "list", "--json"]).output
            let deadLetter = try object(list)
            let id = try #require(deadLetter["id"] as? String)
            #expect(deadLetter["message_id"] as? String == id)
            #expect((deadLetter["body_sha256"] as? String)?.count == 16)
            let shown = try scene.amity(["dead-letters", "show", id])
            #expect(shown.output.contains("amity-error-code: INVALID_MESSAGE"))
            #expect(shown.output.contains("amity-letter-id: \(id)"))
            let open = try scene.amity(["dead-letters", "show", id, "--body-because", "ticket 7"])
            #expect(body.isEmpty || open.output.contains(body))
            let retried = try scene.amity(["dead-letters", "retry", "--id", id])
            #expect(retried.output == "retried 1\n")
            try eventually("it is dead again") {
                try rows(scene) == 1 && rows(scene, "settled_how = 'replayed'") == 1
            }
            let again = try object(try scene.amity(["dead-letters", "list", "--json"]).output)
            let other = try #require(again["id"] as? String)
            #expect(other != id && again["replays"] as? Int == 1)
            try eventually("its copy is in the queue") { try scene.deadLetters.ready() == 1 }
            let purged = try scene.amity(["dead-letters", "purge", "--id", other, "--yes"])
            #expect(purged.output == "purged 1\n")
            #expect(try rows(scene) == 0)
            let settled = try scene.amity(["dead-letters", "list", "--settled", "--json"]).output
            #expect(settled.contains(#""state":"replayed""#))
            #expect(settled.contains(#""state":"purged""#))
            withExtendedLifetime(worker) {}
        }

        /// Two messages that do not differ share a row, which counts them.
        @Test func copiesShareARowAndAreCounted() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try scene.publish(Array(repeating: Array("bad".utf8), count: 3))
            try eventually("three are dead") { try scene.deadLetters.ready() == 3 }
            #expect(try scene.sql("SELECT id FROM amity_dead_letters").count == 1)
            #expect(try rows(scene) == 3)
            let some = try scene.amity(["dead-letters", "purge", "--all", "--yes"])
            #expect(some.output == "purged 3\n")
            #expect(try rows(scene) == 0)
            withExtendedLifetime(worker) {}
        }

        /// Fault: a worker dies between the copy's confirm and the ack, and one dead letter has two
        /// rows.
        @Test func aDeadLetterThatGoesOutTwiceHasOneRow() throws {
            let scene = try Scene()
            let worker = try scene.startWorker(["AMITY_FAILPOINT": "retry-confirmed:1"])
            try scene.publish([Array("bad".utf8)])
            #expect(try worker.waitForExit() == SIGKILL)
            let next = try scene.startWorker()
            try eventually("it went out twice") { try scene.deadLetters.ready() == 2 }
            #expect(try rows(scene) == 1)
            let list = try scene.amity(["dead-letters", "list"])
            #expect(list.error.contains("1 message in \(scene.name).dead without a row"))
            let ids = try scene.deadLetters.take(2).compactMap(\.deadLetterID)
            #expect(ids.count == 2 && ids[0] == ids[1])
            withExtendedLifetime(next) {}
        }

        // MARK: What becomes of rows

        /// Fault: a policy `expires` removes the queue, and there is no trace of what was in it.
        @Test func deadLettersOfAQueueThatVanishedAreSaidToBeGone() throws {
            let scene = try Scene(settings: [
                "MAX_ATTEMPTS": "1", "MONITOR_INTERVAL_SECONDS": "1",
            ])
            try bury(["c1", "c2"], in: scene)
            try Servers.rabbitmqctl("delete_queue", scene.deadLetters.name)
            let list = try scene.amity(["dead-letters", "list", "--json"])
            #expect(list.output.ranges(of: #""state":"gone""#).count == 2)
            #expect(list.error.contains("2 messages of these are gone"))
            let status = try object(try scene.amity(["status", "--json"]).output)
            #expect(status["dead_letters_gone"] as? Int == 2)
            #expect(try scene.amity(["explain", "c1"]).output.contains("dead letters are gone"))
            // A worker makes the queue anew, finds it empty, and says so once.
            try scene.sql("UPDATE amity_dead_letters SET dead_at = dead_at - interval '2 minutes'")
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let worker = try scene.startWorker()
            try eventually("they are marked") { try rows(scene, "settled_how = 'gone'") == 2 }
            try eventually("it is said") { !worker.events("dead-letters.gone").isEmpty }
            try eventually("it has looked again") {
                try scene.statistics.queues().first?.deadLetters == 0
            }
            #expect(worker.events("dead-letters.gone").count == 1)
            #expect(worker.events("dead-letters.gone").first?["letters"] as? Int == 2)
        }

        /// Erasure: nothing of a child stays, in the queue or in the rows, and others lose nothing.
        @Test func aUsersDeadLettersAreErasedWithTheirRows() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.addConversation("bad-1", user: "child", log: "{}")
            try scene.addConversation("bad-2", user: "other", log: "{}")
            try bury(["bad-1", "bad-2"], in: scene)
            // As an erasure of the service has it; the dead letter and its row still know the
            // child.
            try scene.sql("DELETE FROM conversation_events WHERE user_id = 'child'")
            let purge = ["dead-letters", "purge", "--user", "child", "--yes"]
            #expect(try scene.amity(purge).output == "purged 1\n")
            #expect(try scene.deadLetters.ready() == 1)
            let left = try scene.sql("SELECT user_id FROM amity_dead_letters")
            #expect((0..<left.count).map { left.string($0, 0) } == ["other"])
        }

        /// Fault: retention goes through the whole queue every hour, and each time costs a
        /// delivery.
        @Test func retentionTakesWhatItsRowsSayAndForgetsOldRows() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try bury(["old", "new"], in: scene)
            try scene.sql(
                """
                UPDATE amity_dead_letters SET last_failure_at = now() - interval '31 days'
                WHERE conversation_id = 'old'
                """
            )
            try scene.sql(
                """
                INSERT INTO amity_dead_letters (id, queue, code, reason, attempts, replays, worker,
                    body_bytes, body_sha256, headers, copies, settled_at, settled_how)
                VALUES ('x', $1, 'C', '', 1, 0, '', 0, '', '{}', 1,
                    now() - interval '31 days', 'purged')
                """,
                .text(scene.name)
            )
            let worker = try scene.startWorker(["DEAD_LETTER_RETENTION_DAYS": "30"])
            try eventually("it is said") { !worker.events("dead-letters.expired").isEmpty }
            let left = try scene.deadLetters.take(1)
            #expect(left.map(\.body) == [Array(#"{"conversation_id":"new"}"#.utf8)])
            #expect(try rows(scene, "conversation_id = 'old' AND settled_how = 'purged'") == 1)
            #expect(try rows(scene, "id = 'x'") == 0)
        }

        // MARK: The journal

        /// Fault: the rows wait for a database that hangs, and the dead letters wait with them.
        @Test func aDatabaseThatHangsHoldsUpNoDeadLetterAndGetsItsRowsLater() throws {
            let scene = try Scene()
            let proxy = try Proxy(to: Servers.workersDatabasePort())
            let worker = try scene.startWorker(through: proxy)
            try worker.waitUntilConsuming()
            proxy.stall([.toServer, .toClient])
            try scene.publish((0..<20).map { Array("bad \($0)".utf8) })
            try eventually("all are dead") { try scene.deadLetters.ready() == 20 }
            #expect(try rows(scene) == 0)
            proxy.endFaults()
            proxy.dropAll()
            try eventually("all have rows", within: .seconds(60)) { try rows(scene) == 20 }
            #expect(try scene.deadLetters.ready() == 20)
            withExtendedLifetime(worker) {}
        }

        /// Fault: 3,000 bad bodies make 3,000 lines, and an operator finds nothing else.
        @Test func aFloodOfBadBodiesIsAFewLinesAndAllRows() throws {
            let scene = try Scene()
            try scene.publish((0..<1000).map { Array("bad \($0)".utf8) })
            let worker = try scene.startWorker()
            try eventually("all are dead", within: .seconds(60)) {
                try scene.deadLetters.ready() == 1000
            }
            #expect(try scene.sql("SELECT 1 FROM amity_dead_letters").count == 1000)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            let lines = worker.events("message.dead-lettered").count
            let sums = worker.events("log.summed")
            #expect((10...400).contains(lines))
            #expect(lines + sums.reduce(0) { $0 + ($1["more"] as? Int ?? 0) } == 1000)
            #expect(sums.allSatisfy { $0["code"] as? String == "INVALID_MESSAGE" })
        }
    }
}
