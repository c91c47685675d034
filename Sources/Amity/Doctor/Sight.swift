import AMQP
import AnalysisServices
import Postgres
import WorkerRuntime

/// Everything the doctor has seen. Probes fill it in; checks judge it and see nothing else, so that a
/// check can be tried on any state of the world.
struct Sight: Sendable {
    var settings: WorkerSettings
    var host: HostSight
    var broker: BrokerSight
    var management: ManagementSight
    var database: DatabaseSight
    /// Those behind the analysis; empty where none is asked.
    var services: [ServiceProbe.Sight] = []
}

/// The machine, or the container, that this runs on. A worker elsewhere may see another.
struct HostSight: Sendable {
    struct SecretFile: Sendable {
        /// The setting that names it, or the file itself.
        var name: String
        /// Permission bits.
        var mode: UInt32
    }

    var openFilesMax: Int
    /// Of the control group or the machine; nil where neither says.
    var memoryBytes: Int?
    /// As WORKER_REPLICAS says; nil where it is not set.
    var replicas: Int?
    var secretFiles: [SecretFile]
}

/// What the management plugin tells.
enum ManagementSight: Sendable {
    case notAsked
    case failed(String)
    case seen(ManagementReport)
}

struct ManagementReport: Sendable {
    struct Queue: Sendable {
        var name: String
        var type: String
        /// Its own, then a policy's.
        var arguments: [String: HeaderValue]
        var policy: [String: HeaderValue]
    }

    struct Consumer: Sendable {
        /// As the connection calls itself, else its address.
        var connection: String
        var isAmity: Bool
    }

    var version: String
    /// By name; those that are missing are not in it.
    var queues: [String: Queue]
    /// Of the main queue.
    var consumers: [Consumer]
    /// Whether the exchange leads to the main queue by the routing key; nil where that cannot be seen.
    var isBound: Bool?
    /// Why the broker takes no messages: its nodes' alarms.
    var alarms: [String]
    /// The broker's clock minus ours, in seconds; it counts whole ones.
    var skew: Double?
}

struct DatabaseSight: Sendable {
    struct Server: Sendable {
        var address: String
        /// nil where it let us in.
        var failure: String?
        var isMisconfigured = false
    }

    var servers: [Server] = []
    /// Of the first that let us in.
    var session: SessionSight?
}

struct SessionSight: Sendable {
    enum Pooling: Sendable {
        /// The server itself.
        case none
        /// A server for as long as the session lasts.
        case bySession
        /// Perhaps another server for each transaction.
        case byTransaction
    }

    struct Table: Sendable {
        /// Column to type, as PostgreSQL names it.
        var columns: [String: String]
        /// Those of the ones asked for that the role lacks.
        var lacking: [String]
    }

    struct Index: Sendable {
        var name: String
        var table: String
        var method: String
        var columns: String
        var bytes: Int
    }

    struct Room: Sendable {
        var maximum: Int
        var reserved: Int
        /// Connections there are, of everybody but Amity as far as can be seen.
        var others: Int
        /// Of the role and of the database; nil for no limit.
        var roleLimit: Int?
        var databaseLimit: Int?
    }

    /// As `server_version_num`.
    var version: Int
    var role: String
    var isEncrypted: Bool
    var isReadOnly: Bool
    /// Whether the server has the limits that each session asks for when it starts.
    var hasOurGuards: Bool
    var pooling: Pooling
    /// The database's clock minus ours, in seconds, and how far that may be off.
    var skew: (seconds: Double, uncertainty: Double)
    /// By name; those that are missing are not in it.
    var tables: [String: Table]
    var indexes: [Index]
    var room: Room
    /// Workers on the queue that have reported themselves of late; nil where that cannot be seen.
    var liveWorkers: Int?
    /// Others whose last statement changed friendships: the application's name and the role.
    var rivals: [String]
    /// Of users that were scored last and whose friendships are new: those with exactly twice what their
    /// conversations brought, and all.
    var doubled: (users: Int, of: Int)
}
