import AMQP
import Messaging

struct TopologyCheck: Check {
    let name = "topology"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        if seen.broker.queues.isEmpty { return [] }
        var findings: [Finding] = []
        let missing = seen.broker.queues.filter { $0.presence == .missing }.map(\.name)
        if !missing.isEmpty {
            findings.append(
                .error(
                    """
                    missing: \(missing.joined(separator: ", ")): run amity migrate --topology as a \
                    user who may declare them (whether this user may cannot be asked without doing \
                    it)
                    """,
                    by: .amqp
                )
            )
        }
        for queue in seen.broker.queues {
            switch queue.presence {
            case .unknown(let reason):
                findings.append(.error("\(queue.name) cannot be used: \(reason)", by: .amqp))
            case .away, .exists, .missing: break
            }
        }
        findings += away(in: seen)
        findings += exchange(in: seen)
        return findings.isEmpty ? [.ok("exchange and queues are there", by: .amqp)] : findings
    }

    /// The queues are there, and so is what is in them: to declare them anew would be wrong, and is
    /// refused.
    private func away(in seen: DoctorSnapshot) -> [Finding] {
        let names = seen.options.topology.names
        var away: [(node: String, queues: [String])] = []
        for queue in seen.broker.queues {
            guard case .away(let told) = queue.presence else { continue }
            var node = told
            if case .seen(let report) = seen.management {
                node = node ?? report.queues[queue.name]?.node
            }
            let shown = node.map { "node \($0)" } ?? "a node"
            if let index = away.firstIndex(where: { $0.node == shown }) {
                away[index].queues.append(queue.name)
            } else {
                away.append((shown, [queue.name]))
            }
        }
        return away.map { node, queues in
            let cost =
                queues.contains(names.main)
                ? "nothing is scored" : "retries and dead letters that belong there wait"
            return .error(
                """
                away with \(node), which is down: \(queues.joined(separator: ", ")): \(cost); \
                start that node (a quorum queue has copies on others)
                """,
                by: .amqp
            )
        }
    }

    private func exchange(in seen: DoctorSnapshot) -> [Finding] {
        let topology = seen.options.topology
        switch seen.broker.exchange {
        case .away:
            return []  // Only queues have a node.
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

/// The delay queues have to give messages back.
struct DelayQueuesCheck: Check {
    let name = "dead-letter-wiring"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let topology = seen.options.topology
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
            case .differs(let text):
                // A queue of the other type may be wired well, which AMQP then does not tell.
                let isOfOtherType = ["x-queue-type", "x-dead-letter-strategy", "x-overflow"]
                    .contains { text.contains("'\($0)'") }
                if isOfOtherType {
                    unseen.append(name)
                } else {
                    findings.append(miswired(name, text, .amqp))
                }
            case .unknown: unseen.append(name)
            }
        }
        if !unseen.isEmpty {
            findings.append(
                .note(
                    """
                    whether \(unseen.joined(separator: ", ")) give back what waits there cannot be \
                    seen over AMQP (this user may not declare them, or they are of another type), \
                    only by RABBITMQ_MANAGEMENT_URL
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
            what is retried through \(queue) does not come back in time, or at all (\(what)): \
            delete it when it is empty, and run amity migrate --topology
            """,
            by: source
        )
    }
}
