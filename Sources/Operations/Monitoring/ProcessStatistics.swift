import Concurrency
import CoreMetrics
import Foundation
import Metering
import Settings

/// What the process uses, under the names that Prometheus' own libraries have for it. Read from the
/// kernel's files on demand; what cannot be read stays as it was.
package struct ProcessStatistics: Sendable {
    private let cpu = Metric.cpu.floatingPointCounter()
    private let resident = Metric.residentMemory.gauge()
    private let virtual = Metric.virtualMemory.gauge()
    private let openFiles = Metric.openFiles.gauge()
    private let mostFiles = Metric.mostFiles.gauge()
    /// Processor seconds that the counter has been told of.
    private let counted = Locked(0.0)

    package init() {
        Metric.buildInfo.gauge(amityVersion).record(1)
        let start = Self.startTime
        if let start { Metric.startTime.gauge().record(start) }
    }

    package func look() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        let used = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        counted.withLock { counted in
            cpu.increment(by: max(0, used - counted))
            counted = max(counted, used)
        }
        // Pages: all, then those that are resident.
        let pages = Self.text("/proc/self/statm").split(separator: " ").prefix(2)
            .compactMap { Double($0) }
        if pages.count == 2 {
            let size = Double(sysconf(Int32(_SC_PAGESIZE)))
            virtual.record(pages[0] * size)
            resident.record(pages[1] * size)
        }
        if let files = opendir("/proc/self/fd") {
            var count = 0
            while readdir(files) != nil { count += 1 }
            closedir(files)
            // Without ".", ".." and the one that was open for the look.
            openFiles.record(count - 3)
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            mostFiles.record(Double(limit.rlim_cur))
        }
    }

    /// Seconds since 1970.
    private static var startTime: Double? {
        let boot = text("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
        let stat = text("/proc/self/stat")
        // Past the program's name, which may hold blanks and parentheses.
        guard let boot = boot?.split(separator: " ").last.flatMap({ Double($0) }),
            let name = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[name...].split(separator: " ")
        guard fields.count > 20, let ticks = Double(fields[20]) else { return nil }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
