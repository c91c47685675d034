import Foundation
import TaskTypes
import Tasks

/// A schedule that is due, with what is to be made of it, and then what was.
struct DueSchedule {
    let name: String
    /// One for each tick that gets a task.
    private(set) var requests: [SubmitRequest] = []
    /// When it is due next; after an error, the tick that it is due for still.
    private(set) var next: Date?
    /// The last tick that got a task.
    private(set) var last: Date?
    private(set) var error: String?
    private(set) var hasMore = false

    private(set) var toPublish: [Publication] = []
    private(set) var task: TaskID?
    private(set) var made = 0
    private(set) var unique = 0

    init(_ schedule: Schedule, at now: Date, _ types: [String: TaskType], atMost limit: Int) {
        let definition = schedule.definition
        name = definition.name
        next = schedule.nextAt
        guard let type = types[definition.type] else {
            error = "its type \(definition.type) is unknown"
            return
        }
        do throws(ScheduleDefinition.Unusable) {
            let plan = TickPlan(
                try definition.recurrence(),
                from: min(schedule.nextAt ?? now, now),
                definition.catchUp,
                at: now,
                atMost: limit
            )
            requests = plan.ticks.map { tick in
                var request = SubmitRequest([definition.task(type, at: tick)])
                request.token = schedule.createdBy
                return request
            }
            (next, last) = (plan.next, plan.ticks.last)
            hasMore = plan.next.map { $0 <= now } ?? false
        } catch {
            self.error = error.description
        }
    }

    /// - Parameter outcomes: one for each request.
    mutating func take(_ outcomes: ArraySlice<SubmitOutcome>) {
        for case .accepted(let submission, let publications) in outcomes {
            toPublish += publications
            for task in submission.tasks {
                self.task = task.id
                if task.isDuplicate { unique += 1 } else { made += 1 }
            }
        }
    }
}
