import Concurrency
import Foundation

/// What is free on the file systems that the process writes to.
///
/// It looks on a thread of its own: a file system whose server is away does not answer, for hours,
/// and then only these figures are old.
final class DiskWatch: Sendable {
    private static let interval = Duration.seconds(5)
    /// For the first figures, at a start. Chosen: too short to be noticed.
    private static let patience = Duration.milliseconds(200)

    private let folders: [WatchedFolder]
    private let found = Locked<[ResourceUse.Disk]>([])

    init(_ folders: [WatchedFolder]) {
        self.folders = folders
    }

    /// As of the last look.
    var latest: [ResourceUse.Disk] { found.withLock(\.self) }

    /// Starts its thread, which ends with the process.
    func start() {
        let first = MonotonicSemaphore(value: 0)
        startThread(name: "amity-disks", stackBytes: 256 << 10) { [self] in
            look()
            first.signal()
            while true {
                Thread.sleep(forTimeInterval: Self.interval / .seconds(1))
                look()
            }
        }
        first.wait(atMost: Self.patience)
    }

    func look() {
        var seen: Set<dev_t> = []
        let disks = folders.compactMap { Self.disk(of: $0, &seen) }
        found.withLock { $0 = disks }
    }

    /// - Returns: nil for one that is not there, is never written to, or was seen before.
    private static func disk(
        of folder: WatchedFolder,
        _ seen: inout Set<dev_t>
    ) -> ResourceUse.Disk? {
        var status = stat()
        var space = statvfs()
        guard stat(folder.path, &status) == 0, statvfs(folder.path, &space) == 0,
            space.f_flag & UInt(ST_RDONLY) == 0, space.f_blocks > 0,
            seen.insert(status.st_dev).inserted
        else { return nil }
        // A file system in user space may say anything; what is no size is none.
        let (all, free) = (Double(space.f_blocks), Double(space.f_bavail))
        let block = Double(space.f_frsize)
        // As `df` has it: what is kept for root is not part of the size.
        let size = (all - Double(space.f_bfree) + free) * block
        guard (0...Double(1 << 60)).contains(size), free * block <= size else { return nil }
        return .init(folder: folder.name, freeBytes: Int(free * block), sizeBytes: Int(size))
    }
}
