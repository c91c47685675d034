import AMQP

/// Queues of a kind that Amity cannot use, or that do not outlive what the others do.
struct QueueKindCheck: Check {
    let name = "queue-kind"

    /// A queue's properties, as far as they are known.
    private struct Kind {
        var name: String
        var type: String?
        var defect: QueueDefect?
    }

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let topology = seen.options.topology
        let isSeen = if case .seen = seen.management { true } else { false }
        let source: Finding.Source = isSeen ? .management : .amqp
        let kinds = kinds(in: seen)
        var findings = kinds.compactMap { kind in
            kind.defect.map {
                judge($0, of: kind.name, isMain: kind.name == topology.names.main, source)
            }
        }
        let others = kinds.filter { kind in
            kind.defect == nil && kind.type.map { $0 != topology.queueType.rawValue } ?? false
        }
        if let other = others.first, let type = other.type {
            let names = others.filter { $0.type == type }.map(\.name).joined(separator: ", ")
            findings.append(
                .note(
                    """
                    of type \(type), though RABBITMQ_QUEUE_TYPE is \(topology.queueType.rawValue): \
                    \(names); they are used as they are, and what is missing is made of the other
                    """,
                    by: source
                )
            )
        }
        findings += helpers(kinds, in: seen)
        return findings.isEmpty && !kinds.isEmpty
            ? [.ok("no queue is of another kind than it should be", by: source)] : findings
    }

    private func kinds(in seen: DoctorSnapshot) -> [Kind] {
        let topology = seen.options.topology
        if case .seen(let report) = seen.management {
            return topology.queueNames.compactMap { report.queues[$0] }.map { queue in
                var kind = Kind(name: queue.name, type: queue.type)
                if queue.type == "stream" {
                    kind.defect = .stream
                } else if queue.isAutoDelete {
                    kind.defect = .autoDelete
                } else if !queue.isDurable {
                    kind.defect = .notDurable
                }
                return kind
            }
        }
        // Of its properties AMQP tells the first that differs.
        return seen.broker.queues.map { queue in
            switch queue.likeness {
            case .same: Kind(name: queue.name, type: topology.queueType.rawValue)
            case .unknown: Kind(name: queue.name)
            case .differs(let text):
                Kind(
                    name: queue.name,
                    type: QueueDifference.queueType(in: text),
                    defect: QueueDefect(text)
                )
            }
        }
    }

    private func judge(
        _ defect: QueueDefect,
        of queue: String,
        isMain: Bool,
        _ source: Finding.Source
    ) -> Finding {
        let text = "\(queue) \(defect): \(defect.remedy)"
        return isMain && defect.forbidsConsuming
            ? .error(text, by: source) : .warning(text, by: source)
    }

    /// A quorum queue survives the loss of a node, which takes classic queues on it away.
    private func helpers(_ kinds: [Kind], in seen: DoctorSnapshot) -> [Finding] {
        guard case .seen(let report) = seen.management, report.nodes ?? 1 > 1,
            kinds.first?.type == "quorum"
        else { return [] }
        let classic = kinds.dropFirst().filter { $0.type == "classic" }.map(\.name)
        if classic.isEmpty { return [] }
        return [
            .warning(
                """
                \(classic.joined(separator: ", ")) are classic queues and the main queue is a \
                quorum queue: retries and dead letters stop while one node is down; make them anew \
                as quorum queues when they are empty (RABBITMQ_QUEUE_TYPE=quorum, amity migrate \
                --topology)
                """,
                by: .management
            )
        ]
    }
}

extension QueueDefect {
    /// What a refused declaration names as the first difference.
    init?(_ refusal: String) {
        if QueueDifference.queueType(in: refusal) == QueueDefect.stream.rawValue {
            self = .stream
        } else if refusal.contains("'auto_delete'") {
            self = .autoDelete
        } else if refusal.contains("'durable'") {
            self = .notDurable
        } else {
            return nil
        }
    }
}
