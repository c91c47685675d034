import Dispatch
import Synchronization

/// At most `limit` sessions, lent to the threads that need one for the moment.
///
/// With as many sessions as threads each thread always gets its own. A session is opened when it is
/// first lent, and replaced after any doubt.
package final class SessionPool: Sendable {
    private let slots: [Slot]
    private let free: Mutex<[Int]>
    private let available: DispatchSemaphore
    private let target: ConnectionTarget
    private let applicationName: String
    private let statementTimeout: Duration

    package init(
        target: ConnectionTarget,
        limit: Int,
        applicationName: String,
        statementTimeout: Duration
    ) {
        precondition(limit >= 1)
        self.target = target
        self.applicationName = applicationName
        self.statementTimeout = statementTimeout
        slots = (0..<limit).map { _ in Slot() }
        free = Mutex((0..<limit).reversed())
        available = DispatchSemaphore(value: limit)
    }

    /// Lends a session to the calling thread, which may have to wait for one.
    ///
    /// - Parameter preferred: the slot to use when it is free, so that a thread keeps its own.
    package func withSession<R: Sendable>(
        preferring preferred: Int = 0,
        _ body: @Sendable (inout Session) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        available.wait()
        let index = free.withLock { free in
            let position = free.firstIndex(of: preferred % slots.count) ?? free.count - 1
            return free.remove(at: position)
        }
        defer {
            free.withLock { $0.append(index) }
            available.signal()
        }
        return try slots[index].lend(open: open, body)
    }

    private func open() throws(PostgresError) -> Session {
        try Session(
            to: target,
            applicationName: applicationName,
            statementTimeout: statementTimeout
        )
    }
}

/// A place for one session. A type of its own: a `Mutex` over an array of noncopyable sessions
/// could not lend one element and leave the others free.
private final class Slot: Sendable {
    /// Never contended: the pool lends a slot to one thread at a time.
    private let session = Mutex<Session?>(nil)

    func lend<R: Sendable>(
        open: () throws(PostgresError) -> Session,
        _ body: @Sendable (inout Session) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        try session.withLock { held throws(PostgresError) in
            if held == nil { held = try open() }
            defer { if held?.isBroken ?? false { held = nil } }
            return try body(&held!)
        }
    }
}
