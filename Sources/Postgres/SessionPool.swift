import Concurrency
import CoreMetrics
import Dispatch
import Metering

/// At most `limit` sessions, lent to the threads that need one for the moment.
///
/// With as many sessions as threads each thread gets its own where that is open and free, or else
/// one that another thread has left open: so there are never more than have been needed at once. A
/// session is replaced after any doubt.
package final class SessionPool: Sendable {
    private let slots: [Slot]
    private let places: Locked<SessionPlaces>
    private let available: DispatchSemaphore
    private let target: ConnectionTarget
    private let applicationName: String
    private let statementTimeout: Duration
    private let patience: Duration?
    private let opening = Metric.databaseFlight.timer("connect")
    /// Those that have not happened included: growth from nothing is growth.
    private let losses: [PostgresError.Cause: Counter]

    /// - Parameters:
    ///   - patience: see `Session`.
    ///   - rest: a session that was in use less long ago is lent without a check, which costs a
    ///     system call.
    package init(
        target: ConnectionTarget,
        limit: Int,
        applicationName: String,
        statementTimeout: Duration,
        patience: Duration? = nil,
        rest: Duration = .milliseconds(500)
    ) {
        self.target = target
        self.applicationName = applicationName
        self.statementTimeout = statementTimeout
        self.patience = patience
        losses = Dictionary(
            uniqueKeysWithValues: PostgresError.Cause.allCases.map { cause in
                (cause, Metric.reconnects.counter("database", cause.rawValue))
            }
        )
        slots = (0..<limit).map { _ in Slot() }
        places = Locked(SessionPlaces(count: limit, rest: rest))
        available = DispatchSemaphore(value: limit)
    }

    /// Lends a session to the calling thread, which may have to wait for one.
    ///
    /// - Parameter preferred: the place to use when its session is open and free.
    package func withSession<R: Sendable>(
        preferring preferred: Int = 0,
        _ body: @Sendable (inout Session) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        available.wait()
        guard let loan = places.withLock({ $0.borrow(preferring: preferred, at: .now) }) else {
            preconditionFailure("the semaphore counts more places than are free")
        }
        let index = loan.index
        var isOpen = false
        defer { giveBack(index, isOpen: isOpen) }
        do throws(PostgresError) {
            // One that was ended while it rested is replaced before anything is sent.
            if loan.hasRested { slots[index].closeIfEnded() }
            return try slots[index].lend(open: open, isOpenAfter: &isOpen, body)
        } catch {
            if !isOpen { losses[error.cause]?.increment() }
            throw error
        }
    }

    /// Closes sessions that no caller has used for longer than `limit`.
    package func close(idleFor limit: Duration) {
        while available.wait(timeout: .now()) == .success {
            let index = places.withLock { $0.borrowIdle(for: limit, at: .now) }
            guard let index else {
                available.signal()
                return
            }
            slots[index].close()
            giveBack(index, isOpen: false)
        }
    }

    private func giveBack(_ index: Int, isOpen: Bool) {
        places.withLock { $0.giveBack(index, isOpen: isOpen, at: .now) }
        available.signal()
    }

    private func open() throws(PostgresError) -> Session {
        let begin = ContinuousClock.now
        defer { opening.record(begin.duration(to: .now)) }
        return try Session(
            to: target,
            applicationName: applicationName,
            statementTimeout: statementTimeout,
            patience: patience
        )
    }
}

/// A place for one session. A type of its own: a lock over an array of noncopyable sessions
/// could not lend one element and leave the others free.
private final class Slot: Sendable {
    /// Never contended: the pool lends a slot to one thread at a time.
    private let session = Locked<Session?>(nil)

    func lend<R: Sendable>(
        open: () throws(PostgresError) -> Session,
        isOpenAfter isOpen: inout Bool,
        _ body: @Sendable (inout Session) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        try session.withLock { held throws(PostgresError) in
            if held == nil { held = try open() }
            defer {
                if held?.isBroken ?? false { held = nil }
                isOpen = held != nil
            }
            do throws(PostgresError) {
                return try body(&held!)
            } catch {
                held?.abandonTransaction()
                throw error
            }
        }
    }

    func close() {
        session.withLock { $0 = nil }
    }

    func closeIfEnded() {
        session.withLock { if $0?.hasEnded() ?? false { $0 = nil } }
    }
}
