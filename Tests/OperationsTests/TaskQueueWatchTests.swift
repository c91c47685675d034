import Foundation
import Testing

@testable import Operations
@testable import Tasks

/// Alerts of queues of tasks, from look to look.
struct TaskQueueWatchTests {
    /// Ten seconds pass from look to look.
    private struct Looks {
        var watch = TaskQueueWatch()
        var limits = TaskAlertLimits(tasks: 100, waitSeconds: 60)
        private var now = 1000.0

        static let one = TaskID(firstAt: 1)
        static let other = TaskID(firstAt: 2)

        mutating func pass(_ seconds: Double) { now += seconds }

        /// - Parameters:
        ///   - count: 0 for a queue that has none.
        ///   - newest: by default the first task that was ever there.
        ///   - begun: those that wait no more.
        mutating func next(
            _ count: Int,
            newest: TaskID = one,
            begun: Set<TaskID> = []
        ) -> [TaskAlertEvent] {
            now += 10
            let queue = QueuedTasks(pool: "gpu", priority: .low, count: count, newest: newest)
            return watch.take(
                count > 0 ? [queue] : [],
                waiting: Set(watch.watched).subtracting(begun),
                at: now,
                limits
            )
        }
    }

    @Test func aDeepQueueIsAnAlertOnce() {
        var looks = Looks()
        looks.limits.waitSeconds = 0
        #expect(looks.next(100) == [])
        #expect(
            looks.next(100)
                == [.raised(.depth, queue: "gpu.low", value: 100, threshold: 100)]
        )
        #expect(looks.watch.active == ["gpu.low": [.depth]])
        // Not far enough below it, and then only for a moment.
        #expect(looks.next(80) == [] && looks.next(81) == [])
        #expect(looks.next(79) == [] && looks.next(100) == [] && looks.next(79) == [])
        #expect(looks.next(0) == [.cleared(.depth, queue: "gpu.low", lastedSeconds: 60)])
        #expect(looks.next(0) == [] && looks.watch.active == [:])
    }

    @Test func aTaskThatDoesNotBeginIsAnAlert() {
        var looks = Looks()
        for _ in 0..<7 { #expect(looks.next(1) == []) }
        #expect(
            looks.next(1) == [.raised(.wait, queue: "gpu.low", value: 70, threshold: 60)]
        )
        #expect(looks.next(0, begun: [Looks.one]) == [])
        #expect(
            looks.next(0) == [.cleared(.wait, queue: "gpu.low", lastedSeconds: 20)]
        )
    }

    /// Fault: each time that the watched task begins, the alert ends, and all others still wait.
    @Test func theAlertLastsUntilATaskHasWaitedLess() {
        var looks = Looks()
        for _ in 0..<8 { _ = looks.next(5) }
        #expect(looks.watch.active == ["gpu.low": [.wait]])
        #expect(looks.next(5, newest: Looks.other, begun: [Looks.one]) == [])
        for _ in 0..<3 { #expect(looks.next(5, newest: Looks.other) == []) }
        // That one waited for 30 s at least.
        let third = TaskID(firstAt: 3)
        #expect(looks.next(5, newest: third, begun: [Looks.other]) == [])
        #expect(
            looks.next(5, newest: third)
                == [.cleared(.wait, queue: "gpu.low", lastedSeconds: 60)]
        )
    }

    /// Fault: a task that was delayed by a day is an alert as soon as it is queued.
    @Test func aQueueThatMovesIsNoAlertHoweverOldItsTasksAre() {
        var looks = Looks()
        for number in 1...30 {
            let (last, next) = (TaskID(firstAt: number - 1), TaskID(firstAt: number))
            #expect(looks.next(9, newest: next, begun: [last]) == [])
        }
    }

    /// Fault: what began while no worker watched is said to have waited until now.
    @Test func aLongTimeWithoutALookIsNoWait() {
        var looks = Looks()
        _ = looks.next(1)
        looks.pass(86_400)
        for _ in 0..<3 { #expect(looks.next(1, newest: Looks.other, begun: [Looks.one]) == []) }
    }

    @Test func zeroIsForNever() {
        var looks = Looks()
        looks.limits = TaskAlertLimits(tasks: 0, waitSeconds: 0)
        for _ in 0..<20 { #expect(looks.next(1_000_000) == []) }
    }

    /// Fault: another worker watches on, and tells of each alert again.
    @Test func whatIsStoredIsAllThatItRemembers() throws {
        var looks = Looks()
        for _ in 0..<8 { _ = looks.next(500) }
        let both: Set<TaskAlertName> = [.depth, .wait]
        #expect(looks.watch.active == ["gpu.low": both])
        let stored = try JSONEncoder().encode(looks.watch)
        looks.watch = try JSONDecoder().decode(TaskQueueWatch.self, from: stored)
        #expect(looks.next(500) == [] && looks.next(500) == [])
        #expect(looks.watch.active == ["gpu.low": both])
    }
}
