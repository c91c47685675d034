import Foundation

/// How much of the processors and of the memory that a process may use is in use: the machine's,
/// and its control groups' where those are narrower. What cannot be read is no load.
package struct MachineLoad {
    private let files: KernelFiles
    private let groups: ControlGroups
    private var machine: (busy: Double, total: Double)?
    private var process: (used: Duration, at: ContinuousClock.Instant)?

    /// - Parameter root: where `proc` and `sys` are.
    package init(root: String = KernelFiles.root) {
        files = KernelFiles(root: root)
        groups = ControlGroups(files)
    }

    // MARK: Processors

    /// The share of the processors, 0…1, that was in use since the last call.
    package mutating func processorShare() -> Double {
        max(shareOfMachine(), shareOfQuota())
    }

    private mutating func shareOfMachine() -> Double {
        // user nice system idle iowait irq softirq steal; guests are counted in user.
        let fields = (files.lines("proc/stat").first ?? "").split(separator: " ")
        let ticks = fields.dropFirst().prefix(8).compactMap { Double($0) }
        guard fields.first == "cpu", ticks.count == 8 else { return 0 }
        let total = ticks.reduce(0, +)
        let busy = total - ticks[3] - ticks[4]
        defer { machine = (busy, total) }
        guard let machine, total > machine.total else { return 0 }
        return (busy - machine.busy) / (total - machine.total)
    }

    /// A worker is alone in its container, so its own time is the group's.
    private mutating func shareOfQuota() -> Double {
        let used = Duration.usedByProcess
        let now = ContinuousClock.now
        defer { process = (used, now) }
        guard let process, now > process.at, let processors = groups.processors else { return 0 }
        return (used - process.used) / (process.at.duration(to: now) * processors)
    }

    // MARK: Memory

    /// The share of the memory, 0…1, that the group may use and does.
    package func memoryShare() -> Double {
        groups.memory(of: machineMemory).map { $0.used / $0.limit } ?? 0
    }

    /// The bytes that the process may use: its groups', or the machine's where that is less.
    package func memoryLimit() -> Int? { groups.memoryLimit(of: machineMemory).map { Int($0) } }

    private var machineMemory: Double? { files.machineMemory }

    // MARK: Pressure

    /// The share of the last ten seconds in which something waited for memory.
    package func memoryPressure() -> Double { groups.pressure(on: "memory") ?? 0 }

    /// The same for processors.
    package func processorPressure() -> Double { groups.pressure(on: "cpu") ?? 0 }
}

extension KernelFiles {
    /// All the memory that the machine has, in bytes.
    var machineMemory: Double? { number("proc/meminfo", named: "MemTotal").map { $0 * 1024 } }
}

extension Duration {
    /// Processor time that this process has used, user and system.
    static var usedByProcess: Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
