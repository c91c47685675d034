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
        // Those are other checks' to judge.
        let isKind =
            QueueDefect(text) != nil || QueueDifference.queueType(in: text) != nil
            || text.contains("'x-delivery-limit'")
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

    /// Chosen: more drains and outages than a message meets.
    private static let enough: Int64 = 1000
    /// Of RabbitMQ 4, where none is set.
    private static let preset: Int64 = 20

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let names = seen.options.topology.names
        guard case .seen(let report) = seen.management else {
            // Of its arguments AMQP tells the first that differs.
            let isNew = isNew(seen.broker.nodes.compactMap(\.version).first ?? "")
            return seen.broker.queues.compactMap { queue in
                guard case .differs(let text) = queue.likeness,
                    text.contains("'x-delivery-limit'")
                else { return nil }
                let given = text.firstMatch(of: /current is (?:the value )?'(-?[0-9]+)'/)
                let limit = limit([given.flatMap { Int64($0.1) }], isNew: isNew)
                return judge(queue.name, limit, isDead: queue.name == names.dead, by: .amqp)
            }
        }
        // Nothing is taken from a delay queue but by the broker itself, when its time is over.
        let queues = [names.main, names.dead] + seen.options.taskQueues
        return queues.compactMap { report.queues[$0] }.compactMap { queue in
            let found = judge(queue, isNew(report.version), isDead: queue.name == names.dead)
            // A line for each that is well would hide the others.
            let isTasks = queue.name != names.main && queue.name != names.dead
            return isTasks && found.level == .ok ? nil : found
        }
    }

    private func isNew(_ version: String) -> Bool {
        version.split(separator: ".").first.flatMap { Int($0) } ?? 0 >= 4
    }

    private func judge(
        _ queue: ManagementReport.Queue,
        _ isNew: Bool,
        isDead: Bool
    ) -> Finding {
        let name = queue.name
        guard queue.type == "quorum" else {
            return .ok("\(name) is no quorum queue and counts no deliveries", by: .management)
        }
        func number(_ value: HeaderValue?) -> Int64? {
            if case .integer(let number) = value { number } else { nil }
        }
        let given = [queue.arguments["x-delivery-limit"], queue.policy["delivery-limit"]]
        let limit = limit(given.map(number), isNew: isNew)
        if let limit, limit < Self.enough, queue.effective("dead-letter-exchange") != nil {
            return .ok("\(name) keeps what it gives up after \(limit) deliveries", by: .management)
        }
        return judge(name, limit, isDead: isDead, by: .management)
    }

    /// The one that counts of the queue's own and a policy's; nil for none. RabbitMQ 4 takes a
    /// negative one for none, RabbitMQ 3 for one that is used up.
    private func limit(_ given: [Int64?], isNew: Bool) -> Int64? {
        let given = given.compactMap(\.self)
        guard let lowest = given.min(), let highest = given.max() else {
            return isNew ? Self.preset : nil
        }
        if lowest >= 0 { return lowest }
        if isNew { return highest < 0 ? nil : highest }
        return 0
    }

    private func judge(
        _ name: String,
        _ limit: Int64?,
        isDead: Bool,
        by source: Finding.Source
    ) -> Finding {
        guard let limit, limit < Self.enough else {
            return .ok("\(name) has no delivery limit that could be used up", by: source)
        }
        let cause =
            isDead
            ? "each look into the queue, by whatever program, counts"
            : "each drain of a worker may count"
        return .warning(
            """
            \(name) throws a message away when it has come back \(limit) times, and \(cause): make \
            it anew with amity migrate --topology, give it a dead-letter-exchange, or set a \
            delivery-limit of \(Topology.deliveryLimit) by a policy
            """,
            by: source
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
