import AMQP
import Messaging

/// Queues that throw messages away by themselves.
struct QueueLimitsCheck: Check {
    let name = "queue-limits"

    private static let losing = ["message-ttl", "max-length", "max-length-bytes", "expires"]

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let topology = seen.options.topology
        let found = topology.queueNames.flatMap { name in
            if case .seen(let report) = seen.management {
                guard let queue = report.queues[name] else { return [Finding]() }
                return limits(of: queue, topology.names)
            }
            guard let queue = seen.broker.queues.first(where: { $0.name == name }) else {
                return []
            }
            return difference(of: queue, topology.names)
        }
        if !found.isEmpty { return found }
        guard case .seen = seen.management else { return [] }
        return [.ok("no queue throws messages away by itself", by: .management)]
    }

    private func limits(of queue: ManagementReport.Queue, _ names: QueueNames) -> [Finding] {
        let isDelay = queue.name != names.main && queue.name != names.dead
        var limits: [(String, String)] = Self.losing.compactMap { limit in
            // A delay queue works by its time to live.
            if isDelay, limit == "message-ttl" { return nil }
            return queue.effective(limit).map { (limit, $0.shown) }
        }
        var findings: [Finding] = []
        if queue.name != names.main, let index = limits.firstIndex(where: { $0.0 == "expires" }) {
            findings.append(vanishing(queue.name, limits.remove(at: index).1, names))
        }
        if limits.isEmpty { return findings }
        let text = limits.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        return findings + [lossy(queue.name, text, names, by: .management)]
    }

    private func difference(of queue: BrokerSnapshot.Queue, _ names: QueueNames) -> [Finding] {
        guard case .differs(let text) = queue.likeness else { return [] }
        let isDelay = queue.name != names.main && queue.name != names.dead
        if let name = Self.losing.first(where: { text.contains("'x-\($0)'") }) {
            // How a delay queue's own arguments differ, the check of its wiring says.
            if isDelay, name == "message-ttl" { return [] }
            return [lossy(queue.name, "\(name), and perhaps more", names, by: .amqp)]
        }
        let isKind = QueueDefect(text) != nil || QueueDifference.queueType(in: text) != nil
        if isDelay || isKind { return [] }
        return [.note("\(queue.name) is not as Amity makes it: \(text)", by: .amqp)]
    }

    /// A queue without consumers is unused, whatever it holds.
    private func vanishing(_ queue: String, _ time: String, _ names: QueueNames) -> Finding {
        let loss = queue == names.dead ? "dead letters" : "messages that wait for a retry"
        return .error(
            """
            \(queue) is deleted with all that is in it when it is unused for \(time) ms (expires): \
            \(loss) get lost; take it out of the policy, or exclude the queue from that
            """,
            by: .management
        )
    }

    private func lossy(
        _ queue: String,
        _ limits: String,
        _ names: QueueNames,
        by source: Finding.Source
    ) -> Finding {
        let cost =
            switch queue {
            case names.main: "the sweep finds their conversations late"
            case names.dead: "dead letters get lost, though their rows stay FAILED"
            case _: "what is pushed out comes back early, or gets lost"
            }
        return .warning(
            """
            \(queue) throws messages away by itself (\(limits)): \(cost); make it anew without, or \
            raise them far above what may wait
            """,
            by: source
        )
    }
}

/// A quorum queue counts what comes back to it, also from a drain, and from who only looks.
struct DeliveryLimitCheck: Check {
    let name = "delivery-limit"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard case .seen(let report) = seen.management else { return [] }
        let names = seen.options.topology.names
        // Nothing is taken from a delay queue but by the broker itself, when its time is over.
        let queues = [names.main, names.dead].compactMap { report.queues[$0] }
        return queues.map { judge($0, report.version, isDead: $0.name == names.dead) }
    }

    private func judge(
        _ queue: ManagementReport.Queue,
        _ version: String,
        isDead: Bool
    ) -> Finding {
        let name = queue.name
        guard queue.type == "quorum" else {
            return .ok("\(name) is no quorum queue and counts no deliveries", by: .management)
        }
        let isNew = version.split(separator: ".").first.flatMap { Int($0) } ?? 0 >= 4
        guard let limit = queue.effective("delivery-limit")?.shown ?? (isNew ? "20" : nil),
            !limit.hasPrefix("-")
        else { return .ok("\(name) has no delivery limit", by: .management) }
        if queue.effective("dead-letter-exchange") != nil {
            return .ok("\(name) keeps what it gives up after \(limit) deliveries", by: .management)
        }
        let cause =
            isDead
            ? "each look into the queue, by whatever program, counts"
            : "each drain of a worker may count"
        return .warning(
            """
            \(name) throws a message away when it has come back \(limit) times, and \(cause): give \
            it a dead-letter-exchange, or a higher delivery-limit (RabbitMQ 4: -1 for none)
            """,
            by: .management
        )
    }
}

/// The broker closes the channel of a consumer that keeps a message for longer.
struct ConsumerTimeoutCheck: Check {
    let name = "consumer-timeout"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let options = seen.options
        let name = options.topology.names.main
        guard case .seen(let report) = seen.management,
            case .integer(let milliseconds) = report.queues[name]?.effective("consumer-timeout")
        else {
            return [
                .ok(
                    "as CONSUMER_TIMEOUT_SECONDS says: the broker does not tell it",
                    by: .settings
                )
            ]
        }
        let limit = Duration.milliseconds(milliseconds)
        if limit >= options.consumerTimeout {
            return [.ok("\(name) waits for no less than the settings say", by: .management)]
        }
        let text = """
            \(name) gives a consumer \(limit / .seconds(1)) s for a message and \
            CONSUMER_TIMEOUT_SECONDS says \(options.consumerTimeout / .seconds(1))
            """
        return [
            limit <= options.taskTimeout
                ? .error(
                    "\(text): TASK_TIMEOUT_SECONDS is longer than it waits; raise the queue's",
                    by: .management
                )
                : .warning("\(text): set it to the queue's", by: .management)
        ]
    }
}

extension ManagementReport.Queue {
    /// An argument or what a policy says; where both limit something, the broker takes the lower.
    func effective(_ name: String) -> HeaderValue? {
        switch (arguments["x-\(name)"], policy[name]) {
        case (.integer(let own)?, .integer(let given)?): .integer(min(own, given))
        case (let own?, _): own
        case (nil, let given): given
        }
    }
}
