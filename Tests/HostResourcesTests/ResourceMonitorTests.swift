import Concurrency
import TestSupport
import Testing
import WorkerHealth

@testable import HostResources

struct ResourceMonitorTests {
    private let health = LinkHealth()
    private let begin = ContinuousClock.now

    private func monitor(_ root: FakeRoot) -> ResourceMonitor {
        ResourceMonitor(
            [],
            marks: .init(),
            threads: 16,
            health: health,
            root: root.path,
            logger: quiet
        )
    }

    /// Fault: a shortage begins or ends, and who starts work is not told, or is told with every
    /// look.
    @Test func whoStartsWorkIsToldOfEachChangeOnce() throws {
        let root = try FakeRoot.container(using: 50)
        let monitor = monitor(root)
        let told = Locked<[Double]>([])
        monitor.onChange { share in told.withLock { $0.append(share) } }
        monitor.look(at: begin)
        #expect(told.withLock(\.self) == [] && health.reports == [])
        try root.use(percent: 95)
        for second in 1...8 { monitor.look(at: begin + .seconds(second)) }
        #expect(told.withLock(\.self) == [0.25, 0.0625])
        #expect(health.reports.map(\.problem.subject) == ["memory"])
        #expect(health.reports.first?.count == 8)
        #expect(monitor.latest?.shortOf == ["memory"])
        try root.use(percent: 50)
        for second in 9...40 { monitor.look(at: begin + .seconds(second)) }
        #expect(told.withLock(\.self) == [0.25, 0.0625, 0.125, 0.25, 0.5, 1])
        #expect(health.reports == [] && monitor.latest?.shortOf == [])
    }

    /// Fault: a limit is taken away while memory is short of it, and the problem stays for ever.
    @Test func aLimitThatIsGoneEndsTheShortage() throws {
        let root = try FakeRoot.container(using: 95)
        let monitor = monitor(root)
        monitor.look(at: begin)
        #expect(monitor.latest?.shortOf == ["memory"])
        try root.write("sys/fs/cgroup/memory.max", "max\n")
        for second in 1...20 { monitor.look(at: begin + .seconds(second)) }
        #expect(monitor.latest?.threadsShare == 1 && health.reports == [])
    }
}
