import WorkerHealth

/// One line of the sd_notify protocol.
enum ServiceNotice: Equatable, Sendable {
    /// The start is over.
    case ready
    /// What `systemctl status` shows.
    case status(String)
    case stopping
    /// The start, or the stop, may last this long from now whatever the unit says.
    case extendTimeout(Duration)
    /// The service is alive; the next of these is due within the unit's WatchdogSec.
    case watchdog

    var line: String {
        switch self {
        case .ready: "READY=1"
        case .status(let text): "STATUS=\(text)"
        case .stopping: "STOPPING=1"
        case .extendTimeout(let limit): "EXTEND_TIMEOUT_USEC=\(Int64(limit / .microseconds(1)))"
        case .watchdog: "WATCHDOG=1"
        }
    }
}

/// What a service manager is still to be told. Pure: who sends it says when it has arrived.
///
/// Ready means here what it means in the log. A worker that waits for its broker or database has
/// not started yet, and may take as long as it needs, provided that its threads show signs of life;
/// one that loses them later stays started, and its status says so.
struct ServiceReport: Sendable {
    /// What the manager knows.
    private struct Known: Sendable {
        var isReady = false
        var isStopping = false
        var blockers: [Readiness.Blocker]?
    }

    /// Between two signs of life: half the manager's own limit, as systemd advises, or, where it
    /// sets none, the chosen time.
    let interval: Duration
    private let isWatched: Bool
    private var known = Known()
    /// As a worker begins.
    private var blockers: [Readiness.Blocker] = [.notConsuming]
    private var hasBeenReady = false
    private var stopLimit: Duration?

    /// - Parameter watchdog: the longest that the manager waits for a sign of life; nil for ever.
    init(watchdog: Duration?) {
        interval = watchdog.map { $0 / 2 } ?? .seconds(10)
        isWatched = watchdog != nil
    }

    mutating func changed(to blockers: [Readiness.Blocker]) {
        self.blockers = blockers
        if blockers.isEmpty { hasBeenReady = true }
    }

    /// - Parameter limit: from now, the longest that the whole shutdown may take.
    mutating func stopping(within limit: Duration) {
        stopLimit = limit
    }

    /// All that is to be told now, which from now on counts as told.
    ///
    /// - Parameter isAlive: whether the worker's threads show signs of life.
    mutating func take(isAlive: Bool) -> [ServiceNotice] {
        var notices: [ServiceNotice] = []
        if let stopLimit {
            if !known.isStopping { notices += [.stopping, .extendTimeout(stopLimit)] }
        } else if hasBeenReady {
            if !known.isReady { notices.append(.ready) }
        } else if isAlive {
            // Three, so that one that comes late does no harm.
            notices.append(.extendTimeout(interval * 3))
        }
        if blockers != known.blockers {
            let reasons = blockers.map(\.rawValue).joined(separator: ", ")
            notices.append(.status(blockers.isEmpty ? "ready" : "not ready: \(reasons)"))
        }
        if isAlive, isWatched { notices.append(.watchdog) }
        known = Known(isReady: hasBeenReady, isStopping: stopLimit != nil, blockers: blockers)
        return notices
    }

    /// What was taken has not arrived: the manager knows nothing for sure.
    mutating func lost() {
        known = Known()
    }
}
