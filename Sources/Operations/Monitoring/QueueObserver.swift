import AMQP
import Logging
import Messaging
import Postgres

/// Looks at the queue, its delay queues and its dead letters, and asks the database how old and how
/// far its conversations are. Stays with its thread, which keeps the connection to the broker
/// between looks.
struct QueueObserver: ~Copyable {
    private let options: QueueOptions
    private let connectionName: String
    private let management: ManagementAPI?
    private var inspector: QueueInspector?

    /// For a quiet connection that is looked after once in `MONITOR_INTERVAL_SECONDS`, at most 60.
    private static let heartbeatSeconds = 60
    /// Of consumers that are no workers. Chosen: what a person reads.
    private static let mostNames = 10

    init(_ options: QueueOptions, connectionName: String) {
        self.options = options
        self.connectionName = connectionName
        management = options.management.map {
            ManagementAPI($0, virtualHost: options.endpoint.virtualHost)
        }
    }

    private var names: QueueNames { options.topology.names }

    /// The broker's part. A connection that was lost since the last look is replaced.
    mutating func look(into look: inout QueueLook) throws(AMQPError) {
        let isOld = inspector != nil
        do throws(AMQPError) {
            return try fill(&look)
        } catch {
            inspector = nil
            if !isOld { throw error }
        }
        do throws(AMQPError) {
            try fill(&look)
        } catch {
            inspector = nil
            throw error
        }
    }

    private mutating func fill(_ look: inout QueueLook) throws(AMQPError) {
        if inspector == nil {
            var endpoint = options.endpoint.named(connectionName)
            endpoint.heartbeatSeconds = Self.heartbeatSeconds
            inspector = try QueueInspector(at: endpoint, timeout: .seconds(3))
        }
        let main = try inspector!.depth(of: names.main)
        look.isThere = main != nil
        look.ready = main?.ready ?? 0
        look.consumers = main?.consumers ?? 0
        let dead = try inspector!.depth(of: names.dead)
        look.deadLetters = dead?.ready ?? 0
        look.isDeadQueueEmpty = dead.map { $0.ready == 0 && $0.consumers == 0 } ?? false
        look.retrying = []
        for seconds in Set(options.topology.retrySeconds).sorted() {
            let depth = try inspector!.depth(of: names.retry(seconds: seconds))
            look.retrying.append(.init(delaySeconds: seconds, messages: depth?.ready ?? 0))
        }
    }

    /// Closes the connection, for a caller that will not look for a while.
    mutating func rest() { inspector = nil }

    /// The management plugin's part, where there is one.
    func askManagement(into look: inout QueueLook) throws(ManagementError) {
        guard let management, look.isThere else { return }
        guard let queue = try management.queue(names.main) else { throw .refused(404) }
        guard let unacked = queue.messages_unacknowledged else { throw .unreadable }
        look.unacked = unacked
        look.unackedSource = .management
        if (look.foreignCount ?? 0) > 0 {
            let consumers = try management.consumers(of: queue).filter { !$0.isAmity }
            look.foreignConsumers = consumers.prefix(Self.mostNames).map(\.connection.storable)
        }
    }
}

extension QueueLook {
    /// The database's part.
    ///
    /// - Parameter isRegistered: whether to ask the registry, too.
    static func read(
        of queue: String,
        isRegistered: Bool,
        in session: inout Session
    ) throws(PostgresError) -> QueueLook {
        var flight: [(Statement, [Parameter])] = [
            (.begin, []), (MonitorSQL.inOrder, []), (MonitorSQL.oldest, []),
        ]
        if isRegistered {
            flight.append((MonitorSQL.settled, [.text(queue), MonitorSQL.noConsumer]))
        }
        let answers = try session.flight(flight + [(.rollback, [])])
        var look = try answers[2].first(MonitorSQL.age) ?? QueueLook(at: 0)
        if isRegistered {
            try answers[3].forEach { row throws(PostgresError) in
                try MonitorSQL.addSettled(to: &look, from: &row)
            }
        }
        return look
    }
}
