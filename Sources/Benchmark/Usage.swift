import Foundation

/// What processes have used, as the kernel counts it.
enum Usage {
    /// CPU seconds of a process, all its threads and those that have ended; nil when it is gone.
    static func cpuSeconds(of pid: Int32) -> Double? {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0
        else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The same of a process with its children, those it has waited for included: PostgreSQL has
    /// one for each session. In steps of the kernel's clock, 10 ms.
    static func cpuSecondsOfFamily(of pid: Int32) throws -> Double? {
        guard let parent = Stat(pid) else { return nil }
        let children = try FileManager.default.contentsOfDirectory(atPath: "/proc")
            .compactMap { Int32($0) }.compactMap(Stat.init).filter { $0.parent == pid }
        let ticks = children.reduce(parent.own + parent.ofEndedChildren) { $0 + $1.own }
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Most memory that a process has had resident, in megabytes; nil when it is gone.
    static func peakResidentMegabytes(of pid: Int32) -> Double? {
        let line = text(at: "/proc/\(pid)/status")?.split(separator: "\n")
            .first { $0.hasPrefix("VmHWM:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first
        return kilobytes.flatMap { Double($0) }.map { $0 / 1024 }
    }

    /// nil when the process is gone.
    private static func text(at path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A line of /proc/PID/stat, in ticks.
    private struct Stat {
        let parent: Int32
        let own: Double
        let ofEndedChildren: Double

        init?(_ pid: Int32) {
            guard let line = Usage.text(at: "/proc/\(pid)/stat"),
                // Past the program's name, which may hold blanks and parentheses.
                let name = line.lastIndex(of: ")")
            else { return nil }
            let fields = line[name...].split(separator: " ").dropFirst().map(String.init)
            guard fields.count > 14, let parent = Int32(fields[1]) else { return nil }
            func ticks(_ index: Int) -> Double { Double(fields[index]) ?? 0 }
            self.parent = parent
            own = ticks(11) + ticks(12)
            ofEndedChildren = ticks(13) + ticks(14)
        }
    }
}
