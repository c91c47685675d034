import Foundation
import Glibc
import Messaging
import TestSupport
import Testing

extension Integration {
    struct Soaking {
        /// Three workers, a producer that never rests, a message that kills, and every fault there
        /// is, in random order, for as long as it is told: a minute here, longer by
        /// `deploy/dev/soak`.
        @Test(.timeLimit(.minutes(60)))
        func whateverHappensNothingIsLostAndNothingCountsTwice() throws {
            let environment = ProcessInfo.processInfo.environment
            let seed = environment["AMITY_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...9999)
            let minutes = environment["AMITY_SOAK_MINUTES"].flatMap { Double($0) } ?? 1
            print("soak: AMITY_SEED=\(seed), \(minutes) minutes")
            let soak = try Soak(seed: seed)
            let end = ContinuousClock.now + .seconds(60 * minutes)
            var happened = 0
            // Whole decks: each fault happens as often as any other.
            do {
                repeat {
                    for fault in SoakFault.allCases.shuffled(using: &soak.random) {
                        try soak.supervise()
                        print("soak: \(fault)")
                        try fault.happen(to: soak)
                        happened += 1
                    }
                } while ContinuousClock.now < end
                try soak.finish()
            } catch {
                soak.showLogs()
                throw error
            }
            print("soak: \(happened) faults, \(soak.summary), seed \(seed)")
        }
    }
}

/// The stage, and what must hold in the end.
final class Soak {
    static let heartbeatSeconds = 1
    private static let killer = "c100"
    /// Whose conversations may need several attempts.
    static let refusedUser = "user-3"

    let scene: Scene
    let brokerLink: Proxy
    let databaseLink: Proxy
    /// Of the workers, in files that they read for each connection and session.
    let passwords: RotatingPasswords
    var random: SeededGenerator
    private(set) var workers: [RunningWorker] = []
    private let producer: Producer
    private var deaths = 0
    /// What dead workers have logged, in numbers.
    private var past: [String: Int] = [:]
    private(set) var summary = ""

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        scene = try Scene(settings: [
            "HEARTBEAT_SECONDS": "\(Self.heartbeatSeconds)", "SWEEP_AFTER_SECONDS": "10",
            "TASK_TIMEOUT_SECONDS": "10", "STALL_TIMEOUT_SECONDS": "2", "PREFETCH_COUNT": "64",
            "MESSAGE_CONCURRENCY_PER_WORKER": "4", "LOG_LEVEL": "info",
            "AMITY_KILLER": Self.killer, "MAX_ATTEMPTS": "100",
        ])
        try scene.sql(
            """
            INSERT INTO agenda_agent_prompting
                (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
            SELECT 'talk', 'agent', '', level, 'TALK'
            FROM unnest(ARRAY['PHASE1_STRANGER', 'PHASE2_ACQUAINTANCE', 'PHASE3_FRIEND']) AS level
            """
        )
        brokerLink = try Proxy(to: try Servers.port("RABBITMQ_URL"))
        databaseLink = try Proxy(to: try Servers.workersDatabasePort())
        passwords = try RotatingPasswords(.parts, for: scene, password: "soak")
        producer = Producer(for: scene, seed: seed)
        workers = try (0..<3).map(start)
    }

    /// The first reaches both servers through links that the test can break; the last settles
    /// conversations one by one.
    private func start(_ number: Int) throws -> RunningWorker {
        var settings = try passwords.settings(
            ports: number > 0 ? nil : (brokerLink.port, databaseLink.port)
        )
        if number == 2 { settings["BATCH_MAX"] = "1" }
        return try scene.startWorker(settings)
    }

    /// Starts those again that have died, as a supervisor would.
    func supervise() throws {
        for index in workers.indices where !workers[index].isRunning {
            deaths += 1
            for event in Self.noticed {
                past[event, default: 0] += workers[index].events(event).count
            }
            workers[index] = try start(index)
        }
    }

    func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    /// An outage that goes on with the same cause is not logged again.
    func waitForTheEndOfOutages() throws {
        try eventually("the database is back for all") {
            workers.allSatisfy {
                let changes = $0.events(["database.unavailable", "database.available"])
                return changes.last?["event"] as? String != "database.unavailable"
            }
        }
    }

    /// A worker that is at work.
    func consumer() throws -> RunningWorker {
        let index = pick(workers.count)
        try eventually("a worker consumes") {
            !workers[index].events("consumer.started").isEmpty
        }
        return workers[index]
    }

    /// Lets a fault last for a while.
    func wait() {
        Thread.sleep(forTimeInterval: Double.random(in: 0.1...2, using: &random))
    }

    private static let noticed = [
        "consumer.connection-lost", "database.unavailable", "publisher.message-not-taken",
        "message.retry-scheduled",
    ]
    /// Bad bodies besides the producer's.
    private var bad: Set<[UInt8]> = []

    /// Of which only the last message stays: the one before it moves on to the workers' queue.
    private var waitingRoom: TestQueue {
        TestQueue(name: "\(scene.name)-later", endpoint: scene.settings.endpoint)
    }

    /// Puts a bad message aside, until another one pushes it into the workers' queue.
    func putAside(bytes: Int) throws {
        try waitingRoom.declare([
            ("x-max-length", .integer(1)),
            ("x-dead-letter-exchange", .string("")),
            ("x-dead-letter-routing-key", .string(scene.name)),
        ])
        let body =
            Array("bad \(bad.count) ".utf8)
            + [UInt8](repeating: UInt8(ascii: "x"), count: bytes)
        bad.insert(body)
        try waitingRoom.put(body)
    }

    /// How often workers have logged one of the events that prove a fault, the dead ones included.
    private func count(_ event: String) -> Int {
        workers.map { $0.events(event).count }.reduce(past[event, default: 0], +)
    }

    /// Proves that a worker notices what `fault` does. It may happen while all of them are dead,
    /// and is then repeated.
    func proving(_ event: String, _ fault: () throws -> Void) throws {
        let before = count(event)
        var patience = ContinuousClock.now
        try eventually("a worker logs \(event)") {
            if ContinuousClock.now >= patience {
                try fault()
                patience = .now + .seconds(10)
            }
            return count(event) > before
        }
    }

    func eventually(_ what: Comment, _ condition: () throws -> Bool) throws {
        try IntegrationTests.eventually(what, within: .seconds(40)) {
            try supervise()
            return try condition()
        }
    }

    /// Prints the end of each worker's log, for the analysis of a failed run.
    func showLogs() {
        for (number, worker) in workers.enumerated() {
            print("soak: worker \(number)", worker.isRunning ? "runs" : "is dead")
            let lines = worker.log.split(separator: "\n")
            print(
                lines.filter { !$0.contains("INVALID_MESSAGE") }.suffix(25).joined(separator: "\n")
            )
        }
    }

    /// The faults are over: everything must come to rest, and add up.
    func finish() throws {
        let produced = producer.stop()
        let known = produced.conversations
        try IntegrationTests.eventually("all is quiet", within: .seconds(120)) {
            try supervise()
            return try scene.count("status = 'PROCESSED'") == known - 1
                && scene.count("error_code = 'WORKER_CRASHED' AND status = 'FAILED'") == 1
                && scene.isQuiet()
        }
        for worker in workers { worker.signal(SIGTERM) }
        for worker in workers { #expect(try worker.waitForExit() == 0) }
        let isFirst = "(attempt_count = 1 OR user_id = '\(Self.refusedUser)')"
        #expect(try scene.count("status = 'PROCESSED' AND \(isFirst)") == known - 1)
        let wrong = try scene.sql(
            """
            SELECT count(*) FROM friendship_status FULL JOIN (
                SELECT user_id, sum(friendship_score_change) AS change FROM conversation_events
                WHERE status = 'PROCESSED' GROUP BY user_id) AS events USING (user_id)
            WHERE friendship_score IS DISTINCT FROM change
            """
        )
        #expect(wrong.integer(0, 0) == 0, "users whose score is not the sum of its conversations")
        let wrongTopics = try scene.sql(
            """
            SELECT count(*) FROM (
                SELECT user_id, topic_metrics -> 'talk' AS topic FROM friendship_status
                WHERE topic_metrics ? 'talk') AS moved
            FULL JOIN (
                SELECT user_id, sum(friendship_score_change) AS change FROM conversation_events
                WHERE status = 'PROCESSED' AND agent_tag = 'agent' GROUP BY user_id) AS events
            USING (user_id)
            WHERE (topic ->> 'score')::float8 IS DISTINCT FROM change
                OR (topic ->> 'turns')::float8 IS DISTINCT FROM change
            """
        )
        #expect(wrongTopics.integer(0, 0) == 0, "topics that are not the sum of conversations")
        let sum = try scene.sql("SELECT sum(friendship_score)::bigint FROM friendship_status")
        #expect(sum.integer(0, 0) == known - 1)
        try checkDeadLetters(produced)
        summary = "\(known) conversations, \(deaths) dead workers"
    }

    /// Only what deserves it is dead. A dead letter may be doubled by a crash; one may be lost only
    /// with a queue that was deleted, for it stands in no table.
    private func checkDeadLetters(_ produced: Producer.Tally) throws {
        let deadLetters = try scene.deadLetters.take(try scene.deadLetters.ready())
        let killer = Array(#"{"conversation_id":"\#(Self.killer)"}"#.utf8)
        #expect(!deadLetters.isEmpty)
        for deadLetter in deadLetters {
            let code = deadLetter.header(HeaderName.code)
            switch code {
            case "INVALID_MESSAGE":
                #expect(produced.bad.contains(deadLetter.body) || bad.contains(deadLetter.body))
            case "WORKER_CRASHED": #expect(deadLetter.body == killer || isSwept(deadLetter.body))
            default: Issue.record("a dead letter with \(code)")
            }
        }
    }

    /// The sweeper's own message about the killer.
    private func isSwept(_ body: [UInt8]) -> Bool {
        String(decoding: body, as: UTF8.self).contains(#""conversation_id":"\#(Self.killer)""#)
    }
}
