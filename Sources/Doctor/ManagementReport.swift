import AMQP
import Foundation
import Operations

extension ManagementReport {
    init(
        from management: ManagementAPI,
        on topology: Topology,
        taskQueues: [String]
    ) throws(ManagementError) {
        let asked = Date()
        let (overview, date) = try management.overview()
        let half = Date().timeIntervalSince(asked) / 2
        self.init(version: overview.rabbitmq_version, queues: [:], consumers: [], alarms: [])
        // The header has the second that has begun.
        skew = date.map { $0.timeIntervalSince(asked) - half + 0.5 }
        for name in topology.queueNames + taskQueues {
            guard let queue = try management.queue(name) else { continue }
            queues[name] = Queue(queue, named: name)
            if name == topology.names.main { consumers = try management.consumers(of: queue) }
        }
        isBound = try management.bindings(from: topology.exchange)?.contains {
            $0.destination == topology.names.main && $0.routing_key == topology.routingKey
        }
        guard let nodes = try management.nodes() else { return }
        self.nodes = nodes.count
        alarms = nodes.flatMap { node in
            (node.mem_alarm == true ? ["\(node.name) is short of memory"] : [])
                + (node.disk_free_alarm == true ? ["\(node.name) is short of disk"] : [])
        }
        for node in nodes {
            if let others = node.partitions, !others.isEmpty { partitions[node.name] = others }
        }
    }
}

extension ManagementReport.Queue {
    fileprivate init(_ queue: ManagementAPI.Queue, named name: String) {
        self.init(
            name: name,
            type: queue.type ?? "classic",
            arguments: queue.arguments?.values ?? [:],
            policy: queue.effective_policy_definition?.values ?? [:],
            state: queue.state,
            node: queue.node,
            isDurable: queue.durable ?? true,
            isAutoDelete: queue.auto_delete ?? false
        )
    }
}
