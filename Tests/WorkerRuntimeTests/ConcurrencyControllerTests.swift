import Foundation
import HostResources
import TestSupport
import Testing

@testable import WorkerRuntime

/// A workload whose throughput, use of processors and use of memory follow from the busy threads.
private struct Workload: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var most = 64
    /// Messages per second with so many threads.
    var rate: @Sendable (Int) -> Double
    var processorShare: @Sendable (Int) -> Double = { _ in 0.5 }
    var memoryShare: @Sendable (Int) -> Double = { _ in 0.1 }
    var processorPressure: @Sendable (Int) -> Double = { _ in 0 }

    /// The best throughput of a fixed setting that leaves a fifth of the memory free.
    var best: Double {
        (1...most).filter { memoryShare($0) <= 0.8 }.map(rate).max() ?? 0
    }

    static let computing = Workload(
        testDescription: "computing on 4 cores",
        rate: { 400 * min(Double($0), 4) },
        processorShare: { min(1, Double($0) / 4) }
    )
    static let waiting = Workload(
        testDescription: "waiting 5 s",
        most: 480,
        rate: { Double($0) / 5 }
    )
    static let contended = Workload(
        testDescription: "a database that degrades beyond 8",
        most: 480,
        rate: { Double($0) * ($0 <= 8 ? 1 : pow(8 / Double($0), 1.5)) }
    )
    static let quota = Workload(
        testDescription: "waiting for a service that serves 300",
        most: 1000,
        rate: { min(Double($0), 300) / 5 }
    )
    static let squeezed = Workload(
        testDescription: "waiting with 1 % of the memory a thread",
        most: 480,
        rate: { Double($0) / 5 },
        memoryShare: { 0.2 + Double($0) / 100 }
    )
    /// Half of the processors is used by others.
    static let crowded = Workload(
        testDescription: "computing beside others",
        rate: { 400 * min(Double($0), 2) },
        processorShare: { min(1, 0.5 + Double($0) / 4) }
    )

    static let all = [computing, waiting, contended, quota, squeezed, crowded]
}

/// A controller and what it is told.
private struct Simulation {
    var controller: ConcurrencyController
    private var random: SeededGenerator
    private let noise: Double
    /// The limit in force in each window so far.
    private(set) var limits: [Int] = []

    init(_ workload: Workload, seed: UInt64 = 0, noise: Double = 0) {
        controller = ConcurrencyController(most: workload.most)
        random = SeededGenerator(seed: seed)
        self.noise = noise
    }

    /// - Returns: the mean throughput without the noise, as a share of the best fixed setting's.
    mutating func run(_ workload: Workload, windows: Int) -> Double {
        var total = 0.0
        for _ in 0..<windows {
            let limit = controller.limit
            let error = 1 + noise * Double.random(in: -1...1, using: &random)
            let rate = workload.rate(limit)
            var window = LoadWindow(
                messages: 1000,
                busy: .seconds(1000 * Double(limit) / (rate * error)),
                processorShare: workload.processorShare(limit),
                memoryShare: workload.memoryShare(limit)
            )
            window.processorPressure = workload.processorPressure(limit)
            controller.observe(window)
            limits.append(limit)
            total += rate
        }
        return total / Double(windows) / workload.best
    }
}

struct ConcurrencyControllerTests {
    /// Fault: a trial under which no batch is full lasts as long as the load.
    @Test func aTrialThatSaysNothingEnds() {
        var controller = ConcurrencyController(most: 8, first: 2)
        controller.abandonTrial()
        #expect(controller.limit == 2)
        let window = LoadWindow(messages: 100, busy: .seconds(1))
        for _ in 0..<3 where controller.limit == 2 { controller.observe(window) }
        #expect(controller.limit == 4)
        controller.abandonTrial()
        #expect(controller.limit == 2 && controller.base == 2)
        for _ in 0..<3 where controller.limit == 2 { controller.observe(window) }
        #expect(controller.limit == 4, "it was no verdict")
    }

    @Test(arguments: Workload.all)
    private func comesWithinATenthOfTheBestFixedSetting(workload: Workload) {
        var simulation = Simulation(workload)
        _ = simulation.run(workload, windows: 40)
        #expect(simulation.run(workload, windows: 40) >= 0.9, "\(simulation.limits)")
    }

    /// Trials included, 2 % are allowed for the luck of the draw.
    @Test(arguments: Workload.all)
    private func noiseDoesNotLeadItAstray(workload: Workload) {
        var failures: [UInt64] = []
        for seed in 1...200 as ClosedRange<UInt64> {
            var simulation = Simulation(workload, seed: seed, noise: 0.05)
            _ = simulation.run(workload, windows: 60)
            if simulation.run(workload, windows: 60) < 0.9 { failures.append(seed) }
        }
        #expect(failures.count <= 4, "AMITY_SEED \(failures)")
    }

    @Test(arguments: Workload.all)
    private func atRestItMovesByNoMoreThanAStep(workload: Workload) {
        var simulation = Simulation(workload)
        _ = simulation.run(workload, windows: 60)
        let base = simulation.controller.base
        _ = simulation.run(workload, windows: 100)
        let step = max(1, base / 8)
        let rest = simulation.limits.suffix(100)
        #expect(rest.allSatisfy { (base - step...base + step).contains($0) }, "\(rest)")
        #expect(rest.count { $0 != base } <= 10, "it probes too often")
        #expect(rest.contains { $0 != base }, "it does not probe")
    }

    @Test(arguments: Workload.all, Workload.all)
    private func followsAChangeOfLoad(first: Workload, second: Workload) {
        // The process stays the same, so the maximum does.
        var (first, second) = (first, second)
        first.most = 480
        second.most = 480
        var simulation = Simulation(first)
        _ = simulation.run(first, windows: 60)
        _ = simulation.run(second, windows: 30)
        #expect(simulation.run(second, windows: 40) >= 0.9, "\(simulation.limits)")
    }

    /// Fault: analyses begin to take five seconds, and it goes on resting, or creeps.
    @Test func anotherLoadIsNoticedAtRest() {
        var simulation = Simulation(.waiting)
        _ = simulation.run(.computing, windows: 60)
        #expect((3...5).contains(simulation.controller.base))
        _ = simulation.run(.waiting, windows: 8)
        #expect(simulation.controller.base == 480)
    }

    /// A window of work that takes five seconds lasts five to ten.
    @Test func waitingWorkHasHundredsOfThreadsAfterFiveWindows() {
        var simulation = Simulation(.waiting)
        _ = simulation.run(.waiting, windows: 5)
        #expect(simulation.limits == [4, 16, 64, 256, 480])
    }

    @Test func withoutABacklogNothingMoves() {
        var simulation = Simulation(.waiting)
        _ = simulation.run(.waiting, windows: 2)
        let limit = simulation.controller.limit
        for _ in 0..<100 {
            simulation.controller.observe(LoadWindow(messages: 0, busy: .zero))
        }
        #expect(simulation.controller.limit == limit)
    }

    /// Fault: a short backlog, on a machine that has nothing left to give, pays for a trial.
    @Test func whereProcessorsAreInUseFromTheStartTheFirstTrialWaits() {
        func windows(with share: Double, isHurried: Bool) -> Int {
            var controller = ConcurrencyController(most: 8, first: 2, isHurried: isHurried)
            let window = LoadWindow(messages: 100, busy: .seconds(1), processorShare: share)
            return (1...20).first { _ in
                controller.observe(window)
                return controller.limit != 2
            } ?? 0
        }
        #expect(windows(with: 0.5, isHurried: false) == 1)
        #expect(windows(with: 0.95, isHurried: false) == 9)
        #expect(windows(with: 0.95, isHurried: true) == 1)
    }

    /// Fault: the load's second window is quicker than its cold first, and counts as another load.
    @Test func itWaitsWhereAnotherLoadBegins() {
        var controller = ConcurrencyController(most: 8, first: 2, isHurried: false)
        for messages in [100, 200, 200] {
            controller.observe(
                LoadWindow(messages: messages, busy: .seconds(1), processorShare: 0.95)
            )
        }
        #expect(controller.limit == 2)
    }

    /// Threads that only use up what processors there are must not come on top of others' work.
    @Test func scarceProcessorsMakeThreadsDearer() {
        var busy = Workload.computing
        busy.most = 64
        busy.rate = { pow(Double($0), 0.15) }
        busy.processorShare = { _ in 0.95 }
        var idle = busy
        idle.processorShare = { _ in 0.5 }
        var crowded = Simulation(busy)
        var alone = Simulation(idle)
        _ = crowded.run(busy, windows: 60)
        _ = alone.run(idle, windows: 60)
        #expect(crowded.controller.base < 4)
        #expect(alone.controller.base > 32)
    }

    /// Fault: memory that others use, or that is not given back, leaves none. The kernel would end
    /// it.
    @Test func littleMemoryTakesThreadsAwayWithOrWithoutABacklog() {
        var simulation = Simulation(.waiting)
        _ = simulation.run(.waiting, windows: 6)
        #expect(simulation.controller.base == 480)
        for messages in [0, 100, 0] {
            simulation.controller.observe(
                LoadWindow(messages: messages, busy: .seconds(messages), memoryShare: 0.95)
            )
        }
        #expect(simulation.controller.limit == 202)
        for _ in 0..<100 {
            simulation.controller.observe(LoadWindow(messages: 0, busy: .zero, memoryShare: 0.95))
        }
        #expect(simulation.controller.limit == 1)
    }

    /// Fault: a container's limit is far, and all it does is to wait for pages.
    @Test func waitingForMemoryTakesThreadsAway() {
        var simulation = Simulation(.waiting)
        _ = simulation.run(.waiting, windows: 6)
        var window = LoadWindow(messages: 0, busy: .zero, memoryShare: 0.5)
        window.memoryPressure = 0.05
        simulation.controller.observe(window)
        #expect(simulation.controller.limit == 480)
        window.memoryPressure = 0.2
        simulation.controller.observe(window)
        #expect(simulation.controller.limit == 360)
    }

    /// Fault: a container that has a share of the machine's processors is given threads as if it
    /// had them all.
    @Test func processorsThatAreWaitedForAreScarce() {
        var busy = Workload(testDescription: "", most: 64, rate: { pow(Double($0), 0.15) })
        busy.processorPressure = { _ in 0.95 }
        var idle = busy
        idle.processorPressure = { _ in 0.1 }
        var (crowded, alone) = (Simulation(busy), Simulation(idle))
        _ = crowded.run(busy, windows: 60)
        _ = alone.run(idle, windows: 60)
        #expect(crowded.controller.base < 4)
        #expect(alone.controller.base > 32)
    }

    @Test func withoutAMarkMemoryTakesNothingAway() {
        var controller = ConcurrencyController(most: 64, memory: MemoryMarks(high: nil))
        controller.observe(LoadWindow(messages: 0, busy: .zero, memoryShare: 0.99))
        #expect(controller.limit == 4)
    }

    @Test func growthNeverOvershootsTheMemory() {
        var simulation = Simulation(.squeezed)
        _ = simulation.run(.squeezed, windows: 100)
        #expect(simulation.limits.allSatisfy { Workload.squeezed.memoryShare($0) <= 0.8 })
    }

    @Test func aMaximumOfOneIsOne() {
        var one = Workload.waiting
        one.most = 1
        var simulation = Simulation(one)
        _ = simulation.run(one, windows: 50)
        #expect(simulation.limits.allSatisfy { $0 == 1 })
    }
}
