import Foundation
import Testing

extension Integration {
    struct Endurance {
        /// Fault: workers die at any point, between a commit and its ack, with batches in hand, while
        /// every message is in the queue twice. Whatever is lost or counted twice shows in a sum.
        @Test(.timeLimit(.minutes(10)))
        func twentyThousandConversationsSurviveAKillEverySecond() throws {
            let conversations = 20_000
            let scene = try Scene()
            let url = try #require(Servers.environment["DATABASE_URL"])
            let published = try Command.run(
                Command.amity,
                [
                    "publish", "--generate", "\(conversations)", "--users", "300", "--seed", "11",
                    "--copies", "2", "--timeout", "300",
                ],
                environment: [
                    "RABBITMQ_URL": Servers.environment["RABBITMQ_URL"] ?? "",
                    "RABBITMQ_QUEUE_NAME": scene.name,
                    "RABBITMQ_EXCHANGE_NAME": "\(scene.name)_exchange",
                    "DATABASE_URL": "\(url)?options=-csearch_path%3D\(scene.name)",
                ]
            )
            #expect(published.output == "published 40000, confirmed by the broker\n")

            var workers = try (0..<3).map { _ in try start(in: scene) }
            var kills = 0
            var nextKill = ContinuousClock.now + .seconds(1)
            try eventually("every conversation is processed", within: .seconds(400)) {
                if ContinuousClock.now >= nextKill {
                    let victim = workers[kills % 3]
                    victim.signal(SIGKILL)
                    #expect(try victim.waitForExit() == SIGKILL)
                    workers[kills % 3] = try start(in: scene)
                    kills += 1
                    nextKill = .now + .seconds(1)
                }
                return try scene.count("status = 'PROCESSED'") == conversations
                    && scene.queue.isDrained()
            }
            #expect(kills >= 3, "the fault did not happen")
            for worker in workers { worker.signal(SIGTERM) }
            for worker in workers { #expect(try worker.waitForExit() == 0) }
            #expect(try scene.deadLetters.ready() == 0)
            try checkEveryRow(in: scene, conversations)
        }

        private func start(in scene: Scene) throws -> RunningWorker {
            try scene.startWorker(["LOG_LEVEL": "info", "MESSAGE_CONCURRENCY_PER_WORKER": "4"])
        }

        private func checkEveryRow(in scene: Scene, _ conversations: Int) throws {
            #expect(try scene.count("attempt_count = 1 AND status = 'PROCESSED'") == conversations)
            let wrong = try scene.sql(
                """
                SELECT count(*) FROM friendship_status FULL JOIN (
                    SELECT user_id, sum(friendship_score_change) AS total
                    FROM conversation_events GROUP BY user_id) AS expected USING (user_id)
                WHERE friendship_score IS DISTINCT FROM total
                """
            )
            #expect(wrong.integer(0, 0) == 0, "a user's score is not the sum of their changes")
            let topics = try scene.sql(
                """
                SELECT (SELECT sum((topic.value ->> 'turns')::int)
                        FROM friendship_status, jsonb_each(topic_metrics) AS topic)
                    = (SELECT sum((score_calculation_details ->> 'total_turns')::int)
                       FROM conversation_events)
                """
            )
            #expect(topics.string(0, 0) == "t", "a topic lost or doubled turns")
        }
    }
}
