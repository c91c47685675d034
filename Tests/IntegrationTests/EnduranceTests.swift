import Foundation
import Testing

extension Integration {
    struct Endurance {
        /// Fault: workers die at any point, between a commit and its ack, with batches in hand,
        /// while every message is in the queue twice. Whatever is lost or counted twice shows in a
        /// sum.
        @Test(.timeLimit(.minutes(10)))
        func twentyThousandConversationsSurviveAKillEverySecond() throws {
            let conversations = 20_000
            let scene = try Scene()
            try publish(conversations, copies: 2, to: scene)
            var workers = try (0..<3).map { _ in try start(in: scene) }
            var kills = 0
            var nextKill = ContinuousClock.now + .seconds(1)
            var done = 0
            try eventually("every conversation is processed", within: .seconds(400)) {
                done = try scene.count("status = 'PROCESSED'")
                // Every second, and on a fast machine at least at every twentieth of the work.
                if ContinuousClock.now >= nextKill || done * 20 / conversations > kills {
                    let victim = workers[kills % 3]
                    victim.signal(SIGKILL)
                    #expect(try victim.waitForExit() == SIGKILL)
                    workers[kills % 3] = try start(in: scene)
                    kills += 1
                    nextKill = .now + .seconds(1)
                }
                return try done == conversations && scene.queue.isDrained()
            }
            #expect(kills >= 10, "the fault did not happen often enough")
            for worker in workers { worker.signal(SIGTERM) }
            for worker in workers { #expect(try worker.waitForExit() == 0) }
            #expect(try scene.deadLetters.ready() == 0)
            try checkEveryRow(in: scene, conversations)
        }

        /// Whether the tests below take their full time: `deploy/dev/endurance`.
        private static let isFull = ProcessInfo.processInfo.environment["AMITY_ENDURANCE"] == "full"

        /// Fault: the database is away for long, in the middle of work. Messages spend their
        /// attempts on the outage, or become dead letters.
        @Test(.timeLimit(.minutes(15)))
        func aLongOutageOfTheDatabaseCostsNoAttemptAndMakesNoDeadLetter() throws {
            let conversations = 5000
            let outage: Duration = Self.isFull ? .seconds(120) : .seconds(15)
            let scene = try Scene()
            try publish(conversations, copies: 1, to: scene)
            let workers = try (0..<2).map { _ in try start(in: scene) }
            try eventually("they are in the middle of it") {
                try scene.count("status = 'PROCESSED'") > 200
            }
            let end = ContinuousClock.now + outage
            try Servers.without(.postgres, .kill) {
                try eventually("it is over", within: outage * 2) { ContinuousClock.now >= end }
            }
            try scene.reconnect()
            let before = try scene.count("status = 'PROCESSED'")
            #expect(before < conversations, "nothing was left to do")
            // Promised are 5 seconds; the rest is for a slow machine.
            try eventually("they go on", within: .seconds(10)) {
                try scene.count("status = 'PROCESSED'") > before
            }
            try eventually("all are processed", within: .seconds(120)) {
                try scene.count("status = 'PROCESSED'") == conversations && scene.queue.isDrained()
            }
            #expect(try scene.count("attempt_count = 1") == conversations)
            #expect(try scene.deadLetters.ready() == 0)
            for worker in workers {
                let outages = worker.events("database.unavailable")
                // Sessions end one after the other: one may answer in between.
                #expect((1...2).contains(outages.count), "\(outages)")
            }
        }

        /// Fault: something is kept for each message, or for each connection, and the worker grows
        /// for as long as it lives.
        @Test(.timeLimit(.minutes(30)))
        func memoryDescriptorsAndSessionsStayAsTheyAre() throws {
            let conversations = Self.isFull ? 200_000 : 20_000
            let reconnects = Self.isFull ? 200 : 20
            let scene = try Scene()
            try publish(conversations, copies: 1, to: scene)
            let worker = try start(in: scene)
            var samples: [Footprint] = []
            for number in 1...reconnects {
                try worker.resumes(session: number)
                // So that there is work between any two.
                let goal = conversations * number / (reconnects + 1)
                try eventually("it works", within: .seconds(60)) {
                    try scene.count("status = 'PROCESSED'") >= goal
                }
                samples.append(try Footprint(of: worker, in: scene))
                // One that is lost sooner than this is not hurried after.
                let lived = ContinuousClock.now + .seconds(1)
                try eventually("the session has lived") { ContinuousClock.now > lived }
                try Servers.rabbitmqctl("close_all_connections", "endurance")
                if number % 10 == 0 { _ = try scene.killSessions() }
            }
            try eventually("all are processed", within: .seconds(120)) {
                try scene.count("status = 'PROCESSED'") == conversations && scene.queue.isDrained()
            }
            samples.append(try Footprint(of: worker, in: scene))
            let settled = samples[reconnects / 4]
            let (first, last) = (samples[0], samples[reconnects])
            print(
                "endurance: \(conversations) conversations, \(reconnects) reconnects:",
                first,
                settled,
                last
            )
            for sample in samples[(reconnects / 4)...] {
                #expect(sample.sessions <= 4)
                #expect(sample.descriptors <= settled.descriptors + 4)
                // What the allocator keeps varies; what grows with work would be more than this.
                #expect(sample.kilobytes < settled.kilobytes * 5 / 4)
            }
            #expect(try scene.count("attempt_count = 1") == conversations)
        }

        private struct Footprint: CustomStringConvertible {
            let kilobytes: Int
            let descriptors: Int
            let sessions: Int

            init(of worker: RunningWorker, in scene: Scene) throws {
                let process = "/proc/\(worker.processID)"
                let pages = try String(contentsOfFile: "\(process)/statm", encoding: .utf8)
                    .split(separator: " ")
                kilobytes = try #require(Int(pages[1])) * 4
                descriptors = try FileManager.default.contentsOfDirectory(atPath: "\(process)/fd")
                    .count
                sessions = try scene.sql(
                    "SELECT 1 FROM pg_stat_activity WHERE usename = $1",
                    .text(scene.name)
                ).count
            }

            var description: String {
                "\(kilobytes) KB, \(descriptors) descriptors, \(sessions) sessions;"
            }
        }

        /// Puts generated conversations into the database and on the queue.
        private func publish(_ conversations: Int, copies: Int, to scene: Scene) throws {
            let url = try #require(Servers.environment["DATABASE_URL"])
            let published = try Command.run(
                Command.amity,
                [
                    "publish", "--generate", "\(conversations)", "--users", "300", "--seed", "11",
                    "--copies", "\(copies)", "--timeout", "300",
                ],
                environment: [
                    "RABBITMQ_URL": Servers.environment["RABBITMQ_URL"] ?? "",
                    "RABBITMQ_QUEUE_NAME": scene.name,
                    "RABBITMQ_EXCHANGE_NAME": "\(scene.name)_exchange",
                    "DATABASE_URL": "\(url)?options=-csearch_path%3D\(scene.name)",
                ]
            )
            #expect(
                published.output == "published \(conversations * copies), confirmed by the broker\n"
            )
        }

        private func start(in scene: Scene) throws -> RunningWorker {
            try scene.startWorker(["LOG_LEVEL": "info", "MESSAGE_CONCURRENCY_PER_WORKER": "4"])
        }

        /// Holds every row against a score computed here, from the logs alone.
        private func checkEveryRow(in scene: Scene, _ conversations: Int) throws {
            #expect(try scene.count("attempt_count = 1 AND status = 'PROCESSED'") == conversations)
            let rows = try scene.sql(
                """
                SELECT user_id, conversation_log, friendship_score_change, new_friendship_level,
                    score_calculation_details ->> 'total_turns', 'topic-' || substr(agent_tag, 7)
                FROM conversation_events
                """
            )
            var scores: [String: Double] = [:]
            var topics: [String: Int] = [:]
            var levels: [String: Set<String>] = [:]
            for row in 0..<rows.count {
                let user = rows.string(row, 0) ?? ""
                let turns = try Self.turns(try #require(rows.data(row, 1)))
                try #require(rows.double(row, 2) == Double(turns))
                try #require(rows.integer(row, 4) == turns)
                scores[user, default: 0] += Double(turns)
                topics["\(user) \(rows.string(row, 5) ?? "")", default: 0] += turns
                levels[user, default: []].insert(rows.string(row, 3) ?? "")
            }
            let users = try scene.sql(
                "SELECT user_id, friendship_score, friendship_level FROM friendship_status"
            )
            #expect(users.count == scores.count)
            for row in 0..<users.count {
                let user = users.string(row, 0) ?? ""
                let score = try #require(scores[user])
                #expect(users.double(row, 1) == score)
                let reached = ["PHASE1_STRANGER"] + (score >= 500 ? ["PHASE2_ACQUAINTANCE"] : [])
                #expect(users.string(row, 2) == reached.last)
                // Scores only grow, so each level on the way was recorded by some event.
                #expect(levels[user] == Set(reached))
            }
            let moved = try scene.sql(
                """
                SELECT user_id || ' ' || key, value ->> 'turns', value ->> 'score'
                FROM friendship_status, jsonb_each(topic_metrics)
                """
            )
            #expect(moved.count == topics.count)
            for row in 0..<moved.count {
                #expect(moved.integer(row, 1) == topics[moved.string(row, 0) ?? ""])
                #expect(moved.integer(row, 2) == moved.integer(row, 1))
            }
        }

        /// The rule of the turns once more, written from its text and not from our code.
        private static func turns(_ json: Data) throws -> Int {
            let log = try #require(JSONSerialization.jsonObject(with: json) as? [[String: Any]])
            var sides = log.map { item in
                let name = (item["speaker"] ?? item["character"]) as? String ?? ""
                return name.uppercased().contains("USER") ? "user" : "pika"
            }
            var turns = 0
            while sides.count >= 2 {
                let isTurn = sides[0] != sides[1]
                turns += isTurn ? 1 : 0
                sides.removeFirst(isTurn ? 2 : 1)
            }
            return turns
        }
    }
}
