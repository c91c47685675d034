import Concurrency
import TestSupport
import Testing

@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// A worker that runs tasks with limits.
    struct LimitedWorkerTests {
        private let limits = LimitTests()

        /// Fault: after each task with a cap its key waits for the scheduler's next look, so one at
        /// a time means ten a second. (No scheduler is here.)
        @Test(arguments: [(cap: 1, isStrict: true), (cap: 3, isStrict: false)])
        func theEndOfOneBeginsTheNext(cap: Int, isStrict: Bool) throws {
            let worker = try TaskWorkerScene()
            try worker.tasks.ownersStore().apply([
                LimitTests.type {
                    $0.cap = cap
                    $0.isStrict = isStrict
                }
            ])
            let (running, most) = (Locked(0), Locked(0))
            let handler = TestHandler { task, _ in
                let count = running.withLock { count in
                    count += 1
                    return count
                }
                most.withLock { $0 = max($0, count) }
                running.withLock { $0 -= 1 }
                // One that fails lets the next begin as well.
                return task.payload.contains("fail")
                    ? .failed(code: "NO", message: "", retries: false, after: nil)
                    : .completed(result: nil)
            }
            let ids = try limits.submit(20, in: worker.tasks) { $0.pool = worker.pool }
            let failing = try limits.submit(1, in: worker.tasks) {
                $0.pool = worker.pool
                $0.payload = "\"fail\""
            }
            let last = try limits.submit(20, in: worker.tasks) { $0.pool = worker.pool }
            for publication in try limits.admit(worker.tasks) { try worker.publish(publication) }
            try worker.start(threads: 4, handlers: ["send": handler])
            for id in ids + last { try worker.wait(for: id, toBe: .completed) }
            try worker.wait(for: failing[0], toBe: .failed)
            #expect(most.withLock(\.self) <= cap)
            let begun = handler.begun.withLock { $0.map(\.id) }
            #expect(isStrict ? begun == ids + failing + last : begun.count == 41)
        }
    }
}
