import Foundation
import Messaging
import Testing

extension Integration {
    struct DeadLetterCommands {
        /// Three dead letters: an unknown conversation, a bad log of `user-b`, and a body that is
        /// no JSON.
        private func sceneWithDeadLetters() throws -> Scene {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            try scene.addConversation("bad-log", user: "user-b", log: "{}")
            let worker = try scene.startWorker()
            try scene.publish([Array(#"{"conversation_id":"unknown","user_id":"user-a"}"#.utf8)])
            try eventually("the first dead letter") { try scene.deadLetters.ready() == 1 }
            try scene.publish(ids: "bad-log")
            try eventually("the second dead letter") { try scene.deadLetters.ready() == 2 }
            try scene.publish([Array("canary-body".utf8)])
            try eventually("the third dead letter") { try scene.deadLetters.ready() == 3 }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            return scene
        }

        private func codes(_ scene: Scene, _ filter: String...) throws -> [String] {
            let arguments = ["dead-letters", "list", "--json"] + filter
            let result = try scene.amity(arguments)
            #expect(result.status == 0, "\(result.error)")
            return try result.output.split(separator: "\n").map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
                return try #require((object as? [String: Any])?["code"] as? String)
            }
        }

        @Test func listsWhatTheFilterAsksForAndTakesNothing() throws {
            let scene = try sceneWithDeadLetters()
            let all = ["CONVERSATION_NOT_FOUND", "INVALID_LOG", "INVALID_MESSAGE"]
            #expect(try codes(scene) == all)
            #expect(try codes(scene, "--code", "INVALID_LOG") == ["INVALID_LOG"])
            #expect(try codes(scene, "--conversation", "unknown") == ["CONVERSATION_NOT_FOUND"])
            // One user is named by the message, the other only by the database.
            #expect(try codes(scene, "--user", "user-a") == ["CONVERSATION_NOT_FOUND"])
            #expect(try codes(scene, "--user", "user-b") == ["INVALID_LOG"])
            #expect(try codes(scene, "--older-than", "1h") == [])
            #expect(try codes(scene, "--newer-than", "1h") == all)
            #expect(try codes(scene, "--limit", "1") == ["CONVERSATION_NOT_FOUND"])
            let table = try scene.amity(["dead-letters", "list"]).output
            #expect(table.contains("INVALID_LOG") && table.hasSuffix("3 dead letters\n"))
            #expect(!table.contains("canary-body"))
            #expect(try scene.deadLetters.ready() == 3)
        }

        @Test func showsABodyOnlyToWhoSaysWhy() throws {
            let scene = try sceneWithDeadLetters()
            let headers = try scene.amity(["dead-letters", "show", "unknown"])
            #expect(headers.output.contains("amity-error-code: CONVERSATION_NOT_FOUND"))
            #expect(headers.output.contains("\"body_bytes\":"))
            #expect(!headers.output.contains("{\"conversation_id\":\"unknown\""))
            let body = try scene.amity([
                "dead-letters", "show", "unknown", "--body-because", "ticket 7",
            ])
            #expect(body.output.contains("{\"conversation_id\":\"unknown\""))
            #expect(body.error.contains("dead-letter.body-shown"))
            #expect(body.error.contains("ticket 7"))
            #expect(try scene.amity(["dead-letters", "show", "absent"]).status == 1)
        }

        @Test func aRetriedDeadLetterHasAFreshBudgetAndCountsItsReplays() throws {
            let scene = try sceneWithDeadLetters()
            let arguments = ["dead-letters", "retry", "--conversation", "unknown"]
            #expect(try scene.amity(arguments + ["--dry-run"]).output == "would retry 1\n")
            #expect(try scene.deadLetters.ready() == 3)
            #expect(try scene.amity(arguments).output == "retried 1\n")
            #expect(try scene.deadLetters.ready() == 2)
            let message = try #require(try scene.queue.take(1).first)
            #expect(message.properties.headers == [HeaderName.replays: .integer(1)])
            #expect(
                message.body == Array(#"{"conversation_id":"unknown","user_id":"user-a"}"#.utf8)
            )
        }

        /// The whole way round: died, mended, retried, scored.
        @Test func aMendedConversationIsScoredAfterItsRetry() throws {
            let scene = try sceneWithDeadLetters()
            try scene.sql(
                "UPDATE conversation_events SET conversation_log = $1::jsonb",
                .text(Scene.oneTurn)
            )
            let retried = try scene.amity(["dead-letters", "retry", "--all", "--rate", "100"])
            #expect(retried.output == "retried 3\n")
            let worker = try scene.startWorker()
            try eventually("it is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("the others are dead again") { try scene.deadLetters.ready() == 2 }
            #expect(try scene.score(of: "user-b") == 1)
            let replays = try scene.deadLetters.take(2).map {
                $0.properties.headers[HeaderName.replays]
            }
            #expect(replays == [.integer(1), .integer(1)])
            withExtendedLifetime(worker) {}
        }

        @Test func purgeAsksAndRemovesOnlyWhatWasChosen() throws {
            let scene = try sceneWithDeadLetters()
            let purge = ["dead-letters", "purge"]
            #expect(try scene.amity(purge).status == 64)
            #expect(try scene.amity(purge + ["--all"], input: "no\n").status == 1)
            #expect(try scene.deadLetters.ready() == 3)
            let user = try scene.amity(purge + ["--user", "user-b"], input: "yes\n")
            #expect(user.output.hasSuffix("purged 1\n"))
            #expect(try codes(scene) == ["CONVERSATION_NOT_FOUND", "INVALID_MESSAGE"])
            #expect(try scene.amity(purge + ["--all", "--yes"]).output == "purged 2\n")
            #expect(try scene.deadLetters.ready() == 0)
        }
    }
}
