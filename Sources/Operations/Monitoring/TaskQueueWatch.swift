import Foundation
import Tasks

package enum TaskAlertName: String, Codable, CodingKeyRepresentable, Sendable, CaseIterable {
    case depth = "task_queue_depth"
    case wait = "task_wait"
}

/// The limits from which on an operator is alerted of a pool's tasks of one priority; 0 for never.
package struct TaskAlertLimits: Sendable {
    package var tasks: Int
    package var waitSeconds: Int

    package init(tasks: Int, waitSeconds: Int) {
        self.tasks = tasks
        self.waitSeconds = waitSeconds
    }
}

/// What an operator is told of an alert, once each.
enum TaskAlertEvent: Equatable {
    case raised(TaskAlertName, queue: String, value: Double, threshold: Double)
    case cleared(TaskAlertName, queue: String, lastedSeconds: Double)
}

/// Follows queues of tasks from look to look. Pure; its memory can be stored, so that the next
/// leader continues where the last one has ended.
///
/// A row does not say since when it may begin: a task that was delayed by a day is a day old when
/// it is queued. So one task of each queue is watched, the newest when the watch began, until it is
/// queued no more; then the next one.
struct TaskQueueWatch: Codable {
    private struct Alert: Codable {
        /// When it was raised; nil while it is not.
        var since: Double?
        /// Looks in a row that speak for the other state.
        var doubts = 0
    }

    private struct Queue: Codable {
        var watched: TaskID?
        var watchedSince = 0.0
        /// How long the last one was watched, in seconds.
        var lastWait = 0.0
        var alerts: [TaskAlertName: Alert] = [:]
    }

    /// As for the queue of conversations.
    private static let looksToChange = 2
    private static let endsBelow = 0.8

    /// By pool and priority, with a dot between.
    private var queues: [String: Queue] = [:]
    /// When it was looked last, in seconds since 1970.
    private var lookedAt: Double?

    var watched: [TaskID] { queues.values.compactMap(\.watched) }

    /// Alerts that are raised, by queue, and those queues that have none.
    var active: [String: Set<TaskAlertName>] {
        queues.mapValues { Set($0.alerts.filter { $0.value.since != nil }.keys) }
    }

    /// The alerts that are raised, by the names of their queues.
    var raised: [TaskAlert] {
        queues.sorted { $0.key < $1.key }.flatMap { label, queue in
            TaskAlertName.allCases.compactMap { name in
                queue.alerts[name]?.since.map { since in
                    TaskAlert(
                        name: name.rawValue,
                        queue: label,
                        since: Date(timeIntervalSince1970: since)
                    )
                }
            }
        }
    }

    /// Takes a look into account.
    ///
    /// - Parameters:
    ///   - found: queues that have tasks that wait.
    ///   - waiting: those of `watched` that still wait.
    ///   - now: in seconds since 1970.
    mutating func take(
        _ found: [QueuedTasks],
        waiting: Set<TaskID>,
        at now: Double,
        _ limits: TaskAlertLimits
    ) -> [TaskAlertEvent] {
        let found = Dictionary(
            found.map { ("\($0.pool).\($0.priority.name)", $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var events: [TaskAlertEvent] = []
        for label in Set(queues.keys).union(found.keys).sorted() {
            var queue = queues[label] ?? Queue()
            let tasks = found[label]
            let wait = wait(&queue, newest: tasks?.newest, waiting, at: now)
            for (name, value, limit) in [
                (TaskAlertName.depth, Double(tasks?.count ?? 0), limits.tasks),
                (.wait, wait, limits.waitSeconds),
            ] {
                events += Self.move(&queue, name, label, (value, Double(limit)), at: now)
            }
            let isOver = tasks == nil && queue.alerts.values.allSatisfy { $0.since == nil }
            queues[label] = isOver ? nil : queue
        }
        lookedAt = now
        return events
    }

    /// For how long a task of the queue waits, as far as that was watched.
    private func wait(
        _ queue: inout Queue,
        newest: TaskID?,
        _ waiting: Set<TaskID>,
        at now: Double
    ) -> Double {
        if let watched = queue.watched, !waiting.contains(watched) {
            // It may have begun at any time since.
            queue.lastWait = (lookedAt ?? now) - queue.watchedSince
            queue.watched = nil
        }
        guard let newest else {
            queue.lastWait = 0
            return 0
        }
        if queue.watched == nil { (queue.watched, queue.watchedSince) = (newest, now) }
        return max(queue.lastWait, now - queue.watchedSince)
    }

    private static func move(
        _ queue: inout Queue,
        _ name: TaskAlertName,
        _ label: String,
        _ measure: (value: Double, threshold: Double),
        at now: Double
    ) -> [TaskAlertEvent] {
        var alert = queue.alerts[name] ?? Alert()
        defer { queue.alerts[name] = alert }
        let (value, threshold) = measure
        let isOn = threshold > 0 && value >= threshold
        let isOff = threshold == 0 || value < threshold * endsBelow
        alert.doubts = (alert.since == nil ? isOn : isOff) ? alert.doubts + 1 : 0
        if alert.doubts < looksToChange { return [] }
        alert.doubts = 0
        if let since = alert.since {
            alert.since = nil
            return [.cleared(name, queue: label, lastedSeconds: max(0, now - since))]
        }
        alert.since = now
        return [.raised(name, queue: label, value: value, threshold: threshold)]
    }
}
