import Foundation

/// Runs what blocks on a thread of its own: Swift's pool has one thread a core, and the server
/// needs it. What is expected there still counts for the test.
package func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async rethrows -> Value {
    try await withTaskExecutorPreference(BlockingExecutor()) { try body() }
}

private final class BlockingExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "test")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
