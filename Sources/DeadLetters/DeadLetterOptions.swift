import AMQP

/// Where dead letters are, and for how long.
package struct DeadLetterOptions: Sendable {
    package var endpoint: Endpoint
    package var topology: Topology
    /// Days after which one is thrown away; 0 for never.
    package var retentionDays: Int

    package init(endpoint: Endpoint, topology: Topology, retentionDays: Int) {
        self.endpoint = endpoint
        self.topology = topology
        self.retentionDays = retentionDays
    }
}
