import Concurrency
import CoreMetrics
import Foundation
import Metering

/// What the process uses and may use, as metrics: under the names that Prometheus' own libraries
/// have where there are any. What cannot be read has no series.
package struct ProcessStatistics: Sendable {
    private struct Counted: Sendable {
        var processor = 0.0
        var network = NetworkTotals.none
    }

    private let files: KernelFiles
    private let monitor: ResourceMonitor
    private let cpu = Metric.cpu.floatingPointCounter()
    /// What the counters have been told of.
    private let counted = Locked(Counted())

    package init(_ monitor: ResourceMonitor, version: String, root: String = KernelFiles.root) {
        files = KernelFiles(root: root)
        self.monitor = monitor
        Metric.buildInfo.gauge(version).record(1)
        let start = files.startTime
        if let start { Metric.startTime.gauge().record(start) }
    }

    package func look() {
        let used = Duration.usedByProcess / .seconds(1)
        let network = NetworkTotals(files)
        counted.withLock { counted in
            cpu.increment(by: max(0, used - counted.processor))
            counted.processor = max(counted.processor, used)
            guard let network else { return }
            let (received, sent) = network - counted.network
            Metric.networkReceived.floatingPointCounter().increment(by: received)
            Metric.networkSent.floatingPointCounter().increment(by: sent)
            counted.network = network
        }
        Metric.residentMemory.record(files.residentBytes)
        Metric.virtualMemory.record(files.virtualBytes)
        Metric.openFiles.record(files.openDescriptors)
        Metric.mostFiles.record(files.descriptorLimit)
        if let use = monitor.latest { record(use) }
    }

    private func record(_ use: ResourceUse) {
        Metric.processors.record(use.cpu?.limit)
        Metric.memoryLimit.record(use.memory?.limitBytes)
        Metric.memoryUsed.record(use.memory?.share)
        for disk in use.disks {
            Metric.diskFree.gauge(disk.folder).record(disk.freeBytes)
            Metric.diskSize.gauge(disk.folder).record(disk.sizeBytes)
        }
        let pressures = [
            ("cpu", use.pressure?.cpu), ("memory", use.pressure?.memory), ("io", use.pressure?.io),
        ]
        for case (let resource, let share?) in pressures {
            Metric.pressure.gauge(resource).record(share)
        }
        for resource in Shortage.Resource.allCases {
            let isShort = use.shortOf.contains { $0.hasPrefix(resource.rawValue) }
            Metric.shortOf.gauge(resource.rawValue).record(isShort ? 1 : 0)
        }
        Metric.threadsShare.gauge().record(use.threadsShare)
    }
}

extension Metric {
    /// Made by its first value.
    fileprivate func record(_ value: (some BinaryFloatingPoint)?) {
        if let value { gauge().record(Double(value)) }
    }

    fileprivate func record(_ value: Int?) { record(value.map { Double($0) }) }
}

extension KernelFiles {
    /// When the process began, in seconds since 1970.
    fileprivate var startTime: Double? {
        let boot = number("proc/stat", named: "btime")
        let stat = text("proc/self/stat") ?? ""
        // Past the program's name, which may hold blanks and parentheses.
        guard let boot, let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[name...].split(separator: " ")
        guard fields.count > 20, let ticks = Double(fields[20]) else { return nil }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
