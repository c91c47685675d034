import AMQP
import AnalysisServices
import Messaging
import Operations
import Postgres
import Settings

/// Everything the doctor has seen. Probes fill it in; checks judge it and see nothing else, so that
/// a check can be tried on any state of the world.
struct DoctorSnapshot: Sendable {
    var options: DoctorOptions
    var host: HostSnapshot
    var broker: BrokerSnapshot
    var management: ManagementSnapshot
    var database: DatabaseSnapshot
    /// Those behind the analysis; empty where none is asked.
    var services: [ServiceProbe.Snapshot] = []
}

/// The machine, or the container, that this runs on. A worker elsewhere may see another.
struct HostSnapshot: Sendable {
    struct SecretFile: Sendable {
        /// The setting that names it, or the file itself.
        var name: String
        /// Permission bits.
        var mode: UInt32
        /// Whether others get to it at all: a folder above it may be closed to them, and a secret
        /// that a container is given is not seen outside of it.
        var isReachable = true
        /// Whether it belongs to the user who reads it, or that is root: else closing it to others
        /// closes it to the reader.
        var isOwn = true
    }

    var openFilesMax: Int
    /// Of the control group or the machine; nil where neither says.
    var memoryBytes: Int?
    /// As WORKER_REPLICAS says; nil where it is not set.
    var replicas: Int?
    var secretFiles: [SecretFile]
    /// Variables that resemble settings and are none.
    var unknownNames: [UnknownName] = []
}

/// What the management plugin tells.
enum ManagementSnapshot: Sendable {
    case notAsked
    case failed(ManagementError)
    case seen(ManagementReport)
}

package struct ManagementReport: Sendable {
    package struct Queue: Sendable {
        var name: String
        var type: String
        /// Its own, then a policy's.
        var arguments: [String: HeaderValue]
        var policy: [String: HeaderValue]
        /// `running`, `down` and the like; nil where the plugin does not say.
        var state: String?
        var node: String?
        var isDurable = true
        var isAutoDelete = false
    }

    typealias Consumer = ManagementAPI.Consumer

    var version: String
    /// By name; those that are missing are not in it.
    var queues: [String: Queue]
    /// Of the main queue.
    var consumers: [Consumer]
    /// Whether the exchange leads to the main queue by the routing key; nil where that cannot be
    /// seen.
    var isBound: Bool?
    /// How many the broker has; nil where this user may not see them.
    var nodes: Int?
    /// Why the broker takes no messages: its nodes' alarms.
    var alarms: [String]
    /// By node: those that it has parted from, if any.
    var partitions: [String: [String]] = [:]
    /// The broker's clock minus ours, in seconds; it counts whole ones.
    var skew: Double?
}
