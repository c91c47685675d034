import Foundation
import Postgres
import Tasks

extension TaskTrial {
    /// How late tasks are that have a time, how soon a run stops that is cancelled, how soon one
    /// begins again whose worker was killed, and how long a drain takes over its limit.
    func measureTimes() throws -> Sample {
        publisher.start()
        defer { publisher.stop() }
        var worker = try startWorker()
        var sample: Sample = [:]
        let late = try lateness(worker)
        (sample[.lateP50], sample[.lateP99]) = (percentile(50, of: late), percentile(99, of: late))

        try empty()
        let few = 4
        for _ in 0..<few {
            try submit(1, .normal, sleep: Self.forLong)
            try wait(until: Self.allBegun, worker)
            // Not in step with the worker's looks.
            try Interruption.sleep(for: .milliseconds(.random(in: 0...900)))
            _ = try store.cancelAll(TaskFilter(), isDry: false)
        }
        try wait(for: few, worker)
        let stops = try numbers(Self.stops)
        (sample[.cancelP50], sample[.cancelMost]) = (percentile(50, of: stops), stops.max())

        try empty()
        try submit(1, .normal, sleep: Self.forLong)
        try wait(until: Self.allBegun, worker)
        let killedAt = try numbers(Self.now)
        worker.kill()
        worker = try startWorker()
        try wait(until: Self.allBegunAgain, worker)
        sample[.lostTaskBeginsAgain] = zip(try numbers(Self.begin), killedAt).map(-).first

        let begin = ContinuousClock.now
        _ = try worker.stop()
        sample[.drainOverLimit] = begin.duration(to: .now) / .seconds(1) - Self.drainSeconds
        return sample
    }

    /// In milliseconds: longer than anything here takes.
    private static let forLong = 60_000
    /// DRAIN_TIMEOUT_SECONDS: a task that takes long is running then.
    static let drainSeconds = 5.0
    /// Tasks that are due each second, for so many seconds.
    private static let dueRate = (perSecond: 1000, seconds: 4)

    /// In seconds: what making them may take.
    private static let lead = 15.0

    /// Seconds by which each began after its time.
    private func lateness(_ worker: WorkerProcess) throws -> [Double] {
        try empty()
        let count = Self.dueRate.perSecond * Self.dueRate.seconds
        // Those that come first are not due before the last one is stored, also by a slow machine.
        let begin = ContinuousClock.now
        for first in stride(from: 0, to: count, by: Self.group) {
            try submit(Self.group, .normal, sleep: 0) { task, number in
                let due = Self.lead + Double(first + number) / Double(Self.dueRate.perSecond)
                task.delay = due - begin.duration(to: .now) / .seconds(1)
            }
        }
        _ = try run.fixture.session.flight([(Self.keepTimes, [])])
        if begin.duration(to: .now) / .seconds(1) > Self.lead {
            throw BenchmarkError.tooSlow("to make \(count) tasks within \(Int(Self.lead)) s")
        }
        try wait(for: count, worker)
        defer { cleaningUp { _ = try run.fixture.session.flight([(Self.forgetTimes, [])]) } }
        return try numbers(Self.late)
    }

    private func wait(until statement: Statement, _ worker: WorkerProcess) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try numbers(statement).first != 1 {
            try worker.checkIsRunning()
            if deadline <= .now {
                throw BenchmarkError.notFinished(processed: 0, of: 1, log: worker.logTail)
            }
            try Interruption.sleep(for: .milliseconds(20))
        }
    }

    private static let allBegun = Statement(
        "tasks_begun",
        """
        SELECT bool_and(started_at IS NOT NULL)::int::float8 FROM amity_tasks
        WHERE finished_at IS NULL
        """
    )
    private static let allBegunAgain = Statement(
        "tasks_begun_again",
        "SELECT bool_and(run > 1 AND worker IS NOT NULL)::int::float8 FROM amity_tasks"
    )
    private static let stops = Statement(
        "task_stops",
        "SELECT extract(epoch FROM finished_at - cancel_at)::float8 FROM amity_tasks"
    )
    private static let forgetTimes = Statement("forget_task_times", "DROP TABLE task_times")
    private static let keepTimes = Statement(
        "keep_task_times",
        "CREATE TEMPORARY TABLE task_times AS SELECT id, due_at FROM amity_tasks"
    )
    private static let late = Statement(
        "task_lateness",
        """
        SELECT extract(epoch FROM started_at - task_times.due_at)::float8
        FROM amity_tasks JOIN task_times USING (id)
        """
    )
    private static let now = Statement(
        "database_time",
        "SELECT extract(epoch FROM clock_timestamp())::float8"
    )
    private static let begin = Statement(
        "task_begin",
        "SELECT extract(epoch FROM started_at)::float8 FROM amity_tasks"
    )
}
