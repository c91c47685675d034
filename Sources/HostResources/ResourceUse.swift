/// What a worker uses of its host, and what it may use. What could not be read is nil, never 0.
package struct ResourceUse: Codable, Sendable, Equatable {
    package struct Processors: Codable, Sendable, Equatable {
        /// As many were busy with the process since the last look; nil at the first.
        package var used: Double?
        /// As many it may use: its container's quota, or those of the machine.
        package var limit: Double
    }

    package struct Memory: Codable, Sendable, Equatable {
        /// The process' own.
        package var residentBytes: Int
        /// Of what `limitBytes` is about: all that is in the container, without files that the
        /// kernel can drop; the process' own where only the machine is a limit.
        package var usedBytes: Int
        /// The container's limit that is nearest, or what the machine has.
        package var limitBytes: Int?

        private enum CodingKeys: String, CodingKey {
            case residentBytes = "resident_bytes"
            case usedBytes = "used_bytes"
            case limitBytes = "limit_bytes"
        }

        package var share: Double? { limitBytes.map { Double(usedBytes) / Double($0) } }
    }

    package struct Descriptors: Codable, Sendable, Equatable {
        package var open: Int
        package var limit: Int

        var share: Double { Double(open) / Double(limit) }
    }

    /// A file system that the worker writes to.
    package struct Disk: Codable, Sendable, Equatable {
        /// What the worker has there: see `WatchedFolder`.
        package var folder: String
        /// For this user.
        package var freeBytes: Int
        package var sizeBytes: Int

        private enum CodingKeys: String, CodingKey {
            case folder
            case freeBytes = "free_bytes"
            case sizeBytes = "size_bytes"
        }
    }

    /// Of the process' network namespace, without the loopback interface.
    package struct Network: Codable, Sendable, Equatable {
        package var receivedBytesPerSecond: Double
        package var sentBytesPerSecond: Double

        private enum CodingKeys: String, CodingKey {
            case receivedBytesPerSecond = "received_bytes_per_second"
            case sentBytesPerSecond = "sent_bytes_per_second"
        }
    }

    /// The share of the last ten seconds in which something waited for each.
    package struct Pressure: Codable, Sendable, Equatable {
        package var cpu: Double?
        package var memory: Double?
        package var io: Double?
    }

    package var cpu: Processors?
    package var memory: Memory?
    package var descriptors: Descriptors?
    /// One for each file system; empty where none could be asked.
    package var disks: [Disk] = []
    /// nil at the first look.
    package var network: Network?
    package var pressure: Pressure?
    /// What is nearly used up: `memory`, `descriptors`, `disk <folder>`.
    package var shortOf: [String] = []
    /// The share of its threads that may begin work: 1 unless it is short of memory.
    package var threadsShare = 1.0

    // Programs read it from the leases of workers as it is stored.
    private enum CodingKeys: String, CodingKey {
        case cpu, memory, descriptors, disks, network, pressure
        case shortOf = "short_of"
        case threadsShare = "threads_share"
    }

    package init() {}
}

/// A folder whose file system is watched.
package struct WatchedFolder: Sendable {
    /// What it is to the worker, in one word.
    package var name: String
    package var path: String

    package init(_ name: String, _ path: String) {
        self.name = name
        self.path = path
    }
}
