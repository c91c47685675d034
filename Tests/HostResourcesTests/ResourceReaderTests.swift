import Foundation
import TestSupport
import Testing

@testable import HostResources

struct ResourceReaderTests {
    private static let interfaces = """
        Inter-|   Receive                                     |  Transmit
         face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs …
            lo:    3193      29    0    0    0     0          0         0     3193      29 0
          eth0: 1000 4799    0    0    0     0          0         0   200    2494    0
        wlan0:500 4 0 0 0 0 0 0 50 2 0 0

        """

    private func reader(_ root: FakeRoot, _ folders: WatchedFolder...) -> ResourceReader {
        let reader = ResourceReader(KernelFiles(root: root.path), folders)
        reader.disks.look()
        return reader
    }

    /// Fault: a figure that cannot be read is shown as 0, as if nothing were used.
    @Test func whatCannotBeReadIsAbsent() throws {
        var reader = try reader(FakeRoot(), .init("gone", "/no/such/folder"))
        _ = reader.read()
        let use = reader.read()
        #expect(use.memory == nil && use.descriptors == nil && use.network == nil)
        #expect(use.pressure == nil && use.disks == [] && use.shortOf == [])
    }

    @Test func theFirstLookKnowsNoRates() throws {
        let root = try FakeRoot(["proc/self/net/dev": Self.interfaces])
        var reader = reader(root)
        let use = reader.read()
        #expect(use.cpu?.used == nil && use.network == nil)
        #expect(use.cpu?.limit == Double(ProcessInfo.processInfo.activeProcessorCount))
    }

    /// Fault: what a worker tells itself counts as traffic, or an interface that is gone makes it
    /// negative.
    @Test func trafficIsWhatLeftAndReachedTheHost() throws {
        let root = try FakeRoot(["proc/self/net/dev": Self.interfaces])
        var reader = reader(root)
        let begin = ContinuousClock.now
        _ = reader.read(at: begin)
        try root.write(
            "proc/self/net/dev",
            Self.interfaces.replacing("3193", with: "9999").replacing("1000", with: "2000")
                .replacing(" 50 2", with: " 80 2")
        )
        var use = reader.read(at: begin + .seconds(10))
        #expect(use.network?.receivedBytesPerSecond == 100)
        #expect(use.network?.sentBytesPerSecond == 3)
        try root.write("proc/self/net/dev", "Inter-|\n face |\n    lo: 1 0 0 0 0 0 0 0 1\n")
        use = reader.read(at: begin + .seconds(20))
        #expect(use.network == .init(receivedBytesPerSecond: 0, sentBytesPerSecond: 0))
    }

    @Test func aQuotaIsWhatItMayUseOfTheProcessors() throws {
        let root = try FakeRoot([
            "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n",
        ])
        var reader = reader(root)
        _ = reader.read()
        let end = ContinuousClock.now + .milliseconds(100)
        while .now < end {}
        let cpu = try #require(reader.read().cpu)
        #expect(cpu.limit == 0.5)
        #expect(try #require(cpu.used) > 0.1)
    }

    @Test func memoryIsTheContainersWhereItHasALimit() throws {
        let root = try FakeRoot.container(using: 40)
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        var reader = reader(root)
        let memory = try #require(reader.read().memory)
        #expect(memory.residentBytes == 100 * page)
        #expect(memory.usedBytes == (1 << 20) * 40 / 100 && memory.limitBytes == 1 << 20)
    }

    /// Fault: another program fills the machine, and the worker takes less for it.
    @Test func whereOnlyTheMachineIsALimitItsOwnMemoryCounts() throws {
        let root = try FakeRoot([
            "proc/self/statm": "900 100 1 1 0 1 0\n",
            "proc/meminfo": "MemTotal: 4000 kB\nMemAvailable: 1 kB\n",
        ])
        var reader = reader(root)
        let memory = try #require(reader.read().memory)
        #expect(memory.usedBytes == memory.residentBytes && memory.limitBytes == 4000 * 1024)
    }

    @Test func descriptorsAreCountedWithoutTheLookItself() throws {
        let limits = """
            Limit                     Soft Limit           Hard Limit           Units
            Max processes             95999                95999                processes
            Max open files            1024                 4096                 files

            """
        let root = try FakeRoot(["proc/self/limits": limits])
        for number in 0..<4 { try root.write("proc/self/fd/\(number)", "") }
        var reader = reader(root)
        #expect(reader.read().descriptors == .init(open: 3, limit: 1024))
        try root.write("proc/self/limits", limits.replacing("1024", with: "unlimited"))
        #expect(reader.read().descriptors == nil)
    }

    /// Fault: one disk is two problems, or what can never be written to is a full disk.
    @Test func eachFileSystemIsOneDisk() throws {
        let root = try FakeRoot(["a/x": "", "b/x": ""])
        var reader = reader(
            root,
            .init("working", root.path + "/a"),
            .init("temporary", root.path + "/b"),
            .init("gone", root.path + "/c")
        )
        let disks = reader.read().disks
        #expect(disks.map(\.folder) == ["working"])
        #expect(disks.allSatisfy { 0 <= $0.freeBytes && $0.freeBytes <= $0.sizeBytes })
    }

    @Test func thisHostTellsWhatItIsAsked() throws {
        var reader = ResourceReader(KernelFiles(root: "/"), [.init("temporary", "/tmp")])
        reader.disks.look()
        _ = reader.read()
        let use = reader.read()
        let memory = try #require(use.memory)
        #expect(memory.residentBytes > 1 << 20 && memory.limitBytes ?? 0 > memory.usedBytes)
        let descriptors = try #require(use.descriptors)
        #expect(descriptors.open > 2 && descriptors.open < descriptors.limit)
        #expect(use.disks.count == 1 && use.cpu?.used != nil && use.network != nil)
    }
}
