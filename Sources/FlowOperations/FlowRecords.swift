import Foundation
import Schedules
import TaskTypes
import Tasks

/// A key, or a type without keys, with its limit and what waits for it.
package struct LimitRecord: Encodable, Sendable {
    package struct Rule: Encodable, Sendable {
        /// What has a limit of its own: `type`, `kb_id`, or a member of the payload.
        package var by: String
        /// Starts a second.
        package var rate: Double?
        package var burst: Int?
        package var cap: Int?
        package var isStrict: Bool
    }

    /// Of a key and state, so many tasks are counted; one more says that there are more. Chosen: a
    /// few milliseconds.
    package static let mostCounted = 10_000

    package var key: String
    package var type: String
    package var rule: Rule?
    package var tokens: Double?
    package var waiting: Int
    package var queued: Int
    package var running: Int
    package var pausedBy: String?
    package var pausedAt: Date?
}

extension LimitRecord {
    package init(_ view: LimitView) {
        self.init(
            key: view.key,
            type: view.type,
            rule: view.limit.map {
                Rule(
                    by: $0.key.text,
                    rate: $0.rate,
                    burst: $0.burst,
                    cap: $0.cap,
                    isStrict: $0.isStrict
                )
            },
            tokens: view.tokens,
            waiting: view.waiting,
            queued: view.queued,
            running: view.running,
            pausedBy: view.pausedBy,
            pausedAt: view.pausedAt
        )
    }
}

/// A type, a key or a pool that is paused.
package struct PauseRecord: Encodable, Sendable {
    /// `type`, `key` or `pool`.
    package var kind: String
    package var name: String
    package var pausedBy: String
    package var pausedAt: Date
}

extension PauseRecord {
    package init(_ pause: TaskPause) {
        let (kind, name) =
            switch pause.subject {
            case .type(let name): ("type", name)
            case .key(let name): ("key", name)
            case .pool(let name): ("pool", name)
            }
        self.init(kind: kind, name: name, pausedBy: pause.by, pausedAt: pause.since)
    }
}

/// Keys by name, and what is paused.
package struct LimitPage: Encodable, Sendable {
    package var limits: [LimitRecord]
    package var hasMore: Bool
    package var pauses: [PauseRecord]

    package init(limits: [LimitRecord], hasMore: Bool, pauses: [PauseRecord]) {
        (self.limits, self.hasMore, self.pauses) = (limits, hasMore, pauses)
    }
}

/// A schedule without the payload of its tasks.
package struct ScheduleRecord: Encodable, Sendable {
    package var name: String
    package var type: String
    package var cron: String
    package var timeZone: String
    package var kbID: String?
    /// nil while it is paused.
    package var nextAt: Date?
    package var lastAt: Date?
    package var lastTask: String?
    /// Of the last task, while its row is there.
    package var lastState: String?
    /// Why the last tick could not make a task.
    package var lastError: String?
    package var pausedBy: String?
    package var pausedAt: Date?
}

extension ScheduleRecord {
    init(_ schedule: Schedule, lastState: TaskState?) {
        let definition = schedule.definition
        self.init(
            name: definition.name,
            type: definition.type,
            cron: definition.cron,
            timeZone: definition.timeZone,
            kbID: definition.kbID,
            nextAt: schedule.isPaused ? nil : schedule.nextAt,
            lastAt: schedule.lastAt,
            lastTask: schedule.lastTask?.text,
            lastState: lastState?.name,
            lastError: schedule.lastError,
            pausedBy: schedule.pausedBy,
            pausedAt: schedule.pausedAt
        )
    }
}

package struct SchedulePage: Encodable, Sendable {
    package var schedules: [ScheduleRecord]
    package var hasMore: Bool

    package init(schedules: [ScheduleRecord], hasMore: Bool) {
        (self.schedules, self.hasMore) = (schedules, hasMore)
    }
}
