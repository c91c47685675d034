import Foundation

/// A value that several threads share, reachable only under its lock.
///
/// Not `Synchronization.Mutex`: ThreadSanitizer cannot see that lock's futex on Linux and reports
/// every access under it as a race, so a real one would go unnoticed. It sees Foundation's lock.
// `@unchecked` because the checker cannot know that the lock guards the value; nothing else does.
package final class Locked<Value: ~Copyable & Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    /// Read and written under the lock only.
    private var value: Value

    package init(_ value: consuming Value) {
        self.value = value
    }

    package func withLock<R: Sendable, E>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
