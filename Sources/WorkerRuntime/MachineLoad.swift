import Foundation

/// How much of the processors and of the memory that a process may use is in use: the machine's,
/// and its control group's (v2, or v1) where that is narrower. What cannot be read is no pressure.
package struct MachineLoad {
    private let root: String
    private let memoryFolders: [String]
    private let processorFolders: [String]
    private var machine: (busy: Double, total: Double)?
    private var process: (used: Duration, at: ContinuousClock.Instant)?

    /// - Parameter root: where `proc` and `sys` are.
    package init(root: String = "/") {
        self.root = root
        memoryFolders = Self.folders(of: "memory", root: root)
        processorFolders = Self.folders(of: "cpu", root: root)
    }

    // MARK: Processors

    /// The share of the processors, 0…1, that was in use since the last call.
    package mutating func processorShare() -> Double {
        max(shareOfMachine(), shareOfQuota())
    }

    private mutating func shareOfMachine() -> Double {
        // user nice system idle iowait irq softirq steal; guests are counted in user.
        let fields = Self.text(root + "/proc/stat").prefix { $0 != "\n" }.split(separator: " ")
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
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        let used = Duration.seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        let now = ContinuousClock.now
        defer { process = (used, now) }
        guard let process, now > process.at,
            let processors = processorFolders.compactMap(Self.processors).min()
        else { return 0 }
        return (used - process.used) / (process.at.duration(to: now) * processors)
    }

    /// How many processors' time a group may use; nil for no limit.
    private static func processors(of folder: String) -> Double? {
        let fields = text(folder + "/cpu.max").split(whereSeparator: \.isWhitespace)
        let quota = fields.first.flatMap { Double($0) } ?? number(folder + "/cpu.cfs_quota_us")
        let period = fields.last.flatMap { Double($0) } ?? number(folder + "/cpu.cfs_period_us")
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return quota / period
    }

    // MARK: Memory

    /// The share of the memory, 0…1, that the group may use and does.
    package func memoryShare() -> Double {
        memoryFolders.compactMap(Self.memoryShare).max() ?? 0
    }

    /// The bytes that the process may use: its groups', or the machine's where that is less.
    package func memoryLimit() -> Int? {
        let groups = memoryFolders.compactMap { folder in
            Self.number(folder + "/memory.max")
                ?? Self.number(folder + "/memory.limit_in_bytes")
        }
        let lines = Self.text(root + "/proc/meminfo").split(separator: "\n")
        let machine = lines.firstMatch(of: ["MemTotal:"]).map { $0 * 1024 }
        let limits = groups + [machine].compactMap(\.self)
        // Version 1 writes "no limit" as a number larger than any memory.
        return limits.min().flatMap { $0 < 1e15 ? Int($0) : nil }
    }

    private static func memoryShare(of folder: String) -> Double? {
        let limit = number(folder + "/memory.max") ?? number(folder + "/memory.limit_in_bytes")
        let used = number(folder + "/memory.current") ?? number(folder + "/memory.usage_in_bytes")
        guard let limit, let used, limit > 0 else { return nil }
        // Pages of files that no process has touched for a while: the kernel drops them before it
        // kills a process. Kubernetes leaves them out as well.
        let reclaimable = text(folder + "/memory.stat").split(separator: "\n").firstMatch(
            of: ["total_inactive_file", "inactive_file"]
        )
        return (used - (reclaimable ?? 0)) / limit
    }

    // MARK: Files

    /// The folders of the process' group and of those it is in: each may have a limit.
    private static func folders(of controller: String, root: String) -> [String] {
        // "4:memory:/path" in v1, "0::/path" in v2.
        let groups = text(root + "/proc/self/cgroup").split(separator: "\n").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }.filter { $0.count == 3 }
        let old = groups.first { $0[1].split(separator: ",").contains { $0 == controller } }
        guard let group = old ?? groups.first(where: { $0[0] == "0" }) else { return [] }
        let top = root + "/sys/fs/cgroup" + (old == nil ? "" : "/\(controller)")
        // In a container the path may be the host's: then only the top is there.
        let names = group[2].split(separator: "/").filter { $0 != ".." }
        return (0...names.count).map { count in
            ([top] + names.prefix(count).map(String.init)).joined(separator: "/")
        }
    }

    /// Empty when it cannot be read: not every kernel and container has every file.
    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// nil for "max".
    private static func number(_ path: String) -> Double? {
        Double(text(path).trimmingCharacters(in: .whitespacesAndNewlines))
    }
}

extension [Substring] {
    /// The number on the line that begins with the first of `names` there is.
    fileprivate func firstMatch(of names: [String]) -> Double? {
        for name in names {
            for line in self where line.hasPrefix(name + " ") {
                let words = line.split(separator: " ")
                return words.count > 1 ? Double(words[1]) : nil
            }
        }
        return nil
    }
}
