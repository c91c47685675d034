import Events
import Foundation
import Postgres
import Tasks

/// What the database says of tasks.
struct TaskSnapshot: Sendable {
    /// One whose lease has not run out, as it tells of itself.
    struct Worker: Sendable, Decodable {
        var name: String
        var pools: [String]
        var threads: Int
        /// Of handlers that have not come back; nil where its version does not say.
        var lost: Int?
        /// What it has code or a command for; nil where its version does not say.
        var types: [String]?
        /// What it uses of its host.
        var resources: Resources?

        /// What of it says that something is nearly used up.
        struct Resources: Sendable, Decodable {
            var shortOf: [String]

            private enum CodingKeys: String, CodingKey { case shortOf = "short_of" }
        }

        /// Services are called by every worker.
        func runs(_ type: TaskSnapshot.Kind) -> Bool {
            pools.contains(type.pool) && (type.isService || types?.contains(type.name) ?? true)
        }
    }

    /// A row of the table of types.
    struct Kind: Sendable {
        var name: String
        var pool: String
        var isService: Bool
    }

    /// Runs of one type that have lasted for `TaskSnapshot.long`, in one worker.
    struct LongRuns: Sendable {
        var worker: String
        var type: String
        var count: Int
    }

    /// Chosen: a type that takes a worker's threads for so long keeps others waiting.
    static let long = 5

    /// By the ids of their processes.
    var workers: [String: Worker] = [:]
    var hasLeader = false
    /// By name.
    var types: [Kind] = []
    /// Tasks that are queued, by pool.
    var queued: [String: Int] = [:]
    /// Whether the scheduler has anything to look at, now or later.
    var hasUnfinished = false
    var longRuns: [LongRuns] = []
    var events: EventBacklog?
    /// Whether the triggers are there that write events of tasks; nil where that is not known.
    var hasEventTriggers: Bool?
    /// By name.
    var schedules: [ScheduleSnapshot] = []

    /// - Returns: nil where there are no tables of tasks, or none for this role.
    static func look(asking questions: inout Questions) -> TaskSnapshot? {
        let leases = questions.ask("leases", TaskDoctorSQL.leases, [], TaskDoctorSQL.lease)
        guard let leases else { return nil }
        var snapshot = TaskSnapshot()
        for lease in leases {
            switch lease {
            case .leader: snapshot.hasLeader = true
            case .worker(let id, let worker): snapshot.workers[id] = worker
            case .other: break
            }
        }
        let types = questions.ask("types", TaskDoctorSQL.types, [], TaskDoctorSQL.type)
        snapshot.types = types ?? []
        let queued = questions.ask("queued tasks", TaskDoctorSQL.queued, [], TaskDoctorSQL.pool)
        for (pool, count) in queued ?? [] { snapshot.queued[pool] = count }
        snapshot.hasUnfinished =
            questions.ask(
                "unfinished tasks",
                TaskDoctorSQL.unfinished,
                [],
                TaskDoctorSQL.isTrue
            )?.first ?? false
        let runs = questions.ask("long runs", TaskDoctorSQL.longRuns, [], TaskDoctorSQL.run)
        snapshot.longRuns = runs ?? []
        snapshot.events =
            questions.ask("events", EventBacklog.sql(), [], EventBacklog.init)?.first
        snapshot.hasEventTriggers =
            questions.ask(
                "triggers of events",
                TaskDoctorSQL.triggers,
                [],
                TaskDoctorSQL.isTrue
            )?.first
        let schedules = questions.ask("schedules", ScheduleSnapshot.sql, [], ScheduleSnapshot.init)
        snapshot.schedules = schedules ?? []
        return snapshot
    }
}

/// What the doctor asks of tasks: leases and types are few, and of tasks it reads by the partial
/// indexes.
private enum TaskDoctorSQL {
    enum Lease {
        case leader
        case worker(id: String, TaskSnapshot.Worker)
        case other
    }

    private static let pending =
        "\(TaskState.waiting.rawValue), \(TaskState.queued.rawValue), "
        + "\(TaskState.processing.rawValue)"

    static let leases = """
        SELECT name, holder::text, facts::text FROM amity_leases
        WHERE lease_until > clock_timestamp()
        ORDER BY name LIMIT 1000
        """

    static func lease(_ row: inout RowReader) throws(PostgresError) -> Lease {
        let (name, holder) = (try row.text() ?? "", try row.text() ?? "")
        let facts = try row.data()
        if name == "scheduler" { return .leader }
        guard name.hasPrefix("worker "), let facts else { return .other }
        do {
            return .worker(
                id: holder,
                try JSONDecoder().decode(TaskSnapshot.Worker.self, from: facts)
            )
        } catch {
            // Another version's.
            return .other
        }
    }

    static let types = """
        SELECT type, pool, handler ->> 'kind' = 'http' FROM amity_task_types ORDER BY type
        """

    static func type(_ row: inout RowReader) throws(PostgresError) -> TaskSnapshot.Kind {
        .init(
            name: try row.text() ?? "",
            pool: try row.text() ?? "",
            isService: try row.bool() ?? false
        )
    }

    static let queued = """
        SELECT pool, count(*) FROM amity_tasks
        WHERE state IN (\(pending)) AND state = \(TaskState.queued.rawValue)
        GROUP BY pool
        """

    static func pool(_ row: inout RowReader) throws(PostgresError) -> (String, Int) {
        (try row.text() ?? "", try row.integer() ?? 0)
    }

    static let unfinished = """
        SELECT EXISTS (SELECT FROM amity_tasks WHERE due_at IS NOT NULL)
            OR EXISTS (SELECT FROM amity_tasks WHERE state IN (\(pending)))
        """

    static let triggers = """
        SELECT count(*) = 2 FROM pg_trigger
        WHERE tgrelid = to_regclass('amity_tasks') AND tgenabled <> 'D'
          AND tgname IN ('amity_task_created', 'amity_task_moved')
        """

    static func isTrue(_ row: inout RowReader) throws(PostgresError) -> Bool {
        try row.bool() ?? false
    }

    static let longRuns = """
        SELECT worker::text, type, count(*) FROM amity_tasks
        WHERE state = \(TaskState.processing.rawValue) AND worker IS NOT NULL
          AND started_at < clock_timestamp() - interval '\(TaskSnapshot.long) minutes'
        GROUP BY worker, type
        """

    static func run(_ row: inout RowReader) throws(PostgresError) -> TaskSnapshot.LongRuns {
        .init(
            worker: try row.text() ?? "",
            type: try row.text() ?? "",
            count: try row.integer() ?? 0
        )
    }
}
