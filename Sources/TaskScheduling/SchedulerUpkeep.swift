import AMQP
import Concurrency
import CoreMetrics
import Locks
import Metering
import Postgres
import TaskTypes
import Tasks

/// What the scheduler that leads does at longer intervals, on a thread of its own: looks for lost
/// messages, and forgets what ended long ago.
struct SchedulerUpkeep {
    private let store: TaskStore
    private let publisher: TaskPublisher
    private let health: SchedulingHealth
    private let options: Scheduler.Options
    private let lost = Metric.taskMessagesLost.counter()
    private let lostWakes = Metric.wakesLost.counter()

    /// Most rows that one statement deletes or leases. Chosen: some ten milliseconds.
    private static let slice = 1_000
    /// Between two slices, for the turns of others. Chosen.
    private static let pause = Duration.milliseconds(50)
    /// Until a process that does not lead, or could not do it, looks again.
    private static let later = Duration.seconds(60)

    init(
        _ store: TaskStore,
        _ publisher: TaskPublisher,
        _ health: SchedulingHealth,
        _ options: Scheduler.Options
    ) {
        self.store = store
        self.publisher = publisher
        self.health = health
        self.options = options
    }

    func run(until drain: DrainSignal, isLeading: @escaping () -> Bool) {
        var messages = LostMessages()
        var chores = Chores()
        chores.add(Chore(every: options.lookInterval)) {
            if isLeading() { look(&messages) } else { messages.forget() }
            return .done
        }
        chores.add(Chore(every: options.lookInterval)) {
            if isLeading() { findLostWakes() }
            return .done
        }
        chores.add(Chore(every: .seconds(3600), first: .zero ... .seconds(10))) {
            isLeading() ? forget() : .again(after: Self.later)
        }
        chores.run(by: drain)
    }

    // MARK: Retention

    private func forget() -> Chores.Turn {
        do throws(PostgresError) {
            let seconds = Double(options.retentionDays) * 86_400
            let tasks =
                options.retentionDays == 0
                ? 0 : try store.forget(olderThan: seconds, atMost: Self.slice)
            let requests = try store.forgetRequests(atMost: Self.slice)
            let batches =
                options.retentionDays == 0
                ? 0 : try store.forgetBatches(olderThan: seconds, atMost: Self.slice)
            let keys = try store.forgetLimitKeys(atMost: Self.slice)
            try store.forgetLeases()
            // Last: a database that an earlier version has set up has no such tables.
            let locks = try LockStore(sessions: store.sessions).forgetLocks(atMost: Self.slice)
            let urls = try store.forgetDisabledCallbacks(atMost: Self.slice)
            let isFull = max(tasks, requests, batches, keys, locks, urls) == Self.slice
            return isFull ? .again(after: Self.pause) : .done
        } catch {
            health.failed(error)
            return .again(after: Self.later)
        }
    }

    // MARK: Lost wakes

    private func findLostWakes() {
        do throws(PostgresError) {
            let count = try store.findLostWakes(atMost: Self.slice)
            if count == 0 { return }
            lostWakes.increment(by: count)
            health.logger.warning(
                "scheduler.wakes-lost",
                metadata: ["tasks": .stringConvertible(count)]
            )
        } catch {
            health.failed(error)
        }
    }

    // MARK: Lost messages

    private func look(_ messages: inout LostMessages) {
        do {
            guard let look = try look() else { return messages.forget() }
            for (queue, count) in messages.take(look) { try publishAgain(queue, count) }
        } catch let error as PostgresError {
            health.failed(error)
        } catch {
            // A broker that is away is told of by the publisher.
            health.logger.debug("scheduler.no-look", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: nil where nothing is at rest.
    private func look() throws -> LostMessages.Look? {
        let before = try atRest()
        if before.isEmpty { return nil }
        let inspector = try QueueInspector(at: endpoint, timeout: .seconds(5))
        var ready: [TaskQueue: Int] = [:]
        for queue in before.keys { ready[queue] = try inspector.depth(of: queue.name)?.ready ?? 0 }
        try inspector.close()
        return LostMessages.Look(
            before: before,
            after: try atRest(),
            ready: ready,
            unclaimed: try store.unclaimed()
        )
    }

    private var endpoint: Endpoint { options.endpoint.named("amity scheduler") }

    private func atRest() throws(PostgresError) -> [TaskQueue: Int] {
        try store.depths().reduce(into: [:]) { counts, depth in
            if depth.atRest > 0 {
                counts[TaskQueue(pool: depth.pool, priority: depth.priority)] = depth.atRest
            }
        }
    }

    private func publishAgain(_ queue: TaskQueue, _ count: Int) throws(PostgresError) {
        let room = min(count, Self.slice, publisher.room)
        if room == 0 { return }
        let now = ContinuousClock.now
        let missing = try store.leaseMissing(
            pool: queue.pool,
            priority: queue.priority,
            count: room
        )
        publisher.publish(missing, leasedAt: now)
        lost.increment(by: missing.count)
        health.logger.warning(
            "scheduler.messages-lost",
            metadata: [
                "queue": "\(queue.name)", "published": .stringConvertible(missing.count),
            ]
        )
    }
}
