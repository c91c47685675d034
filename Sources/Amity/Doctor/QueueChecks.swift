import AMQP
import WorkerRuntime

struct TopologyCheck: Check {
    let name = "topology"

    func findings(in seen: Sight) -> [Finding] {
        if seen.broker.queues.isEmpty { return [] }
        var findings: [Finding] = []
        let missing = seen.broker.queues.filter { $0.presence == .missing }.map(\.name)
        if !missing.isEmpty {
            findings.append(
                .error(
                    """
                    missing: \(missing.joined(separator: ", ")): run amity migrate --topology as somebody \
                    who may declare them (whether this user may cannot be asked without doing it)
                    """,
                    by: .amqp
                )
            )
        }
        for queue in seen.broker.queues {
            if case .unknown(let reason) = queue.presence {
                findings.append(.error("\(queue.name) cannot be used: \(reason)", by: .amqp))
            }
        }
        findings += exchange(in: seen)
        return findings.isEmpty ? [.ok("exchange and queues are there", by: .amqp)] : findings
    }

    private func exchange(in seen: Sight) -> [Finding] {
        let topology = seen.settings.topology
        switch seen.broker.exchange {
        case .missing:
            return [
                .warning(
                    "exchange \(topology.exchange) is missing, so publishers that use it fail: run "
                        + "amity migrate --topology",
                    by: .amqp
                )
            ]
        case .unknown(let reason):
            return [.warning("exchange \(topology.exchange) cannot be used: \(reason)", by: .amqp)]
        case .exists, nil:
            guard case .seen(let report) = seen.management, report.isBound == false else {
                return []
            }
            return [
                .warning(
                    """
                    exchange \(topology.exchange) does not lead to \(topology.names.main) by \
                    \(topology.routingKey), so what is published there is lost: run amity migrate \
                    --topology
                    """,
                    by: .management
                )
            ]
        }
    }
}

/// Queues that throw messages away by themselves.
struct QueueLimitsCheck: Check {
    let name = "queue-limits"

    private static let losing = ["message-ttl", "max-length", "max-length-bytes", "expires"]

    func findings(in seen: Sight) -> [Finding] {
        let names = [seen.settings.topology.names.main, seen.settings.topology.names.dead]
        let found = names.flatMap { name in
            if case .seen(let report) = seen.management {
                return report.queues[name].map(limits) ?? []
            }
            return seen.broker.queues.first { $0.name == name }.map(difference) ?? []
        }
        if !found.isEmpty { return found }
        guard case .seen = seen.management else { return [] }
        return [.ok("no queue throws messages away by itself", by: .management)]
    }

    private func limits(of queue: ManagementReport.Queue) -> [Finding] {
        let limits = Self.losing.compactMap { name in
            queue.effective(name).map { "\(name) \($0.shown)" }
        }
        if limits.isEmpty { return [] }
        return [lossy(queue.name, limits.joined(separator: ", "), by: .management)]
    }

    private func difference(of queue: BrokerSight.Queue) -> [Finding] {
        guard case .differs(let text) = queue.likeness else { return [] }
        if let name = Self.losing.first(where: { text.contains("'x-\($0)'") }) {
            return [lossy(queue.name, "\(name), and perhaps more", by: .amqp)]
        }
        return [.note("\(queue.name) is not as Amity makes it: \(text)", by: .amqp)]
    }

    private func lossy(_ queue: String, _ limits: String, by source: Finding.Source) -> Finding {
        .warning(
            """
            \(queue) throws messages away by itself (\(limits)): the sweep finds their conversations \
            late; make it anew without, or raise them far above what may wait
            """,
            by: source
        )
    }
}

/// The delay queues have to give messages back.
struct DelayQueuesCheck: Check {
    let name = "dead-letter-wiring"

    func findings(in seen: Sight) -> [Finding] {
        let topology = seen.settings.topology
        if seen.broker.queues.isEmpty { return [] }
        var findings: [Finding] = []
        var unseen: [String] = []
        for seconds in Set(topology.retrySeconds).sorted() {
            let name = topology.names.retry(seconds: seconds)
            if case .seen(let report) = seen.management {
                guard let queue = report.queues[name] else { continue }
                let wrong = wrong(queue, seconds: seconds, main: topology.names.main)
                if !wrong.isEmpty {
                    findings.append(miswired(name, wrong.joined(separator: ", "), .management))
                }
                continue
            }
            guard let queue = seen.broker.queues.first(where: { $0.name == name }),
                case .exists = queue.presence
            else { continue }
            switch queue.likeness {
            case .same: break
            case .differs(let text): findings.append(miswired(name, text, .amqp))
            case .unknown: unseen.append(name)
            }
        }
        if !unseen.isEmpty {
            findings.append(
                .note(
                    """
                    whether \(unseen.joined(separator: ", ")) give back what waits there cannot be seen by a \
                    user who may not declare them, only by RABBITMQ_MANAGEMENT_URL
                    """,
                    by: .amqp
                )
            )
        }
        if !findings.isEmpty { return findings }
        if case .seen = seen.management {
            return [.ok("what waits for a retry comes back", by: .management)]
        }
        return [.ok("what waits for a retry comes back", by: .amqp)]
    }

    private func wrong(_ queue: ManagementReport.Queue, seconds: Int, main: String) -> [String] {
        let wanted: [(String, HeaderValue)] = [
            ("message-ttl", .integer(Int64(seconds) * 1000)), ("dead-letter-exchange", .string("")),
            ("dead-letter-routing-key", .string(main)),
        ]
        return wanted.compactMap { name, value in
            let found = queue.effective(name)
            return found == value ? nil : "\(name) is \(found?.shown ?? "not set")"
        }
    }

    private func miswired(_ queue: String, _ what: String, _ source: Finding.Source) -> Finding {
        .error(
            """
            what is retried through \(queue) does not come back in time, or at all (\(what)): delete it \
            when it is empty, and run amity migrate --topology
            """,
            by: source
        )
    }
}

/// A quorum queue counts what comes back to it, also from a drain.
struct DeliveryLimitCheck: Check {
    let name = "delivery-limit"

    func findings(in seen: Sight) -> [Finding] {
        let name = seen.settings.topology.names.main
        guard case .seen(let report) = seen.management, let queue = report.queues[name] else {
            return []
        }
        guard queue.type == "quorum" else {
            return [.ok("\(name) is no quorum queue and counts no deliveries", by: .management)]
        }
        let isNew = report.version.split(separator: ".").first.flatMap { Int($0) } ?? 0 >= 4
        guard let limit = queue.effective("delivery-limit")?.shown ?? (isNew ? "20" : nil),
            !limit.hasPrefix("-")
        else { return [.ok("\(name) has no delivery limit", by: .management)] }
        if queue.effective("dead-letter-exchange") != nil {
            return [
                .ok("\(name) keeps what it gives up after \(limit) deliveries", by: .management)
            ]
        }
        return [
            .warning(
                """
                \(name) throws a message away when it has come back \(limit) times, and each drain of a \
                worker may count: give it a dead-letter-exchange, or a higher delivery-limit
                """,
                by: .management
            )
        ]
    }
}

/// The broker closes the channel of a consumer that keeps a message for longer.
struct ConsumerTimeoutCheck: Check {
    let name = "consumer-timeout"

    func findings(in seen: Sight) -> [Finding] {
        let settings = seen.settings
        let name = settings.topology.names.main
        guard case .seen(let report) = seen.management,
            case .integer(let milliseconds) = report.queues[name]?.effective("consumer-timeout")
        else {
            return [
                .ok(
                    "as CONSUMER_TIMEOUT_SECONDS says: the broker tells it to nobody",
                    by: .settings
                )
            ]
        }
        let limit = Duration.milliseconds(milliseconds)
        if limit >= settings.consumerTimeout {
            return [.ok("\(name) waits for no less than the settings say", by: .management)]
        }
        let text = """
            \(name) gives a consumer \(limit / .seconds(1)) s for a message and \
            CONSUMER_TIMEOUT_SECONDS says \(settings.consumerTimeout / .seconds(1))
            """
        return [
            limit <= settings.taskTimeout
                ? .error(
                    "\(text): TASK_TIMEOUT_SECONDS is longer than it waits; raise the queue's",
                    by: .management
                )
                : .warning("\(text): set it to the queue's", by: .management)
        ]
    }
}

struct ConsumersCheck: Check {
    let name = "consumers"

    func findings(in seen: Sight) -> [Finding] {
        guard let queue = seen.broker.queues.first, case .exists(let depth) = queue.presence else {
            return []
        }
        if depth.consumers > 0 { return [.ok("\(depth.consumers) consume", by: .amqp)] }
        return [
            .note(
                "nobody consumes \(queue.name), where \(depth.ready) wait: start a worker",
                by: .amqp
            )
        ]
    }
}

struct DeadLettersCheck: Check {
    let name = "dead-letters"

    func findings(in seen: Sight) -> [Finding] {
        let name = seen.settings.topology.names.dead
        guard let queue = seen.broker.queues.first(where: { $0.name == name }),
            case .exists(let depth) = queue.presence
        else { return [] }
        if depth.ready == 0 { return [.ok("none", by: .amqp)] }
        return [.note("\(depth.ready) in \(name): amity dead-letters list says why", by: .amqp)]
    }
}

extension ManagementReport.Queue {
    /// An argument or what a policy says; where both limit something, the broker takes the lower.
    fileprivate func effective(_ name: String) -> HeaderValue? {
        switch (arguments["x-\(name)"], policy[name]) {
        case (.integer(let own)?, .integer(let given)?): .integer(min(own, given))
        case (let own?, _): own
        case (nil, let given): given
        }
    }
}
