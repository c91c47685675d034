import AMQP
import Settings

/// Where the queue is that is watched, and what tells more of it.
package struct QueueOptions: Sendable {
    package var endpoint: Endpoint
    package var topology: Topology
    /// nil where there is none.
    package var management: ManagementEndpoint?

    package init(endpoint: Endpoint, topology: Topology, management: ManagementEndpoint?) {
        self.endpoint = endpoint
        self.topology = topology
        self.management = management
    }
}
