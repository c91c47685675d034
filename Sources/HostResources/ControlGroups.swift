/// The control group of the process, and those that it is in (v2, or v1): each may have a limit.
struct ControlGroups: Sendable {
    private let files: KernelFiles
    private let memoryFolders: [String]
    private let processorFolders: [String]
    /// Of v2, also where v1 has the limits.
    private let pressureFolders: [String]

    init(_ files: KernelFiles) {
        self.files = files
        // "4:memory:/path" in v1, "0::/path" in v2.
        let groups = files.lines("proc/self/cgroup").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }.filter { $0.count == 3 }
        let unified = groups.first { $0[0] == "0" }?[2] ?? ""
        func folders(of controller: String) -> [String] {
            let old = groups.first { $0[1].split(separator: ",").contains { $0 == controller } }
            return Self.folders(below: old.map { _ in "/\(controller)" } ?? "", old?[2] ?? unified)
        }
        memoryFolders = folders(of: "memory")
        processorFolders = folders(of: "cpu")
        pressureFolders = ["", "/unified"].flatMap { Self.folders(below: $0, unified) }
    }

    /// From the outermost to the process' own. In a container the path may be the host's: then only
    /// the top is there.
    private static func folders(below top: String, _ path: Substring) -> [String] {
        let names = path.split(separator: "/").filter { $0 != ".." }
        return (0...names.count).map { count in
            (["sys/fs/cgroup" + top] + names.prefix(count).map(String.init)).joined(separator: "/")
        }
    }

    // MARK: Processors

    /// How many processors' time the process may use; nil for no limit.
    var processors: Double? {
        processorFolders.compactMap { folder in
            let text = files.text(folder + "/cpu.max") ?? ""
            let fields = text.split(whereSeparator: \.isWhitespace)
            let quota =
                fields.first.flatMap { Double($0) } ?? files.number(folder + "/cpu.cfs_quota_us")
            let period =
                fields.last.flatMap { Double($0) } ?? files.number(folder + "/cpu.cfs_period_us")
            guard let quota, let period, quota > 0, period > 0 else { return nil }
            return quota / period
        }.min()
    }

    // MARK: Memory

    /// Of the group that is nearest to its limit, in bytes; nil where none has one.
    ///
    /// - Parameter machine: what the machine has: a limit above it is none. Version 1 writes "no
    ///   limit" as a number larger than any memory.
    func memory(of machine: Double?) -> (used: Double, limit: Double)? {
        memoryFolders.compactMap { folder -> (used: Double, limit: Double)? in
            guard let limit = memoryLimit(folder), limit > 0, limit <= machine ?? 1e15,
                let used = files.number(folder + "/memory.current")
                    ?? files.number(folder + "/memory.usage_in_bytes")
            else { return nil }
            // Pages of files: the kernel drops them before it kills a process.
            let stat = folder + "/memory.stat"
            let files = [
                files.number(stat, named: "total_inactive_file", "inactive_file"),
                files.number(stat, named: "total_active_file", "active_file"),
            ].compactMap(\.self).reduce(0, +)
            return (max(0, used - files), limit)
        }.max { $0.used / $0.limit < $1.used / $1.limit }
    }

    /// The least that one of them has.
    func memoryLimit(of machine: Double?) -> Double? {
        (memoryFolders.compactMap(memoryLimit) + [machine].compactMap(\.self)).min()
            .flatMap { $0 < 1e15 ? $0 : nil }
    }

    /// Above `memory.high` the kernel slows a group down until it is below it again.
    private func memoryLimit(_ folder: String) -> Double? {
        let names = ["memory.max", "memory.high", "memory.limit_in_bytes"]
        return names.compactMap { files.number("\(folder)/\($0)") }.min()
    }

    // MARK: Pressure

    /// The share of the last ten seconds in which something waited for a resource (`cpu`, `memory`
    /// or `io`): in the process' own group, else on the machine. nil where the kernel does not say.
    func pressure(on resource: String) -> Double? {
        let paths = pressureFolders.reversed().map { "\($0)/\(resource).pressure" }
        for path in paths + ["proc/pressure/\(resource)"] {
            // some avg10=1.23 avg60=0.45 …
            for line in files.lines(path) where line.hasPrefix("some avg10=") {
                let figure = line.dropFirst("some avg10=".count).prefix { $0 != " " }
                return Double(figure).map { $0 / 100 }
            }
        }
        return nil
    }
}
