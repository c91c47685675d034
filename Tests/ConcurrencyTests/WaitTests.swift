import Foundation
import Testing

@testable import Concurrency

struct WaitTests {
    /// Fault: a clock set back by an hour makes every timed wait an hour longer. What waits until a
    /// `Date` does, and on Linux a timed wait of `DispatchSemaphore`, which is sem_timedwait,
    /// whatever its time was made from.
    @Test func noSourceWaitsForTheSystemClock() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")
        let files = try #require(
            FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        )
        let suspects = [
            "wait(timeout: .now() +", "wait(timeout: due", "wait(wallTimeout", "Thread.sleep(until",
            "NSCondition", "asyncAfter(wallDeadline",
        ]
        var found: [String] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            for line in lines where !line.contains("///") {
                for suspect in suspects where line.contains(suspect) {
                    found.append("\(file.lastPathComponent): \(suspect)")
                }
            }
        }
        #expect(found == [])
    }

    @Test func aWaitEndsWhenItsTimeIsOver() {
        let signal = DrainSignal()
        #expect(!signal.wait(for: .milliseconds(1)))
        #expect(!signal.wait(for: .seconds(-1)))
        #expect(!MonotonicSemaphore(value: 0).wait(atMost: .milliseconds(1)))
        #expect(MonotonicSemaphore(value: 1).wait(atMost: .zero))
    }

    @Test func raisingWakesEveryThreadThatWaitsAndInterruptsWhatMayBlock() {
        let signal = DrainSignal()
        let woken = MonotonicSemaphore(value: 0)
        for _ in 0..<3 {
            startThread(name: "waits", stackBytes: 1 << 18) {
                if signal.wait(for: .seconds(3600)) { woken.signal() }
            }
        }
        let interrupted = MonotonicSemaphore(value: 0)
        startThread(name: "blocks", stackBytes: 1 << 18) {
            let block = MonotonicSemaphore(value: 0)
            signal.interrupting(by: { block.signal() }) { _ = block.wait() }
            interrupted.signal()
        }
        signal.raise()
        for _ in 0..<3 { #expect(woken.wait(atMost: .seconds(60))) }
        #expect(interrupted.wait(atMost: .seconds(60)))
    }

    /// Fault: a signal that was raised before interrupts nothing, and what begins then blocks for
    /// ever.
    @Test func whatBeginsAfterTheSignalIsInterruptedAtOnce() {
        let signal = DrainSignal()
        signal.raise()
        let block = MonotonicSemaphore(value: 0)
        signal.interrupting(by: { block.signal() }) { _ = block.wait() }
    }

    @Test func aWaitEndsWithWhatItWaitsFor() {
        let signal = DrainSignal()
        let isDone = Locked(false)
        startThread(name: "works", stackBytes: 1 << 18) {
            isDone.withLock { $0 = true }
            signal.wake()
        }
        #expect(signal.wait(atMost: .seconds(3600)) { isDone.withLock(\.self) })
    }

    /// Fault: with three nodes the next is tried only after a pause, or all of them without any.
    @Test func everyNodeIsTriedBeforeAPauseThatGrows() {
        var backoff = Backoff(first: .seconds(1), cap: .seconds(10), ways: 3)
        var random = SystemRandomNumberGenerator()
        for limit in [1, 2, 4, 8, 10, 10] {
            #expect(backoff.next(using: &random) == .zero)
            #expect(backoff.next(using: &random) == .zero)
            let pause = backoff.next(using: &random)
            #expect(pause >= .seconds(limit) / 2 && pause <= .seconds(limit))
        }
        backoff.reset()
        #expect(backoff.next(using: &random) == .zero)
    }

    /// Fault: a server is back, and the next try comes after the ten seconds that are promised.
    @Test func noPauseIsOverEightSeconds() {
        var backoff = Backoff()
        #expect((0..<100).map { _ in backoff.next() }.max() ?? .zero <= .seconds(8))
        #expect(backoff.next() >= .seconds(4))
    }
}
