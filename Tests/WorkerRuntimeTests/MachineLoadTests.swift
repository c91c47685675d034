import Foundation
import Testing

@testable import WorkerRuntime

/// A folder that stands for `/`, gone when the test is.
private final class FakeRoot {
    let path = NSTemporaryDirectory() + "amity-\(UUID().uuidString)"

    init(_ files: [String: String]) throws {
        for (name, content) in files { try write(name, content) }
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { Issue.record(error) }
    }

    func write(_ name: String, _ content: String) throws {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(content.utf8).write(to: file)
    }
}

struct MachineLoadTests {
    @Test(arguments: [
        // A container, which sees its own group as the top.
        [
            "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n",
            "sys/fs/cgroup/memory.current": "900\n",
            "sys/fs/cgroup/memory.stat": "anon 500\ninactive_file 200\n",
        ],
        // A service, whose slice has the narrower limit.
        [
            "proc/self/cgroup": "0::/a.slice/b.service\n",
            "sys/fs/cgroup/a.slice/memory.max": "1000",
            "sys/fs/cgroup/a.slice/memory.current": "700",
            "sys/fs/cgroup/a.slice/b.service/memory.max": "max",
            "sys/fs/cgroup/a.slice/b.service/memory.current": "600",
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
