import AMQP
import ArgumentParser
import Events
import Logging
import SafeText
import Settings
import Storage
import Tasks

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create what is missing in the database; never alter what others made.",
        discussion: """
            Makes the contract's tables where they are missing and adds what is Amity's own, also \
            what has been lost of it. Safe to run twice and by several at once. Tables of others \
            are left as they are.
            """
    )

    @Flag(
        help: """
            Also declare the exchange, the queue, its delay queues and its dead-letter queue, and \
            the queues of the pools that TASK_QUEUES names, and with EVENTS their exchange.
            """
    )
    var topology = false

    @Flag(
        help: "Make the tables also where another schema of the database has some of these names."
    )
    var separate = false

    func run() async throws {
        let settings = try start()
        try await reportingFailure {
            let migrator = Migrator(
                target: settings.database,
                version: amityVersion,
                isSeparate: separate
            )
            for line in try migrator.run() { print(line.printable) }
            if topology { try declare(settings) }
        }
    }

    private func declare(_ settings: WorkerSettings) throws {
        let (endpoint, logger) = (settings.endpoint.named("amity migrate"), Logger(label: "amity"))
        try settings.topology.ensure(at: endpoint, logger: logger)
        print("topology of \(settings.topology.names.main.printable) is complete")
        if !settings.tasks.events.isEmpty {
            try ExchangePublisher.ensure(EventTopics.exchange, at: endpoint, logger: logger)
            print("exchange \(EventTopics.exchange) is there")
        }
        let pools = settings.tasks.pools
        if pools.isEmpty { return }
        try settings.topology.ensure(
            queuesNamed: pools.flatMap(TaskQueue.all).map(\.name),
            at: endpoint,
            logger: logger
        )
        print("task queues of \(pools.joined(separator: ", ")) are complete")
    }
}
