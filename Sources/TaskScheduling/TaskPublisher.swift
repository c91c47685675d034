import AMQP
import Concurrency
import CoreMetrics
import LeasedPublishing
import Logging
import Messaging
import Metering
import Postgres
import Tasks
import WorkerHealth

/// Brings tasks to the broker: those that this process has just made, and those that its scheduler
/// has leased.
///
/// A queue that is not there is declared, with the others of its pool; where that fails it is left
/// alone for eight seconds.
package final class TaskPublisher: TaskOutlet {
    private let publisher: LeasedPublisher<TaskRows>

    /// - Parameters:
    ///   - topology: says what kind of queues is declared; its own queues are not.
    ///   - health: told of what does not work.
    package init(
        _ store: TaskStore,
        endpoint: Endpoint,
        topology: Topology,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        let endpoint = endpoint.named("amity tasks")
        publisher = LeasedPublisher(
            Publisher(
                endpoint: endpoint,
                topology: nil,
                insists: false,
                health: health,
                logger: logger
            ),
            TaskRows(
                store: store,
                endpoint: endpoint,
                topology: topology,
                health: SchedulingHealth(links: health, logger: logger)
            ),
            threadName: "amity-tasks",
            results: .taskMessages,
            inHand: .taskMessagesInHand
        )
    }

    package func start() { publisher.start() }

    /// Waits until what is in hand is on the broker, as far as it answers in time, and ends.
    package func stop(within limit: Duration = .seconds(5)) { publisher.stop(within: limit) }

    package func publish(_ publications: [Publication], leasedAt: ContinuousClock.Instant) {
        publisher.publish(publications, leasedAt: leasedAt)
    }

    /// How many more it takes now; none while the broker is away.
    var room: Int { publisher.room }

    /// Pools of which a queue is set aside.
    var poolsAside: [String] { Set(publisher.aside.compactMap(TaskQueue.pool(of:))).sorted() }
}

/// The rows behind the publisher.
private struct TaskRows: LeasedRows {
    let store: TaskStore
    let endpoint: Endpoint
    let topology: Topology
    let health: SchedulingHealth
    private let aside = Metric.taskQueuesAside.gauge()
    /// Queues that were declared here, with the time.
    private let declared = Locked<[String: ContinuousClock.Instant]>([:])

    /// One that is missing again so soon is deleted by another program all the time. Chosen.
    private static let rest = Duration.seconds(10)

    init(store: TaskStore, endpoint: Endpoint, topology: Topology, health: SchedulingHealth) {
        self.store = store
        self.endpoint = endpoint
        self.topology = topology
        self.health = health
    }

    func settle(_ publications: [Publication]) -> Bool {
        do throws(PostgresError) {
            try store.published(publications)
            return true
        } catch {
            health.failed(error)
            return false
        }
    }

    func answered(_ publication: Publication, _ result: Publisher.Result) {
        switch result {
        case .confirmed: health.takes(publication.routingKey)
        case .refused: health.isRefusing(publication.routingKey)
        // `declare` comes next.
        case .returned, .abandoned: break
        }
    }

    func declare(_ queue: String) -> Bool {
        guard let pool = TaskQueue.pool(of: queue) else { return false }
        let last = declared.withLock { $0[queue] }
        if let last, .now < last + Self.rest {
            health.isMissing(queue, because: nil)
            return false
        }
        do throws(AMQPError) {
            try topology.ensure(
                queuesNamed: TaskQueue.all(of: pool).map(\.name),
                at: endpoint,
                logger: health.logger
            )
            declared.withLock { $0[queue] = .now }
            return true
        } catch {
            health.isMissing(queue, because: "\(error)")
            return false
        }
    }

    func turn(_ publisher: LeasedPublisher<TaskRows>) -> Duration {
        aside.record(publisher.aside.count)
        return .seconds(1)
    }
}

extension TaskQueue {
    /// The pool of a queue's name: what stands between the prefix and the last dot.
    fileprivate static func pool(of name: String) -> String? {
        guard name.hasPrefix(prefix), let dot = name.lastIndex(of: ".") else { return nil }
        return String(name[..<dot].dropFirst(prefix.count))
    }
}

extension Publication: LeasedItem {
    package struct Key: Hashable, Sendable {
        var id: TaskID
        var run: Int
    }

    package var key: Key { Key(id: id, run: run) }
    package var exchange: String { "" }
    package var routingKey: String { queue.name }
    package var lane: Int { priority.rawValue }
    package var subject: String { id.text }

    /// Names the row and the run; the payload stays in the database.
    package var message: Message {
        var properties = MessageProperties()
        properties.contentType = "application/json"
        properties.type = type
        let body = #"{"task_id":"\#(id)","run":\#(run)}"#
        return Message(properties: properties, body: Array(body.utf8))
    }
}
