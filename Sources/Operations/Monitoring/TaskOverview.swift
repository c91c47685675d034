import Foundation
import Tasks

/// What the dashboard shows of all tasks: no task's payload, result, note or error text.
package struct TaskOverview: Encodable, Sendable, Equatable {
    /// The latest failed tasks of one type and code.
    package struct Failures: Encodable, Sendable, Equatable {
        package var type: String
        package var code: String?
        package var count: Int
        package var lastFailedAt: Date?
    }

    /// Pools and priorities that have tasks, or had some in the last minute.
    package var queues: [TaskQueueStats]
    package var failures: [Failures]
    /// Whether `failures` counts all: else it counts the latest thousand.
    package var isComplete: Bool

    package init(queues: [TaskQueueStats], failures: [Failures], isComplete: Bool) {
        self.queues = queues
        self.failures = failures
        self.isComplete = isComplete
    }

    static func read(from store: TaskStore) throws -> TaskOverview {
        let failed = try store.failed()
        return TaskOverview(
            queues: TaskQueueStats.all(try store.depths(), rates: try store.rates()),
            failures: failed.map {
                Failures(type: $0.type, code: $0.code, count: $0.count, lastFailedAt: $0.lastAt)
            },
            isComplete: failed.reduce(0) { $0 + $1.count } < TaskStore.mostGrouped
        )
    }
}

/// An alert about a pool's tasks of one priority, from when it was raised.
package struct TaskAlert: Encodable, Sendable, Equatable {
    package var name: String
    /// Pool and priority, with a dot between.
    package var queue: String
    package var since: Date

    package init(name: String, queue: String, since: Date) {
        self.name = name
        self.queue = queue
        self.since = since
    }

    /// Those that the watching worker has stored; none where no worker watches.
    static func read(from store: TaskStore) throws -> [TaskAlert] {
        guard let stored = try store.watch(), stored.isLiving, let memory = stored.memory else {
            return []
        }
        return try JSONDecoder().decode(TaskQueueWatch.self, from: Data(memory.utf8)).raised
    }
}

/// A page of tasks, newest first.
package struct TaskPage: Encodable, Sendable {
    package var tasks: [TaskRecord]
    /// Whether there are older ones.
    package var hasMore: Bool

    package init(tasks: [TaskRecord], hasMore: Bool) {
        self.tasks = tasks
        self.hasMore = hasMore
    }
}

/// One task.
package struct TaskRecord: Encodable, Sendable, Equatable {
    package struct Failure: Codable, Sendable, Equatable {
        package var run: Int
        package var code: String
        package var at: String

        package init(run: Int, code: String, at: String) {
            self.run = run
            self.code = code
            self.at = at
        }
    }

    package var id: String
    package var type: String
    package var pool: String
    package var priority: String
    package var state: String
    package var isCancelAsked: Bool
    package var run: Int
    package var attempt: Int
    package var maxAttempts: Int
    package var crashes: Int
    package var progress: Int?
    package var kbID: String?
    package var batchID: String?
    /// The host and process that runs it, or ran it last, if it is known.
    package var worker: String?
    package var createdAt: Date
    package var dueAt: Date?
    package var deadline: Date?
    package var startedAt: Date?
    package var cancelAskedAt: Date?
    package var finishedAt: Date?
    /// The last failure's.
    package var errorCode: String?
    /// Of a run; nil in a list, as `errors`.
    package var timeoutSeconds: Int?
    package var errors: [Failure]?

    /// Of a first attempt.
    package init(
        id: String,
        type: String,
        pool: String,
        priority: String,
        state: String,
        run: Int,
        createdAt: Date
    ) {
        (self.id, self.type, self.pool) = (id, type, pool)
        (self.priority, self.state, self.run) = (priority, state, run)
        (isCancelAsked, attempt, maxAttempts, crashes) = (false, 1, 1, 0)
        self.createdAt = createdAt
    }

    init(_ facts: TaskFacts) {
        let view = facts.view
        self.init(
            id: view.id.text,
            type: view.type,
            pool: view.pool,
            priority: view.priority.name,
            state: view.state.name,
            run: view.run,
            createdAt: view.createdAt
        )
        (isCancelAsked, crashes) = (view.isCancelAsked, view.crashes)
        (attempt, maxAttempts) = (view.attempt, view.maxAttempts)
        (progress, errorCode) = (view.percent, view.errorCode)
        (kbID, batchID, worker) = (view.kbID, view.batchID?.text, facts.worker)
        deadline = view.deadline
        // Of a queued task: when the scheduler publishes it again.
        dueAt = view.state == .scheduled ? view.dueAt : nil
        (startedAt, finishedAt) = (view.startedAt, view.finishedAt)
        cancelAskedAt = facts.cancelAskedAt
        timeoutSeconds = facts.timeout
        errors = facts.failures.map(Self.failures)
    }

    private static func failures(_ json: String) -> [Failure] {
        do {
            return try JSONDecoder().decode([Failure].self, from: Data(json.utf8))
        } catch {
            // Stored by another version.
            return []
        }
    }
}
