import Events
import Foundation
import Operations
import SafeText
import Tasks

/// A status report as lines for people. "?" is what could not be found out.
struct StatusText {
    let lines: [String]

    init(_ report: StatusReport) {
        var lines = ["\(report.queue.queue.printable) at \(Self.time(report.at))", ""]
        lines += Self.summary(report)
        lines += report.problems.map { "! \($0.printable)" }
        lines += report.queue.alerts.map { Self.alert($0, at: report.at) }
        lines += Self.others(report.queue)
        lines += Self.section("workers", Self.workers(report))
        lines += Self.causes(report)
        lines += Self.section("tasks", Self.tasks(report.tasks ?? []))
        lines += (report.pauses ?? []).map { pause in
            let age = Self.duration(report.at.timeIntervalSince(pause.since))
            return "  ! \(pause.kind) \(pause.name.printable) is paused by \(pause.by) for \(age)"
        }
        if let events = report.events, events.waiting > 0 {
            let oldest = Self.duration(events.oldestSeconds)
            let isMore = events.waiting >= EventBacklog.mostCounted
            let count = isMore ? "\(events.waiting) or more" : "\(events.waiting)"
            lines += ["", "events that wait to be sent: \(count), the oldest for \(oldest)"]
        }
        lines += Self.section("recent failures", Self.failures(report))
        lines += Self.section("dead letters by code", Self.deadLetters(report))
        // What a worker says of itself is what it met: the doctor looks at everything.
        let isSick = (report.workers ?? []).contains {
            !$0.reasons.isEmpty && $0.state == .notReady
        }
        if isSick { lines += ["", "amity doctor looks for the cause"] }
        self.lines = lines
    }

    private static func section(_ title: String, _ rows: [[String]]) -> [String] {
        rows.isEmpty ? [] : ["", title] + TextTable.lines(rows).map { "  \($0)" }
    }

    // MARK: The queue

    private static func summary(_ report: StatusReport) -> [String] {
        let queue = report.queue
        let delays = queue.retrying.filter { $0.messages > 0 }
            .map { "\($0.messages) for \($0.delaySeconds) s" }
        let failing = count(report.failing)
        return [
            "queued \(count(report.queued))   running \(count(report.running))   failing \(failing)"
                + (delays.isEmpty ? "" : " (\(delays.joined(separator: ", ")))")
                + "   dead letters \(count(queue.deadLetters))",
            "consumers \(count(queue.consumers))   oldest \(duration(queue.oldestAgeSeconds))"
                + "   in \(rate(queue.arrivalPerSecond))   out \(rate(queue.drainPerSecond))"
                + "   empty in \(duration(queue.secondsToEmpty))",
        ]
    }

    private static func alert(_ alert: QueueStats.Alert, at now: Date) -> String {
        let value = alert.value.map { " \(number($0))" } ?? ""
        let threshold = alert.threshold.map { " of \(number($0))" } ?? ""
        let since = duration(now.timeIntervalSince(alert.since))
        return "ALERT \(alert.name.rawValue)\(value)\(threshold), for \(since)"
    }

    /// The consumers that are not workers; empty where the alert is not active or their names are
    /// unknown.
    private static func others(_ queue: QueueStats) -> [String] {
        guard queue.alerts.contains(where: { $0.name == .foreignConsumers }) else { return [] }
        return (queue.foreignConsumers ?? []).map { "  \($0.printable)" }
    }

    // MARK: Tables

    private static func workers(_ report: StatusReport) -> [[String]] {
        guard let workers = report.workers else { return [] }
        if workers.isEmpty { return [["none"]] }
        let head = [
            "name", "version", "up", "busy", "in flight", "done", "retried", "dead", "twice", "CPU",
            "MB", "last delivery", "state",
        ]
        return [head]
            + workers.map { worker in
                [
                    worker.name, worker.version,
                    duration(worker.heartbeatAt.timeIntervalSince(worker.startedAt)),
                    "\(worker.busyThreads)/\(worker.settings.threads)", "\(worker.inFlight)",
                    "\(worker.done)", "\(worker.retried)", "\(worker.dead)",
                    "\(worker.duplicates)", processors(worker), megabytes(worker),
                    worker.lastDeliveryAt.map { ago($0, at: report.at) } ?? "never", state(worker),
                ]
            }
    }

    /// As many as are busy with it.
    private static func processors(_ worker: WorkerStats) -> String {
        worker.resources?.cpu?.used.map(number) ?? "?"
    }

    /// What is used of what it may use.
    private static func megabytes(_ worker: WorkerStats) -> String {
        guard let memory = worker.resources?.memory, let limit = memory.limitBytes else {
            return "\(worker.residentBytes >> 20)"
        }
        return "\(memory.usedBytes >> 20)/\(limit >> 20)"
    }

    /// Seconds after which one that tells of itself every five has missed two.
    private static let silence = 11.0

    private static func state(_ worker: WorkerStats) -> String {
        let age = worker.heartbeatAgeSeconds
        let silent = age > silence ? ", silent for \(duration(age))" : ""
        return switch worker.state {
        case .ready, .draining: worker.state.rawValue + silent
        case .notReady: "not ready: \(worker.reasons.joined(separator: ", "))" + silent
        case .stopped, .lost:
            "\(worker.state.rawValue) \(duration(age)) ago"
        }
    }

    /// The causes of the workers' states: one line for each problem, with all workers that have it,
    /// and one for each worker that is paused.
    private static func causes(_ report: StatusReport) -> [String] {
        let workers = report.workers ?? []
        let problems = SharedProblem.among(workers).map { shared in
            let problem = shared.problem
            let age = duration(report.at.timeIntervalSince(problem.since))
            return "! \(names(shared.workers)): \(problem.name), for \(age): \(problem.advice)"
        }
        let pauses = workers.filter(\.state.isLiving).compactMap { worker in
            worker.paused.map { pause in
                "! \(worker.name): paused by \(pause.by) for "
                    + duration(report.at.timeIntervalSince(pause.since))
                    + (worker.wayBack.map { "; \($0)" } ?? "")
            }
        }
        return (problems + pauses).map { "  " + $0.printable }
    }

    private static func names(_ workers: [String]) -> String {
        let shown = workers.prefix(3).joined(separator: ", ")
        return workers.count > 3 ? "\(shown) and \(workers.count - 3) more" : shown
    }

    /// What waits, by priority, and what runs of each pool.
    private static func tasks(_ queues: [TaskQueueStats]) -> [[String]] {
        if queues.isEmpty { return [] }
        let head = ["pool"] + priorities + ["running", "oldest"]
        let pools = Dictionary(grouping: queues, by: \.pool).sorted { $0.key < $1.key }
        return [head]
            + pools.map { pool, queues in
                let waiting = priorities.map { priority in
                    queues.reduce(0) { $0 + ($1.priority == priority ? $1.waiting : 0) }
                }
                let oldest = queues.compactMap(\.oldestSeconds).max()
                let running = queues.reduce(0) { $0 + $1.running }
                return [pool] + waiting.map(String.init)
                    + ["\(running)", oldest.map { duration($0) } ?? "-"]
            }
    }

    private static let priorities = Priority.allCases.map(\.name)

    private static func failures(_ report: StatusReport) -> [[String]] {
        report.failures.map { failure in
            [
                time(failure.at), failure.code, failure.conversation ?? "-",
                "attempt \(failure.attempts)", failure.isDead ? "dead" : "again", failure.worker,
            ]
        }
    }

    private static func deadLetters(_ report: StatusReport) -> [[String]] {
        let codes = (report.deadLettersByCode ?? [:])
            .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { ["\($0.value)", $0.key] }
        let (others, gone) = (report.deadLettersWithoutRow ?? 0, report.deadLettersGone ?? 0)
        let look = "without a row here: amity dead-letters list --look-into-queue"
        return codes + (others > 0 ? [["\(others)", look]] : [])
            + (gone > 0 ? [["\(gone)", "of these are gone: the dead-letter queue is empty"]] : [])
    }

    // MARK: Words

    private static func time(_ date: Date) -> String { date.formatted(.iso8601) }

    private static func count(_ value: Int?) -> String { value.map(String.init) ?? "?" }

    private static func number(_ value: Double) -> String {
        value.formatted(.number.precision(.fractionLength(0...1)).grouping(.never))
    }

    private static func rate(_ value: Double?) -> String { value.map { number($0) + "/s" } ?? "?" }

    private static func ago(_ date: Date, at now: Date) -> String {
        duration(max(0, now.timeIntervalSince(date))) + " ago"
    }

    /// In the largest unit of which there are two.
    private static func duration(_ seconds: Double?) -> String {
        guard let seconds else { return "?" }
        let whole = Int(seconds.rounded())
        if whole < 120 { return "\(whole) s" }
        if whole < 7200 { return "\(whole / 60) min" }
        if whole < 172_800 { return "\(whole / 3600) h" }
        return "\(whole / 86400) d"
    }
}
