import Foundation
import Postgres
import TaskScheduling
import Tasks

/// One run of a worker that takes tasks: made and published as an API does it, by this process.
struct TaskTrial {
    let run: BenchmarkRun
    private let threads: Int
    let store: TaskStore
    let publisher: TaskPublisher

    /// As an API's.
    static let group = 50
    /// Chosen: a minute for what may go wrong, and the pace of a slow machine.
    private static func patience(for count: Int) -> Duration {
        .seconds(60) + .milliseconds(20) * count
    }

    /// - Parameter threads: TASK_CONCURRENCY.
    init(_ run: BenchmarkRun, threads: Int) throws {
        self.run = run
        self.threads = threads
        let settings = run.fixture.settings
        store = TaskStore(
            sessions: SessionPool(
                target: settings.taskDatabase,
                limit: 2,
                applicationName: "amity bench",
                statementTimeout: .seconds(60)
            )
        )
        publisher = TaskPublisher(
            store,
            endpoint: settings.endpoint,
            topology: settings.topology,
            logger: quietLogger
        )
    }

    /// Many at once; then some, each alone; then some of high priority among many of low.
    func measure(_ count: Int) throws -> Sample {
        try empty()
        publisher.start()
        defer { publisher.stop() }
        let worker = try startWorker()
        var sample = try throughput(count, worker)
        let few = max(10, min(100, count / 100))
        try empty()
        try submitOneByOne(few, .normal, sleep: 0)
        try wait(for: few, worker)
        (sample[.calmTaskStartP50], sample[.calmTaskStartP99]) = try starts(.normal)

        try empty()
        // As much as the threads do while the others come, and no end of it before.
        try submit(few * 3 * threads, .low, sleep: Self.nap)
        try submitOneByOne(few, .high, sleep: Self.nap)
        try wait(for: few * (3 * threads + 1), worker)
        (sample[.highTaskStartP50], sample[.highTaskStartP99]) = try starts(.high)
        sample[.peakResidentMegabytes] = worker.peakResidentMegabytes
        _ = try worker.stop()
        return sample
    }

    func startWorker() throws -> WorkerProcess {
        var environment = run.fixture.variables
        environment["TASK_QUEUES"] = run.fixture.taskPool
        environment["TASK_CONCURRENCY"] = "\(threads)"
        environment["DRAIN_TIMEOUT_SECONDS"] = "\(Int(Self.drainSeconds))"
        environment["HTTP_PORT"] = "\(try freePort())"
        let worker = try WorkerProcess(["worker"], environment: environment, in: run.folder)
        _ = try worker.wait(for: "task-consumer.started")
        return worker
    }

    /// In milliseconds.
    private static let nap = 20

    private func throughput(_ count: Int, _ worker: WorkerProcess) throws -> Sample {
        let (workerBefore, serversBefore) = (worker.cpuSeconds, try serverSeconds())
        try submit(count, .normal, sleep: 0)
        try wait(for: count, worker)
        let seconds = try numbers(Self.duration).first ?? 0
        let servers = try serverSeconds()
        var sample: Sample = [
            .tasksPerSecond: Double(count) / seconds,
            .workerCPUSecondsPerThousand: (worker.cpuSeconds - workerBefore) * 1000 / Double(count),
        ]
        if let before = serversBefore, let after = servers {
            sample[.databaseCores] = (after.database - before.database) / seconds
            sample[.brokerCores] = (after.broker - before.broker) / seconds
        }
        return sample
    }

    private func serverSeconds() throws -> (database: Double, broker: Double)? {
        guard let database = try run.servers.databasePID.flatMap(Usage.cpuSecondsOfFamily),
            let broker = run.servers.brokerPID.flatMap(Usage.cpuSeconds)
        else { return nil }
        return (database, broker)
    }

    // MARK: Submit

    /// - Parameter change: of the task of a group that has the number.
    func submit(
        _ count: Int,
        _ priority: Priority,
        sleep: Int,
        _ change: (_ task: inout NewTask, _ number: Int) -> Void = { _, _ in }
    ) throws {
        var left = count
        while left > 0 {
            try Interruption.check()
            let size = min(left, Self.group)
            left -= size
            var task = NewTask(
                type: "benchmark",
                pool: run.fixture.taskPool,
                payload: sleep == 0 ? "{}" : #"{"sleep_ms": \#(sleep)}"#
            )
            task.priority = priority
            let begin = ContinuousClock.now
            let requests = (0..<size).map { number in
                var one = task
                change(&one, number)
                return SubmitRequest([one])
            }
            let outcomes = try store.submit(requests)
            var publications: [Publication] = []
            for outcome in outcomes {
                guard case .accepted(_, let toPublish) = try outcome.get() else { continue }
                publications += toPublish
            }
            publisher.publish(publications, leasedAt: begin)
        }
    }

    /// One after the other, with a pause after each that is not in step with anything.
    private func submitOneByOne(_ count: Int, _ priority: Priority, sleep: Int) throws {
        for _ in 0..<count {
            try Interruption.sleep(for: .milliseconds(.random(in: 15...45)))
            try submit(1, priority, sleep: sleep)
        }
    }

    // MARK: Look

    func wait(for count: Int, _ worker: WorkerProcess) throws {
        let deadline = ContinuousClock.now + Self.patience(for: count)
        while try numbers(Self.left).first != 0 {
            try worker.checkIsRunning()
            if deadline <= .now {
                let done = try numbers(Self.done).first ?? 0
                throw BenchmarkError.notFinished(
                    processed: Int(done),
                    of: count,
                    log: worker.logTail
                )
            }
            try Interruption.sleep(for: .milliseconds(20))
        }
    }

    private func starts(_ priority: Priority) throws -> (Double?, Double?) {
        let waits = try numbers(Self.waits, [.integer(priority.rawValue)])
        return (percentile(50, of: waits), percentile(99, of: waits))
    }

    func empty() throws { _ = try run.fixture.session.flight([(Self.empty, [])]) }

    func numbers(
        _ statement: Statement,
        _ parameters: [Parameter] = []
    ) throws -> [Double] {
        try run.fixture.session.flight([(statement, parameters)])[0]
            .map { row throws(PostgresError) in try row.double() ?? 0 }
    }

    private static let empty = Statement("empty_tasks", "TRUNCATE amity_tasks, amity_task_data")
    private static let left = Statement(
        "tasks_left",
        "SELECT count(*)::float8 FROM (SELECT FROM amity_tasks WHERE finished_at IS NULL LIMIT 1) x"
    )
    private static let done = Statement(
        "tasks_done",
        "SELECT count(*)::float8 FROM amity_tasks WHERE finished_at IS NOT NULL"
    )
    private static let duration = Statement(
        "tasks_duration",
        """
        SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8 FROM amity_tasks
        """
    )
    /// Milliseconds from the submit to the start. $1: priority.
    private static let waits = Statement(
        "task_waits",
        """
        SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 FROM amity_tasks
        WHERE priority = $1::int
        """
    )
}
