import AMQP
import FriendshipScoring

/// What an explanation is made from besides rows.
package struct ExplainerOptions: Sendable {
    package var endpoint: Endpoint
    package var topology: Topology
    package var weights: ScoreWeights
    package var taskTimeout: Duration
    /// Zero for never.
    package var sweepAfter: Duration

    package init(
        endpoint: Endpoint,
        topology: Topology,
        weights: ScoreWeights,
        taskTimeout: Duration,
        sweepAfter: Duration
    ) {
        self.endpoint = endpoint
        self.topology = topology
        self.weights = weights
        self.taskTimeout = taskTimeout
        self.sweepAfter = sweepAfter
    }
}
