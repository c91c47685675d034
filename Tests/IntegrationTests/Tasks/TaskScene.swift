import Foundation
import Postgres
import Testing

@testable import Tasks

/// A scene whose worker may also work on tasks.
final class TaskScene {
    let scene: Scene
    /// As a worker or an API has it: its role may do only what `deploy/grants.sql` gives.
    let store: TaskStore

    static let worker = TaskID(stored: "11111111-1111-4111-8111-111111111111")
    static let otherWorker = TaskID(stored: "22222222-2222-4222-8222-222222222222")

    init(sessions: Int = 8, settings: [String: String] = [:]) throws {
        scene = try Scene(settings: settings)
        try Servers.psql(
            [
                "-v", "role=\(scene.name)", "-v", "tasks=1",
                "-f", Servers.root.appending(path: "deploy/grants.sql").path,
            ],
            searchPath: scene.name
        )
        store = Self.store(on: scene.settings.taskDatabase, sessions: sessions)
    }

    /// With one session, over a network that a test may break.
    func store(through proxy: Proxy) throws -> TaskStore {
        let url = try #require(scene.variables["DATABASE_URL"])
        let target = try #require(ConnectionTarget(url: proxy.rerouted(url)))
        return Self.store(on: target, sessions: 1)
    }

    /// As the owner of the tables has it.
    func ownersStore() -> TaskStore { Self.store(on: scene.owner, sessions: 1) }

    private static func store(on target: ConnectionTarget, sessions: Int) -> TaskStore {
        TaskStore(
            sessions: SessionPool(
                target: target,
                limit: sessions,
                applicationName: "tasks",
                statementTimeout: .seconds(20)
            )
        )
    }

    @discardableResult
    func sql(_ text: String, _ parameters: Parameter...) throws -> Rows {
        // Tests have few parameters.
        switch parameters.count {
        case 0: try scene.sql(text)
        case 1: try scene.sql(text, parameters[0])
        case _: try scene.sql(text, parameters[0], parameters[1])
        }
    }

    static func task(
        _ type: String = "test",
        payload: String = "{}",
        _ change: (inout NewTask) -> Void = { _ in }
    ) -> NewTask {
        var task = NewTask(type: type, pool: "default", payload: payload)
        change(&task)
        return task
    }

    /// Makes one task.
    func submit(
        _ type: String = "test",
        _ change: (inout NewTask) -> Void = { _ in }
    ) throws -> TaskID {
        let outcome = try store.submit([SubmitRequest([Self.task(type, change)])])[0].get()
        guard case .accepted(let submission, _) = outcome else { throw Refused() }
        return try #require(submission.tasks.first).id
    }

    /// Makes one task and begins its first run.
    func begin(
        _ type: String = "test",
        worker: TaskID = TaskScene.worker,
        _ change: (inout NewTask) -> Void = { _ in }
    ) throws -> TaskID {
        let id = try submit(type, change)
        try claim(id, run: 1, worker: worker)
        return id
    }

    @discardableResult
    func claim(
        _ id: TaskID,
        run: Int,
        worker: TaskID = TaskScene.worker
    ) throws -> ClaimedTask {
        let claim = TaskClaim(id: id, run: run, worker: worker)
        let outcome = try store.claim(claim, mayRunAlone: true)
        guard case .claimed(let task) = outcome else { throw Refused() }
        return task
    }

    func state(_ id: TaskID) throws -> TaskState? { try store.get(id)?.view.state }

    struct Refused: Error {}

    // MARK: Rows as the pure machine has them

    /// Inserts a row for each, its times relative to the database's clock.
    ///
    /// - Returns: their ids, and the `due_at` of each as the database writes it.
    func insert(_ lives: [TaskLife]) throws -> [(id: TaskID, due: String?)] {
        func optional(_ value: (TaskLife) -> Int?) -> Parameter {
            .textArray(lives.map { value($0).map(String.init) })
        }
        let rows = try scene.sql(
            """
            WITH new AS MATERIALIZED (
                SELECT *, amity_uuid7(clock_timestamp() + number * interval '1 microsecond') AS id
                FROM unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[],
                    $7::text[], $8::text[], $9::text[])
                    WITH ORDINALITY AS new (state, run, attempts, crashes, due, worker, cancel,
                        deadline, limit_key, number)),
            made AS (
                INSERT INTO amity_tasks (id, type, pool, priority, state, run, attempts,
                    max_attempts, crashes, due_at, worker, cancel_at, deadline, limit_key,
                    created_at)
                SELECT id, 'test', 'default', 2, state, run, attempts, \(lives[0].maxAttempts),
                    crashes, now() + make_interval(secs => due::int / 1000.0),
                    CASE WHEN worker IS NOT NULL THEN $10::uuid END,
                    now() + make_interval(secs => cancel::int / 1000.0),
                    now() + make_interval(secs => deadline::int / 1000.0), limit_key, now()
                FROM new RETURNING id, due_at),
            data AS (
                INSERT INTO amity_task_data (id, payload, timeout_seconds)
                SELECT id, '{}', 300 FROM new)
            SELECT made.id, due_at::text FROM made JOIN new USING (id) ORDER BY number
            """,
            .integerArray(lives.map(\.state.rawValue)),
            .integerArray(lives.map(\.run)),
            .integerArray(lives.map(\.attempts)),
            .integerArray(lives.map(\.crashes)),
            optional(\.due),
            optional(\.worker),
            optional(\.cancelAt),
            optional(\.deadline),
            .textArray(lives.map { $0.isLimited ? "key" : nil }),
            .text(Self.worker.text)
        )
        return try rows.map { row throws(PostgresError) in
            (TaskID(stored: try row.text() ?? ""), try row.text())
        }
    }

    /// Reads rows back. Times are relative to now, in milliseconds.
    func lives(_ ids: [TaskID], maxAttempts: Int) throws -> [TaskID: TaskLife] {
        let rows = try scene.sql(
            """
            SELECT id, state, run, attempts, crashes, (worker IS NOT NULL)::int,
                \(["due_at", "cancel_at", "deadline"].map {
                    "(extract(epoch FROM \($0) - clock_timestamp()) * 1000)::bigint"
                }.joined(separator: ", ")), limit_key IS NOT NULL
            FROM amity_tasks WHERE id = ANY ($1::uuid[])
            """,
            .textArray(ids.map(\.text))
        )
        var lives: [TaskID: TaskLife] = [:]
        try rows.forEach { row throws(PostgresError) in
            let id = TaskID(stored: try row.text() ?? "")
            let state = try row.integer().flatMap(TaskState.init(rawValue:)) ?? .failed
            let (run, attempts) = (try row.integer() ?? 0, try row.integer() ?? 0)
            let crashes = try row.integer() ?? 0
            let worker = try row.integer() ?? 0
            let (due, cancelAt) = (try row.integer(), try row.integer())
            lives[id] = TaskLife(
                state: state,
                run: run,
                attempts: attempts,
                crashes: crashes,
                due: due,
                worker: worker == 0 ? nil : worker,
                cancelAt: cancelAt,
                deadline: try row.integer(),
                maxAttempts: maxAttempts,
                isLimited: try row.bool() ?? false
            )
        }
        return lives
    }
}

/// One that also has what runs them.
protocol SceneWithTasks {
    var tasks: TaskScene { get }
}

extension SceneWithTasks {
    var store: TaskStore { tasks.store }

    func view(_ id: TaskID) throws -> TaskView { try #require(try store.get(id)).view }

    func wait(
        for id: TaskID,
        toBe state: TaskState,
        within limit: Duration = .seconds(20),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try eventually("it is \(state)", within: limit, sourceLocation: sourceLocation) {
            try tasks.state(id) == state
        }
    }
}
