import Failpoints
import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

@testable import AMQP
@testable import Events
@testable import Settings
@testable import TaskScheduling
@testable import Tasks

extension Integration {
    /// Events on their way from the outbox to other programs.
    struct EventRelayTests {
        /// A scene whose events have keys that no other test's have.
        private final class Events {
            let scene: SchedulingScene
            let type = "t\(UInt32.random(in: 0 ... .max))"

            init() throws { scene = try SchedulingScene(settings: EventTests.on) }

            var endpoint: Endpoint { scene.tasks.scene.settings.endpoint }

            func tail() throws -> ExchangeTail {
                try ExchangeTail(
                    of: EventTopics.exchange,
                    matching: ["task.*.\(type)"],
                    at: endpoint,
                    logger: quiet
                )
            }

            /// Writes the three events of a task that runs at once.
            func complete() throws {
                let id = try scene.tasks.begin(type)
                _ = try scene.store.finish(id, run: 1, as: .succeeded(result: nil))
            }

            /// One that ends with the broker's patience, for subscribers that come and go.
            func boundQueue(_ arguments: [(String, HeaderValue)] = []) throws -> TestQueue {
                let queue = TestQueue(name: "\(type).bound", endpoint: endpoint)
                try queue.declare(arguments + [("x-expires", .integer(60_000))])
                let connection = try Connection(to: endpoint, timeout: .seconds(10))
                try connection.openChannel()
                try connection.ensureExchange(
                    EventTopics.exchange,
                    type: "topic",
                    logger: quiet
                )
                try connection.bind(
                    queue: queue.name,
                    to: EventTopics.exchange,
                    routingKey: "task.*.\(type)"
                )
                try connection.close()
                return queue
            }

            func waiting() throws -> Int {
                try scene.tasks.sql("SELECT count(*) FROM amity_outbox").integer(0, 0) ?? -1
            }
        }

        /// What a subscriber got.
        private struct Taken {
            var ids: [String] = []
            var subjects: [String: [String]] = [:]
            /// Of each event, by id.
            var bodies: [String: Set<String>] = [:]

            mutating func take(_ message: Message) {
                guard case .string(let id) = message.properties.headers["cloudEvents:id"],
                    case .string(let subject) = message.properties.headers["cloudEvents:subject"],
                    case .string(let type) = message.properties.headers["cloudEvents:type"]
                else {
                    Issue.record("no event")
                    return
                }
                let isNew = !ids.contains(id)
                ids.append(id)
                bodies[id, default: []].insert(String(decoding: message.body, as: UTF8.self))
                if isNew { subjects[subject, default: []].append(type) }
            }
        }

        /// Takes until as many different events have come.
        private func take(
            _ count: Int,
            from tail: inout ExchangeTail,
            within limit: Duration = .seconds(20)
        ) throws -> Taken {
            var taken = Taken()
            let deadline = ContinuousClock.now + limit
            while Set(taken.ids).count < count, ContinuousClock.now < deadline {
                if let message = try tail.next(within: .milliseconds(100)) { taken.take(message) }
            }
            #expect(Set(taken.ids).count == count)
            return taken
        }

        private static let whole = ["created", "started", "completed"].map { "amity.task.\($0)" }

        /// Fault: events of a task overtake each other, one is lost among thousands, or they are
        /// kept for ever.
        @Test func allOfThemComeAndThoseOfATaskInOrder() throws {
            let events = try Events()
            var tail = try events.tail()
            for _ in 0..<50 { try events.complete() }
            let process = try events.scene.process()
            defer { process.stop() }
            for _ in 0..<150 { try events.complete() }
            let taken = try take(600, from: &tail)
            #expect(taken.ids.count == 600)
            #expect(taken.subjects.count == 200)
            #expect(taken.subjects.values.allSatisfy { $0 == Self.whole })
            try eventually("the outbox is empty") { try events.waiting() == 0 }
            #expect(process.health.reports.isEmpty)
        }

        /// Fault: the leader dies between the broker's confirm and the commit, and an event is
        /// lost; or it comes again as another event.
        @Test func aLeaderThatIsKilledLosesNoneAndDoublesKeepTheirIds() async throws {
            let events = try Events()
            let queue = try events.boundQueue()
            for _ in 0..<100 { try events.complete() }
            let variables = events.scene.tasks.scene.variables
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [variables = variables as [String: String]] in
                setenv("AMITY_FAILPOINT", "\(Failpoint.eventsConfirmed.rawValue):1", 1)
                let first = try SchedulingScene.process(variables)
                try eventually("it dies") { first.publisher.room < 0 }
            }
            #expect(try events.waiting() == 300)
            let second = try events.scene.process()
            defer { second.stop() }
            try eventually("all are gone") { try events.waiting() == 0 }
            var taken = Taken()
            // The first three hundred, and the same again.
            for message in try queue.take(600) { taken.take(message) }
            #expect(Set(taken.ids).count == 300)
            #expect(taken.bodies.values.allSatisfy { $0.count == 1 })
            #expect(taken.subjects.values.allSatisfy { $0 == Self.whole })
        }

        /// Fault: a subscriber whose queue is full gets a task's events in another order, or never.
        @Test(arguments: ["classic", "quorum"])
        func aQueueThatRefusesGetsThemInOrderLater(kind: String) throws {
            let events = try Events()
            let queue = try events.boundQueue([
                ("x-max-length", .integer(1)), ("x-overflow", .string("reject-publish")),
                ("x-queue-type", .string(kind)),
            ])
            try events.complete()
            let process = try events.scene.process()
            defer { process.stop() }
            try eventually("it is named") {
                process.health.reports.contains {
                    $0.problem.subject == "events" && $0.problem.kind == .notTaken
                }
            }
            var taken = Taken()
            for _ in 0..<3 { taken.take(try #require(try queue.take(1).first)) }
            #expect(taken.subjects.values.first == Self.whole)
            try eventually("all are gone") { try events.waiting() == 0 }
            try eventually("the problem is over") { process.health.reports.isEmpty }
        }

        /// Fault: an operator deletes the exchange, and the relay closes its channel over it for
        /// ever.
        @Test func anExchangeThatIsMissingIsDeclaredAgain() throws {
            let events = try Events()
            let exchange = "\(events.type).exchange"
            func write() throws {
                try events.scene.tasks.sql(
                    """
                    INSERT INTO amity_outbox (due_at, exchange, routing_key, headers, body)
                    VALUES ('infinity', $1, 'key', '{"cloudEvents:subject": "s"}', '{}')
                    """,
                    .text(exchange)
                )
            }
            try write()
            let process = try events.scene.process()
            defer { process.stop() }
            try eventually("it is sent") { try events.waiting() == 0 }
            let connection = try Connection(to: events.endpoint, timeout: .seconds(10))
            try connection.openChannel()
            try connection.declareExchange(exchange, type: "topic", passive: true)
            try connection.deleteExchange(exchange)
            try write()
            try eventually("it is sent, too") { try events.waiting() == 0 }
            try connection.declareExchange(exchange, type: "topic", passive: true)
            try connection.deleteExchange(exchange)
            try connection.close()
        }

        /// Fault: the broker is away, and events are lost, or nothing says that they wait.
        @Test func whileTheBrokerIsAwayTheyWait() throws {
            let events = try Events()
            let proxy = try Proxy(to: try Servers.port("RABBITMQ_URL"))
            proxy.refuse()
            let process = try events.scene.process(through: proxy)
            defer { process.stop() }
            for _ in 0..<20 { try events.complete() }
            try eventually("it is named") {
                process.health.reports.contains { $0.problem.subject == "events" }
            }
            #expect(try events.waiting() == 60)
            var tail = try events.tail()
            proxy.endFaults()
            let taken = try take(60, from: &tail)
            #expect(taken.subjects.values.allSatisfy { $0 == Self.whole })
            try eventually("all are gone") { try events.waiting() == 0 }
            try eventually("the problem is over") { process.health.reports.isEmpty }
        }

        /// A process that has sent three events, and hears nothing of the broker from then on.
        ///
        /// - Parameter write: makes what the broker gets and does not confirm.
        private func unconfirmed(
            _ events: Events,
            _ write: () throws -> Void
        ) throws -> (proxy: Proxy, process: SchedulingScene.Process) {
            let proxy = try Proxy(to: try Servers.port("RABBITMQ_URL"))
            let process = try events.scene.process(through: proxy)
            try events.complete()
            try eventually("the first are sent") { try events.waiting() == 0 }
            proxy.stall([.toClient])
            try write()
            try eventually("it is named") {
                process.health.reports.contains {
                    $0.problem.subject == "events" && $0.problem.code == "unconfirmed"
                }
            }
            return (proxy, process)
        }

        /// Fault: the broker is slow to confirm, and what it has already comes again each second.
        @Test func whatIsConfirmedLateComesOnce() throws {
            let events = try Events()
            let queue = try events.boundQueue()
            let (proxy, process) = try unconfirmed(events) {
                for _ in 0..<20 { try events.complete() }
            }
            defer { process.stop() }
            #expect(try queue.ready() == 3 + 20, "one of each task is on its way")
            proxy.endFaults()
            try expectAllOnce(events, queue, process)
        }

        /// Fault: the broker has an alarm, and each second more is written to a connection that it
        /// does not read.
        @Test func whileTheBrokerHasAnAlarmTheyWait() throws {
            let events = try Events()
            let queue = try events.boundQueue()
            let process = try events.scene.process()
            defer { process.stop() }
            try events.complete()
            try eventually("the first are sent") { try events.waiting() == 0 }
            try BrokerFaults.Alarm.memory.whileRaised {
                for _ in 0..<20 { try events.complete() }
                try eventually("it is named") {
                    process.health.reports.contains {
                        $0.problem.subject == "events" && $0.problem.kind == .blocked
                    }
                }
            }
            try expectAllOnce(events, queue, process)
        }

        /// Fault: an event is confirmed late, and of those that came meanwhile the last is sent
        /// next, for the one between was left out of the look.
        @Test func whatComesWhileOneIsNotConfirmedKeepsItsOrder() throws {
            let events = try Events()
            let queue = try events.boundQueue()
            var ids: [TaskID] = []
            let (proxy, process) = try unconfirmed(events) {
                ids = try (0..<5).map { _ in try events.scene.tasks.begin(events.type) }
            }
            defer { process.stop() }
            #expect(try queue.ready() == 3 + 5)
            for id in ids {
                _ = try events.scene.store.finish(id, run: 1, as: .succeeded(result: nil))
            }
            try events.complete()
            try eventually("the last ones were looked at") { try queue.ready() == 3 + 6 }
            proxy.endFaults()
            try expectAllOnce(events, queue, process, count: 3 + 15 + 3)
        }

        private func expectAllOnce(
            _ events: Events,
            _ queue: TestQueue,
            _ process: SchedulingScene.Process,
            count: Int = 63
        ) throws {
            var taken = Taken()
            for message in try queue.take(count) { taken.take(message) }
            #expect(Set(taken.ids).count == count)
            #expect(taken.subjects.values.allSatisfy { $0 == Self.whole })
            try eventually("all are gone") { try events.waiting() == 0 }
            try eventually("the problem is over") { process.health.reports.isEmpty }
            #expect(try queue.isDrained())
        }

        /// Fault: the process that leads was started without EVENTS, and those of the others stay
        /// where they are.
        @Test func aLeaderThatWritesNoneSendsThoseOfOthers() throws {
            let events = try Events()
            var tail = try events.tail()
            try events.complete()
            let process = try events.scene.process { $0.writesEvents = false }
            defer { process.stop() }
            _ = try take(3, from: &tail)
            try eventually("all are gone") { try events.waiting() == 0 }
        }
    }
}
