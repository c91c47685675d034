import Failpoints
import Foundation
import TestSupport
import Testing

extension Integration {
    struct Failpoints {
        private static let lives = 20
        private static let perLife = 20

        /// Fault: a worker is gone at one exact step, twenty times in a row, each time after some
        /// other number of passes; what one life leaves behind is where the next one begins. A
        /// failure is replayed with the seed it prints: `AMITY_SEED=n`.
        @Test(.timeLimit(.minutes(5)), arguments: Failpoint.ofWorkers)
        func aKillAtEachStepLosesAndDoublesNothing(place: Failpoint) throws {
            let seed =
                ProcessInfo.processInfo.environment["AMITY_SEED"].flatMap { UInt64($0) }
                ?? .random(in: 0...9999)
            try run(place, SeededGenerator(seed: seed), "AMITY_SEED=\(seed)")
        }

        private func run(_ place: Failpoint, _ seeded: SeededGenerator, _ seed: Comment) throws {
            var random = seeded
            let scene = try Scene(settings: [
                "MAX_ATTEMPTS": "2", "MESSAGE_CONCURRENCY_PER_WORKER": "3", "LOG_LEVEL": "info",
                // Here a message may well die alone again and again, and be innocent.
                "QUARANTINE_AFTER_CRASHES": "100",
            ])
            var unknown: Set<String> = []
            if place == .attemptRecorded { try leaveSomethingInHand(scene) }
            for life in 0..<Self.lives {
                unknown.formUnion(try addWork(to: scene, life))
                let isSingle = Bool.random(using: &random)
                let times = passes(place, inLife: life, isSingle)
                let worker = try scene.startWorker([
                    "AMITY_FAILPOINT": "\(place.rawValue):\(Int.random(in: times, using: &random))",
                    "BATCH_MAX": isSingle ? "1" : "8",
                ])
                try #require(try worker.waitForExit() == SIGKILL, seed)
            }
            let worker = try scene.startWorker()
            let expected = Self.lives * Self.perLife + (place == .attemptRecorded ? 1 : 0)
            try eventually("everything is processed", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED'") == expected && scene.isQuiet()
            }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0, seed)
            #expect(try scene.count("attempt_count = 1") == expected, seed)
            for user in 0..<3 {
                let events = try scene.count("user_id = 'user-\(user)'")
                #expect(try scene.score(of: "user-\(user)") == Double(events), seed)
            }
            // Publishing before acking may double a dead letter and never loses one.
            let deadLetters = try scene.deadLetters.take(try scene.deadLetters.ready())
            #expect(
                Set(deadLetters.map { String(decoding: $0.body, as: UTF8.self) }) == unknown,
                seed
            )
        }

        /// Every life passes each place at least as often as the upper bound: twenty new
        /// conversations make three batches of eight.
        private func passes(
            _ place: Failpoint,
            inLife life: Int,
            _ isSingle: Bool
        ) -> ClosedRange<Int> {
            // What the life before left is taken once, and is a suspect if that was recorded.
            if place == .attemptRecorded { return 1...(life == 0 ? 1 : 2) }
            // The broker may confirm all of a life's retries with one frame, and all of its
            // dead letters with another.
            return 1...(isSingle && place != .retryConfirmed ? 4 : 2)
        }

        /// Twenty conversations, each published twice, and four that are not there.
        private func addWork(to scene: Scene, _ life: Int) throws -> Set<String> {
            let ids = (0..<Self.perLife).map { "c-\(life)-\($0)" }
            for (number, id) in ids.enumerated() {
                try scene.addConversation(id, user: "user-\(number % 3)")
            }
            let unknown = (0..<4).map { #"{"conversation_id":"unknown-\#(life)-\#($0)"}"# }
            let bodies = (ids + ids.shuffled()).map { #"{"conversation_id":"\#($0)"}"# }
            try scene.publish((unknown + bodies).map { Array($0.utf8) })
            return Set(unknown)
        }

        /// So that the first life, too, has something delivered to it again.
        private func leaveSomethingInHand(_ scene: Scene) throws {
            try scene.addConversation("first", user: "user-0")
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user-0')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try scene.publish(ids: "first")
            let worker = try scene.startWorker()
            try eventually("it is in hand") { try scene.isWorkerWaiting() }
            worker.signal(SIGKILL)
            #expect(try worker.waitForExit() == SIGKILL)
            try scene.sql("COMMIT")
        }
    }
}
