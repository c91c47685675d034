import Foundation
import TestSupport
import Testing

@testable import HostResources

struct MachineLoadTests {
    @Test(arguments: [
        // A container, which sees its own group as the top.
        [
            "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n",
            "sys/fs/cgroup/memory.current": "900\n",
            "sys/fs/cgroup/memory.stat": "anon 500\ninactive_file 150\nactive_file 50\n",
        ],
        // A service, whose slice has the narrower limit.
        [
            "proc/self/cgroup": "0::/a.slice/b.service\n",
            "sys/fs/cgroup/a.slice/memory.max": "1000",
            "sys/fs/cgroup/a.slice/memory.current": "700",
            "sys/fs/cgroup/a.slice/b.service/memory.max": "max",
            "sys/fs/cgroup/a.slice/b.service/memory.current": "600",
        ],
        // One that the kernel slows down from a mark below its limit on.
        [
            "proc/self/cgroup": "0::/a.service\n",
            "sys/fs/cgroup/a.service/memory.max": "2000",
            "sys/fs/cgroup/a.service/memory.high": "1000",
            "sys/fs/cgroup/a.service/memory.current": "700",
        ],
        // The first version.
        [
            "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "123456",
            "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1000",
            "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "800",
            "sys/fs/cgroup/memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
        ],
    ])
    func readsTheMemoryOfTheGroupWithoutWhatCanBeDropped(files: [String: String]) throws {
        let root = try FakeRoot(files)
        #expect(abs(MachineLoad(root: root.path).memoryShare() - 0.7) < 1e-9)
    }

    @Test func readsHowBusyTheMachineWasSinceTheLastLook() throws {
        let root = try FakeRoot(["proc/stat": "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 …\n"])
        var load = MachineLoad(root: root.path)
        #expect(load.processorShare() == 0)
        try root.write("proc/stat", "cpu  160 5 110 715 110 0 0 0 0 0\n")
        #expect(load.processorShare() == 0.75)
        #expect(load.processorShare() == 0)
    }

    /// A container with a hundredth of a processor, in a test that keeps one busy.
    @Test func aQuotaIsUsedUpBeforeTheMachineIs() throws {
        let root = try FakeRoot([
            "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1000 100000\n",
        ])
        var load = MachineLoad(root: root.path)
        #expect(load.processorShare() == 0)
        let end = ContinuousClock.now + .milliseconds(50)
        while .now < end {}
        #expect(load.processorShare() > 1)
    }

    @Test func whereNothingCanBeReadThereIsNoPressure() throws {
        let root = try FakeRoot([:])
        try root.write("proc/self/cgroup", "nonsense\n")
        var load = MachineLoad(root: root.path)
        #expect(load.processorShare() == 0)
        #expect(load.processorShare() == 0)
        #expect(load.memoryShare() == 0)
        #expect(load.processorPressure() == 0 && load.memoryPressure() == 0)
    }

    /// Fault: a limit that is larger than the machine hides how full the machine is.
    @Test func aLimitAboveTheMachinesMemoryIsNone() throws {
        let root = try FakeRoot([
            "proc/self/cgroup": "0::/\n", "proc/meminfo": "MemTotal:  4 kB\nMemFree:  1 kB\n",
            "sys/fs/cgroup/memory.max": "5000", "sys/fs/cgroup/memory.current": "4900",
        ])
        #expect(MachineLoad(root: root.path).memoryShare() == 0)
        #expect(MachineLoad(root: root.path).memoryLimit() == 4096)
    }

    /// The nearest file that there is counts.
    @Test(arguments: [
        ("0::/a.slice/b.service", "sys/fs/cgroup/a.slice/b.service/memory.pressure"),
        // In a container the path may be the host's.
        ("0::/docker/b", "sys/fs/cgroup/memory.pressure"),
        ("4:memory:/x\n0::/b", "sys/fs/cgroup/unified/b/memory.pressure"),
        ("4:memory:/x", "proc/pressure/memory"),
    ])
    func readsForHowLongSomethingWaitedForMemory(groups: String, path: String) throws {
        let some = "some avg10=12.50 avg60=1.00 avg300=0.50 total=1\n"
        let root = try FakeRoot([
            "proc/self/cgroup": groups + "\n", "proc/pressure/memory": "some avg10=99.00 x\n",
        ])
        try root.write(path, some + "full avg10=7.00 avg60=1.00 avg300=0.50 total=1\n")
        let load = MachineLoad(root: root.path)
        #expect(load.memoryPressure() == 0.125)
        #expect(load.processorPressure() == 0)
    }

    @Test func thisMachineIsBusyBetweenNotAtAllAndFully() {
        var load = MachineLoad()
        _ = load.processorShare()
        let end = ContinuousClock.now + .milliseconds(100)
        while .now < end {}
        #expect(load.processorShare() > 0)
        #expect((0...1.05).contains(load.memoryShare()))
    }
}
