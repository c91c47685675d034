import Concurrency
import Foundation
import Logging
import WorkerHealth

/// Notifies systemd, or another service manager that has set `NOTIFY_SOCKET`, from a thread of its
/// own: when the worker is ready, what its state is, that it stops, and, as long as every watched
/// thread of the worker shows signs of life, that it lives.
final class ServiceManager: Sendable {
    private struct State: Sendable {
        var report: ServiceReport
        var isOver = false
    }

    private let name: String
    private let interval: Duration
    private let logger: Logger
    private let state: Locked<State>
    private let wake = MonotonicSemaphore(value: 0)

    /// - Returns: nil where no service manager has set `NOTIFY_SOCKET`.
    init?(_ environment: [String: String], logger: Logger) {
        guard let name = environment["NOTIFY_SOCKET"], !name.isEmpty else { return nil }
        self.name = name
        self.logger = logger
        let report = ServiceReport(watchdog: Self.watchdog(environment))
        interval = report.interval
        state = Locked(State(report: report))
    }

    /// WATCHDOG_PID names another process where the variables were inherited from a service that
    /// has started us.
    static func watchdog(
        _ environment: [String: String],
        process: Int32 = getpid()
    ) -> Duration? {
        if let owner = environment["WATCHDOG_PID"], owner != "\(process)" { return nil }
        guard let limit = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), limit > 0
        else { return nil }
        return .microseconds(limit)
    }

    /// - Parameter pulses: of the threads without which the worker is as good as dead.
    func start(watching pulses: [Pulse]) {
        startThread(name: "amity-notify", stackBytes: 512 << 10) {
            do throws(NotifySocket.Failure) {
                try self.run(NotifySocket(name: self.name), pulses)
            } catch {
                self.logFailure(error)
            }
        }
    }

    /// For `Readiness` to call at every change.
    func changed(to blockers: [Readiness.Blocker]) {
        update { $0.report.changed(to: blockers) }
    }

    /// - Parameter limit: from now, the longest that the whole shutdown may take.
    func stopping(within limit: Duration) {
        update { $0.report.stopping(within: limit) }
    }

    /// Nothing more will be told.
    func end() {
        update { $0.isOver = true }
    }

    private func update(_ change: (inout State) -> Void) {
        state.withLock(change)
        wake.signal()
    }

    private func run(_ socket: borrowing NotifySocket, _ pulses: [Pulse]) {
        var isUnreachable = false
        var isSilent = false
        while !state.withLock(\.isOver) {
            let overdue = pulses.filter(\.isOverdue).map(\.name)
            if overdue.isEmpty == isSilent { logLife(missing: overdue) }
            isSilent = !overdue.isEmpty
            let notices = state.withLock { $0.report.take(isAlive: overdue.isEmpty) }
            do throws(NotifySocket.Failure) {
                if !notices.isEmpty { try socket.send(notices) }
                isUnreachable = false
            } catch {
                state.withLock { $0.report.lost() }
                if !isUnreachable { logFailure(error) }
                isUnreachable = true
            }
            // What is not well is looked at again soon.
            let pause = isUnreachable || isSilent ? min(interval, .seconds(1)) : interval
            wake.wait(atMost: pause)
        }
    }

    private func logFailure(_ error: NotifySocket.Failure) {
        logger.warning("service-manager.unreachable", metadata: ["error": "\(error)"])
    }

    /// The last log event of a worker that hangs: the service manager then ends it.
    private func logLife(missing threads: [String]) {
        if threads.isEmpty {
            logger.notice("worker.alive-again")
        } else {
            let names = threads.joined(separator: ", ")
            logger.critical("worker.hangs", metadata: ["threads": "\(names)"])
        }
    }
}
