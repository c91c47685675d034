import Concurrency
import Foundation
import Testing

@testable import TaskRunning
@testable import Tasks

extension Integration {
    /// What a handler is told of its own run.
    struct RunEventTests {
        /// Collects all that a run is told.
        private static func collecting(
            _ found: Locked<[RunContext.Event]>,
            _ hasEnded: Locked<Bool>,
            _ body: @escaping @Sendable (ClaimedTask, RunContext) -> RunEnd
        ) -> TestHandler {
            TestHandler { task, context in
                Task {
                    for await event in context.events { found.withLock { $0.append(event) } }
                    hasEnded.withLock { $0 = true }
                }
                return body(task, context)
            }
        }

        /// Fault: a handler cannot save what it has before its time is over.
        @Test func aRunIsToldThatItsTimeIsNearlyOver() throws {
            let scene = try TaskWorkerScene()
            let (found, hasEnded) = (Locked<[RunContext.Event]>([]), Locked(false))
            let handler = Self.collecting(found, hasEnded) { _, context in
                Gate().wait(orStopOf: context)
                return .stopped
            }
            try scene.start(handlers: ["test": handler])
            let id = try scene.submit { ($0.timeout, $0.retryLimit) = (4, 0) }[0]
            try scene.wait(for: id, toBe: .failed)
            try eventually("they end with the run") { hasEnded.withLock(\.self) }
            #expect(found.withLock(\.self) == [.timeNearlyOver, .timeOver])
        }

        /// Fault: a handler learns of a cancellation by polling alone.
        @Test func aRunIsToldThatItIsNotWantedAnyMore() throws {
            let scene = try TaskWorkerScene()
            let (found, hasEnded) = (Locked<[RunContext.Event]>([]), Locked(false))
            let handler = Self.collecting(found, hasEnded) { _, context in
                Gate().wait(orStopOf: context)
                return .stopped
            }
            try scene.start(handlers: ["test": handler])
            let id = try scene.submit()[0]
            try scene.wait(for: id, toBe: .processing)
            _ = try scene.store.cancel(id)
            try scene.wait(for: id, toBe: .cancelled)
            try eventually("they end with the run") { hasEnded.withLock(\.self) }
            #expect(found.withLock(\.self) == [.cancelAsked])
        }

        /// Fault: a drain is told only when its time is over, too late for a handler to finish.
        @Test func aRunIsToldOfADrainAtItsBeginning() throws {
            let scene = try TaskWorkerScene()
            let (found, hasEnded) = (Locked<[RunContext.Event]>([]), Locked(false))
            let gate = Gate()
            let handler = Self.collecting(found, hasEnded) { _, context in
                Task {
                    for await event in context.events where event == .workerDrains { gate.open() }
                }
                gate.wait(orStopOf: context)
                return .completed(result: nil)
            }
            let worker = try scene.start(handlers: ["test": handler])
            let id = try scene.submit()[0]
            try scene.wait(for: id, toBe: .processing)
            scene.stop(worker)
            #expect(try scene.tasks.state(id) == .completed)
            #expect(found.withLock(\.self) == [.workerDrains])
        }

        /// Fault: one that asks late misses what has been, or waits for ever.
        @Test func whoAsksLateGetsAllAndTheEnd() async {
            let context = RunContext()
            context.stop(for: .cancelled)
            context.stop(for: .cancelled)
            context.stop(for: .fenced)
            let early = context.events
            context.end()
            for stream in [early, context.events] {
                var found: [RunContext.Event] = []
                for await event in stream { found.append(event) }
                #expect(found == [.cancelAsked, .fenced])
            }
        }
    }
}
