import Foundation

/// Reads what the process uses, and turns what only grows into rates. Some dozens of small files
/// each time: tens of microseconds each.
struct ResourceReader: Sendable {
    private let files: KernelFiles
    private let groups: ControlGroups
    let disks: DiskWatch
    private var before: (processor: Duration, network: NetworkTotals?, at: ContinuousClock.Instant)?

    init(_ files: KernelFiles, _ folders: [WatchedFolder]) {
        self.files = files
        disks = DiskWatch(folders)
        groups = ControlGroups(files)
    }

    mutating func read(at now: ContinuousClock.Instant = .now) -> ResourceUse {
        let processor = Duration.usedByProcess
        let network = NetworkTotals(files)
        defer { before = (processor, network, now) }
        var use = ResourceUse()
        // Those that it may run on: a container may have a set of them.
        let machine = Double(ProcessInfo.processInfo.activeProcessorCount)
        use.cpu = .init(limit: min(groups.processors ?? machine, machine))
        if let before, before.at < now {
            let time = before.at.duration(to: now)
            use.cpu?.used = (processor - before.processor) / time
            if let network, let first = before.network {
                let (received, sent) = network - first
                use.network = .init(
                    receivedBytesPerSecond: received / (time / .seconds(1)),
                    sentBytesPerSecond: sent / (time / .seconds(1))
                )
            }
        }
        use.memory = memory()
        if let open = files.openDescriptors, let limit = files.descriptorLimit {
            use.descriptors = .init(open: open, limit: limit)
        }
        use.disks = disks.latest
        let pressure = ResourceUse.Pressure(
            cpu: groups.pressure(on: "cpu"),
            memory: groups.pressure(on: "memory"),
            io: groups.pressure(on: "io")
        )
        use.pressure = pressure == .init() ? nil : pressure
        return use
    }

    private func memory() -> ResourceUse.Memory? {
        guard let resident = files.residentBytes else { return nil }
        let machine = files.machineMemory
        if let group = groups.memory(of: machine) {
            return .init(
                residentBytes: resident,
                usedBytes: Int(group.used),
                limitBytes: Int(group.limit)
            )
        }
        // What others use of a machine is not for this process to make up for.
        return .init(
            residentBytes: resident,
            usedBytes: resident,
            limitBytes: machine.map { Int($0) }
        )
    }
}

/// Bytes since the namespace was made, without those of the loopback interface.
struct NetworkTotals: Sendable {
    static let none = NetworkTotals()

    private(set) var received = 0.0
    private(set) var sent = 0.0

    private init() {}

    /// nil when it cannot be read.
    init?(_ files: KernelFiles) {
        // Two lines of titles, then "eth0: 1 2 …": eight figures of what came, eight of what went.
        let lines = files.lines("proc/self/net/dev").dropFirst(2)
        if lines.isEmpty { return nil }
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let figures = line[line.index(after: colon)...].split(separator: " ")
            if line[..<colon].trimmingCharacters(in: .whitespaces) == "lo" || figures.count < 9 {
                continue
            }
            received += Double(figures[0]) ?? 0
            sent += Double(figures[8]) ?? 0
        }
    }

    /// What came and went meanwhile. An interface that is gone takes its figures with it.
    static func - (now: Self, before: Self) -> (received: Double, sent: Double) {
        (max(0, now.received - before.received), max(0, now.sent - before.sent))
    }
}

extension KernelFiles {
    /// Memory of the process that is resident.
    var residentBytes: Int? { memoryBytes(at: 1) }

    /// All of its address space.
    var virtualBytes: Int? { memoryBytes(at: 0) }

    private func memoryBytes(at index: Int) -> Int? {
        // Pages: all, then those that are resident.
        let pages = (text("proc/self/statm") ?? "").split(separator: " ").compactMap { Int($0) }
        return pages.count > index ? pages[index] * Int(sysconf(Int32(_SC_PAGESIZE))) : nil
    }

    /// Without the one that is open for the look.
    var openDescriptors: Int? { count(in: "proc/self/fd").map { $0 - 1 } }

    /// nil where there is none.
    var descriptorLimit: Int? {
        number("proc/self/limits", named: "Max open files").flatMap { Int(exactly: $0) }
    }
}
