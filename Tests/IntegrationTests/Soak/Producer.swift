import AMQP
import Concurrency
import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

/// Adds conversations and publishes them without end, some twice. It goes on whatever happens to
/// the servers, as a patient producer would. Some of its bodies no worker can read.
final class Producer: Sendable {
    struct Tally: Sendable {
        var conversations = 0
        var bad: Set<[UInt8]> = []
    }

    private static let batch = 25
    private let tallied = Locked(Tally())
    private let stopping = DrainSignal()
    private let ended = DispatchSemaphore(value: 0)
    private let publisher: Publisher
    private let queue: String
    private let database: ConnectionTarget

    init(for scene: Scene, seed: UInt64) {
        queue = scene.name
        database = scene.owner
        publisher = Publisher(
            endpoint: scene.settings.endpoint,
            topology: scene.settings.topology,
            insists: true,
            logger: quiet
        )
        publisher.start()
        startThread(name: "producer", stackBytes: 1 << 20) {
            var random = SeededGenerator(seed: seed)
            while !self.stopping.wait(for: .milliseconds(100)) { self.produce(&random) }
            self.publisher.stop()
            self.ended.signal()
        }
    }

    /// - Returns: what it has produced in all: everything in it is in the database, or in the
    ///   queue.
    func stop() -> Tally {
        stopping.raise()
        ended.wait()
        return tallied.withLock { $0 }
    }

    private func produce(_ random: inout SeededGenerator) {
        let first = tallied.withLock(\.conversations)
        let ids = (first..<first + Self.batch).map { "c\($0)" }
        guard insert(ids) else { return }
        tallied.withLock { $0.conversations += Self.batch }
        var bodies = ids.map { Array(#"{"conversation_id":"\#($0)"}"#.utf8) }
        bodies += bodies.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
        if Int.random(in: 0..<10, using: &random) == 0 {
            let bad = Array("bad \(first)".utf8)
            bodies.append(bad)
            tallied.withLock { _ = $0.bad.insert(bad) }
        }
        let confirmed = DispatchSemaphore(value: 0)
        for body in bodies.shuffled(using: &random) {
            publisher.publish(Message(body: body), routingKey: queue) { _ in confirmed.signal() }
        }
        // A publisher that insists confirms everything sooner or later.
        for _ in bodies { while confirmed.wait(timeout: .now() + 1) == .timedOut {} }
    }

    /// Tries until the rows are there, however unsure the outcome of each try. Some are of users
    /// that are new, and half have an agent, and so move a topic.
    ///
    /// - Returns: false when it was stopped first, and none of them may be.
    private func insert(_ ids: [String]) -> Bool {
        let statement = Statement(
            "insert",
            """
            INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
                agent_tag, start_time, end_time, conversation_log)
            SELECT id, CASE WHEN abs(hashtext(id)) % 5 = 0 THEN 'new-' || abs(hashtext(id)) % 2000
                    ELSE 'user-' || (row_number() OVER ()) % 7 END,
                'TALK', 'bot-' || abs(hashtext(id)) % 3, 'Pika',
                CASE WHEN abs(hashtext(id)) % 2 = 0 THEN 'agent' END, now(), now(), $2::jsonb
            FROM unnest($1::text[]) AS id ON CONFLICT DO NOTHING
            """
        )
        repeat {
            do throws(PostgresError) {
                var session = try Session(
                    to: database,
                    applicationName: "producer",
                    statementTimeout: .seconds(2)
                )
                _ = try session.flight([(statement, [.textArray(ids), .text(Scene.oneTurn)])])
                return true
            } catch {
                // Its database is what the faults are about.
            }
        } while !stopping.wait(for: .milliseconds(200))
        return false
    }
}
