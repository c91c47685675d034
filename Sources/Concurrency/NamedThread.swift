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
