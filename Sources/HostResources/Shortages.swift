import Logging
import WorkerHealth

/// Something that is nearly used up.
struct Shortage: Sendable, Equatable {
    enum Resource: String, CaseIterable, Sendable {
        case memory, descriptors, disk

        var begin: Logger.Message {
            switch self {
            case .memory: "worker.short-of-memory"
            case .descriptors: "worker.short-of-descriptors"
            case .disk: "worker.short-of-disk"
            }
        }

        var end: Logger.Message {
            switch self {
            case .memory: "worker.enough-memory"
            case .descriptors: "worker.enough-descriptors"
            case .disk: "worker.enough-disk"
            }
        }
    }

    var resource: Resource
    /// Of a disk: the folder that it is watched for.
    var folder: String?
    /// The mark that it has passed, in percent.
    var mark: Int
    /// In one line.
    var text: String

    /// As the registry and the health of links name it.
    var subject: String { resource.rawValue + (folder.map { " \($0)" } ?? "") }

    var problem: LinkHealth.Problem {
        LinkHealth.Problem(
            link: .host,
            subject: subject,
            kind: .short,
            code: "\(mark)%",
            text: text,
            remedy: remedy
        )
    }

    var remedy: String {
        switch resource {
        case .memory:
            "raise the limit, or lower PREFETCH_COUNT, MESSAGE_MAX_BYTES or the number of threads"
        case .descriptors: "raise the limit of open files (ulimit -n, LimitNOFILE=)"
        case .disk: "make room"
        }
    }
}

/// What is nearly used up, as of the last look. Pure.
struct Shortages: Sendable {
    /// Chosen: what is left is enough for links that are opened anew.
    private static let descriptors = (high: 0.8, low: 0.7)
    /// A disk is nearly full with less than this free, or less than a twentieth where that is not
    /// as much. Chosen.
    private static let room = 1 << 30

    private let marks: MemoryMarks
    private var memory: HighMark
    private var descriptors = HighMark(Self.descriptors.high, low: Self.descriptors.low)
    private var disks: [String: HighMark] = [:]

    init(memory marks: MemoryMarks) {
        self.marks = marks
        memory = HighMark(marks.high, low: marks.low)
    }

    mutating func observe(_ use: ResourceUse) -> [Shortage] {
        var found: [Shortage] = []
        memory.observe(use.memory?.share ?? 0)
        if memory.isReached || use.threadsShare < 1, let memory = use.memory,
            let share = memory.share
        {
            let limit = megabytes(memory.limitBytes ?? 0)
            let part = Int((1 / use.threadsShare).rounded())
            found.append(
                Shortage(
                    resource: .memory,
                    mark: percent(marks.high),
                    text: "\(percent(share)) % of its \(limit) MB are used"
                        + (part > 1 ? ": it begins work on one in \(part) of its threads" : "")
                )
            )
        }
        if let use = use.descriptors {
            descriptors.observe(use.share)
            if descriptors.isReached {
                found.append(
                    Shortage(
                        resource: .descriptors,
                        mark: percent(Self.descriptors.high),
                        text: "\(use.open) of \(use.limit) descriptors are open"
                    )
                )
            }
        }
        return found + use.disks.compactMap { shortage(of: $0) }
    }

    private mutating func shortage(of disk: ResourceUse.Disk) -> Shortage? {
        let wanted = min(Self.room, disk.sizeBytes / 20)
        var mark = disks[disk.folder] ?? HighMark(1, low: 2.0 / 3)
        mark.observe(Double(wanted) / Double(max(1, disk.freeBytes)))
        disks[disk.folder] = mark
        if !mark.isReached { return nil }
        return Shortage(
            resource: .disk,
            folder: disk.folder,
            mark: 95,
            text: "\(megabytes(disk.freeBytes)) of \(megabytes(disk.sizeBytes)) MB are free where "
                + "its \(disk.folder) folder is"
        )
    }

    private func megabytes(_ bytes: Int) -> Int { bytes >> 20 }

    private func percent(_ share: Double) -> Int { Int((share * 100).rounded()) }
}
