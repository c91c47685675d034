import Testing

@testable import HostResources

struct MemoryBrakeTests {
    private let begin = ContinuousClock.now

    private func brake(
        of threads: Int = 1024,
        _ looks: [(second: Int, memory: Double?)]
    ) -> MemoryBrake {
        var brake = MemoryBrake(MemoryMarks(), threads: threads)
        for (second, memory) in looks { brake.observe(memory, at: begin + .seconds(second)) }
        return brake
    }

    @Test func belowTheHighMarkNothingIsHeld() {
        #expect(!brake([(0, 0.89), (1, 0.89), (2, nil)]).isOn)
    }

    /// Fault: threads that are taken away free nothing at once, and each look takes more.
    @Test func aboveItThreadsAreTakenAwayStepByStep() {
        #expect(brake([(0, 0.9)]).share == 0.25)
        #expect(brake([(0, 0.9), (1, 0.95)]).share == 0.25)
        #expect(brake([(0, 0.9), (1, 0.95), (2, 0.95)]).share == 0.0625)
    }

    /// Fault: the way back from one thread is as long as that of a worker with a thousand.
    @Test(arguments: [(1, 1), (2, 2), (8, 8), (10, 16), (480, 512), (1000, 1024)])
    func itEndsAtOneThread(threads: Int, least: Int) {
        var brake = brake(of: threads, [])
        for second in 0..<60 { brake.observe(1, at: begin + .seconds(second)) }
        #expect(brake.share == 1 / Double(least))
    }

    /// Fault: a worker at the edge takes and gives threads with every look.
    @Test func betweenTheMarksItStaysAsItIs() {
        var brake = brake([(0, 0.9)])
        for second in 1..<60 { brake.observe(0.85, at: begin + .seconds(second)) }
        #expect(brake.share == 0.25)
    }

    @Test func belowTheLowMarkForAWhileTheyComeBack() {
        func share(after seconds: Int) -> Double {
            var brake = brake([(0, 0.9)])
            for second in 1...seconds { brake.observe(0.7, at: begin + .seconds(second)) }
            return brake.share
        }
        #expect(share(after: 5) == 0.25)
        #expect(share(after: 6) == 0.5)
        #expect(share(after: 10) == 0.5)
        #expect(share(after: 11) == 1)
        #expect(share(after: 60) == 1)
    }

    @Test func aLookAboveTheLowMarkBeginsTheWhileAnew() {
        let looks: [(Int, Double?)] = [(0, 0.9), (1, 0.7), (5, 0.82), (6, 0.7), (10, 0.7)]
        #expect(brake(looks).share == 0.25)
        #expect(brake(looks + [(11, 0.7)]).share == 0.5)
    }

    /// Fault: files of the kernel that are gone hold a worker to one thread for ever.
    @Test func memoryThatIsNotKnownIsNotShort() {
        #expect(!brake([(0, 0.9), (1, nil), (6, nil), (11, nil)]).isOn)
    }

    @Test func withoutAMarkNothingIsEverHeld() {
        var brake = MemoryBrake(MemoryMarks(high: nil), threads: 8)
        brake.observe(1, at: begin)
        #expect(!brake.isOn)
    }
}
