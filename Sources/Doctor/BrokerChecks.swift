import AMQP
import Foundation
import Settings

struct BrokerReachableCheck: Check {
    let name = "broker"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let failed = seen.broker.nodes.filter { $0.failure != nil }
        if failed.isEmpty { return [.ok("every address lets us in", by: .amqp)] }
        let others = failed.count < seen.broker.nodes.count
        return failed.map { node in
            let text = "\(node.address): \(node.failure.map { "\($0)" } ?? "")"
            return others
                ? .warning("\(text); workers use the other addresses", by: .amqp)
                : .error("\(text); no worker gets a message", by: .amqp)
        }
    }
}

struct BrokerVersionCheck: Check {
    let name = "broker-version"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let version = seen.broker.nodes.compactMap(\.version).first else { return [] }
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else {
            return [.note("the broker calls itself \(version); it is not known to work", by: .amqp)]
        }
        if (numbers[0], numbers[1]) >= (3, 8) { return [.ok("RabbitMQ \(version)", by: .amqp)] }
        return [.error("RabbitMQ \(version) is too old: 3.8 is the least", by: .amqp)]
    }
}

struct BrokerEncryptionCheck: Check {
    let name = "broker-tls"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let endpoint = seen.options.endpoint
        let distant = endpoint.addresses.filter { !Loopback.contains($0.host) }
        if endpoint.security != nil || distant.isEmpty {
            return [.ok("the link does not cross a network in the clear", by: .settings)]
        }
        let names = distant.map(\.description).joined(separator: ", ")
        return [
            .warning(
                """
                password and messages cross the network to \(names) in the clear: use amqps://, or \
                RABBITMQ_TLS=true
                """,
                by: .settings
            )
        ]
    }
}

struct BrokerPermissionsCheck: Check {
    let name = "broker-permissions"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        if seen.broker.queues.isEmpty { return [] }
        let queue = seen.options.topology.names.main
        let user = seen.options.endpoint.username
        let reading = judge(
            seen.broker.reading,
            lack: """
                user \(user) may not read \(queue), so a worker gets nothing: give it read on \
                ^\(queue)$
                """
        )
        // A broker with an alarm answers nothing, which the check of that says.
        let publishing = judge(
            seen.broker.alarm == nil ? seen.broker.publishing : nil,
            lack: """
                user \(user) may not publish to queues, so nothing can be retried or \
                dead-lettered: give it write on ^amq\\.default$
                """
        )
        let found = reading + publishing
        return found.isEmpty ? [.ok("\(user) may consume and publish", by: .amqp)] : found
    }

    private func judge(_ permission: BrokerSnapshot.Permission?, lack: String) -> [Finding] {
        switch permission {
        case .granted, nil: []
        case .refused: [.error(lack, by: .amqp)]
        case .unknown(let reason):
            [.note("whether messages can be published cannot be told: \(reason)", by: .amqp)]
        }
    }
}

struct ManagementEncryptionCheck: Check {
    let name = "management-tls"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let url = seen.options.management.flatMap({ URL(string: $0.url) }) else {
            return []
        }
        if url.scheme == "https" || Loopback.contains(url.host() ?? "") {
            return [.ok("the link does not cross a network in the clear", by: .settings)]
        }
        return [
            .warning(
                """
                RABBITMQ_MANAGEMENT_URL: its password crosses the network in the clear: use https://
                """,
                by: .settings
            )
        ]
    }
}

struct ManagementCheck: Check {
    let name = "management"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        switch seen.management {
        case .notAsked:
            [
                .note(
                    """
                    AMQP tells neither who else consumes, nor policies, nor a quorum queue's \
                    delivery limit, and of a queue's arguments only the first that differs: \
                    RABBITMQ_MANAGEMENT_URL lets the doctor see them
                    """,
                    by: .settings
                )
            ]
        case .failed(let error):
            [.warning("\(error)", by: .management)]
        case .seen(let report):
            [.ok("RabbitMQ \(report.version) answers", by: .management)]
        }
    }
}

/// A broker that is short of memory or disk takes no message: no retry, no dead letter, nothing
/// new.
struct BrokerAlarmCheck: Check {
    let name = "broker-alarm"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let cost = "the broker takes no messages: make room there"
        if case .seen(let report) = seen.management, !report.alarms.isEmpty {
            return report.alarms.map { .error("\($0), so \(cost)", by: .management) }
        }
        if let alarm = seen.broker.alarm {
            return [.error("\(alarm), so \(cost)", by: .amqp)]
        }
        return seen.broker.queues.isEmpty ? [] : [.ok("the broker takes messages", by: .amqp)]
    }
}

/// A node that was cut off or frozen may come back with a table of queues of its own: it declares
/// queues that the others have, and what is published there no consumer sees.
struct ClusterCheck: Check {
    let name = "cluster"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard case .seen(let report) = seen.management, let nodes = report.nodes, nodes > 1 else {
            return []
        }
        if report.partitions.isEmpty {
            return [.ok("the \(nodes) nodes of the broker work together", by: .management)]
        }
        let parted = report.partitions.sorted { $0.key < $1.key }.map { node, others in
            "\(node) from \(others.sorted().joined(separator: " and "))"
        }
        return [
            .error(
                """
                the broker's nodes have parted (\(parted.joined(separator: ", "))), so some may \
                have queues that no worker consumes from: restart those of the smaller part \
                (rabbitmqctl stop_app, then start_app)
                """,
                by: .management
            )
        ]
    }
}
