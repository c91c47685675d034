import AMQP

/// Queues of a kind that Amity cannot use, or that do not outlive what the others do.
struct QueueKindCheck: Check {
    let name = "queue-kind"

    func findings(in seen: Sight) -> [Finding] {
        guard case .seen(let report) = seen.management else {
            return seen.broker.queues.flatMap(judge)
        }
        let names = seen.settings.topology.queueNames
        let queues = names.compactMap { report.queues[$0] }
        let findings = queues.flatMap(judge) + helpers(queues, report.nodes)
        return findings.isEmpty
            ? [.ok("queues are of the kinds they should be", by: .management)] : findings
    }

    private func judge(_ queue: ManagementReport.Queue) -> [Finding] {
        if queue.type == "stream" { return [stream(queue.name, by: .management)] }
        return (queue.isDurable ? [] : [passing(queue.name, .management)])
            + (queue.isAutoDelete ? [deleted(queue.name, .management)] : [])
    }

    /// Of its properties AMQP tells the first that differs.
    private func judge(_ queue: BrokerSight.Queue) -> [Finding] {
        guard case .differs(let text) = queue.likeness else { return [] }
        if text.contains("'x-queue-type'"), text.contains("'stream'") {
            return [stream(queue.name, by: .amqp)]
        }
        if text.contains("'durable'") { return [passing(queue.name, .amqp)] }
        return text.contains("'auto_delete'") ? [deleted(queue.name, .amqp)] : []
    }

    /// A quorum queue survives the loss of a node, which takes classic queues on it away.
    private func helpers(_ queues: [ManagementReport.Queue], _ nodes: Int?) -> [Finding] {
        guard queues.first?.type == "quorum", nodes != 1 else { return [] }
        let classic = queues.dropFirst().filter { $0.type == "classic" }.map(\.name)
        if classic.isEmpty { return [] }
        return [
            .warning(
                """
                \(classic.joined(separator: ", ")) are classic queues and the main queue is a quorum queue: \
                retries and dead letters stop while one node is down; make them anew as quorum queues \
                when they are empty (RABBITMQ_QUEUE_TYPE=quorum, amity migrate --topology)
                """,
                by: .management
            )
        ]
    }

    private func stream(_ queue: String, by source: Finding.Source) -> Finding {
        .error(
            """
            \(queue) is a stream, which keeps what is acked: nothing is scored; make it anew as a classic \
            or quorum queue
            """,
            by: source
        )
    }

    private func passing(_ queue: String, _ source: Finding.Source) -> Finding {
        .warning(
            "\(queue) is not durable: it is gone, with all that is in it, when the broker restarts",
            by: source
        )
    }

    private func deleted(_ queue: String, _ source: Finding.Source) -> Finding {
        .warning(
            "\(queue) is auto-delete: it is gone, with all that is in it, when its last consumer leaves",
            by: source
        )
    }
}
