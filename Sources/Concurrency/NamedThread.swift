import Foundation

/// Starts a thread of our own under a name that `top -H` and a debugger show.
///
/// - Parameters:
///   - name: at most 15 bytes, the kernel's limit.
///   - stackBytes: address space reserved; only what is touched becomes memory.
package func startThread(
    name: String,
    stackBytes: Int,
    _ body: @escaping @Sendable () -> Void
) {
    let thread = Thread {
        // From inside: a name set before the start does not reach the kernel.
        Thread.current.name = name
        body()
    }
    thread.stackSize = stackBytes
    thread.start()
}

/// Runs what blocks on a thread of its own while a task waits for it: on a thread of Swift's
/// cooperative pool, which has one for each core, it would hold up every other task.
package func onThread<R: Sendable, E>(
    named name: String,
    stackBytes: Int,
    _ body: @escaping @Sendable () throws(E) -> R
) async throws(E) -> R {
    let result: Result<R, E> = await withCheckedContinuation { done in
        startThread(name: name, stackBytes: stackBytes) {
            done.resume(returning: Result(catching: body))
        }
    }
    return try result.get()
}
