import Foundation
import SafeText

/// `amity bench --tasks`: how many tasks go through, how long one waits for its start, what is
/// promised by time, and how many conversations an API takes.
package struct TaskBench {
    package var tasks: Int
    package var repeats: Int
    /// TASK_CONCURRENCY, one after the other.
    package var threads: [Int]

    package init(tasks: Int, repeats: Int, threads: [Int]) {
        self.tasks = tasks
        self.repeats = repeats
        self.threads = threads
    }

    package func run() throws -> TaskBenchReport {
        try BenchmarkRun.with(conversations: tasks, users: tasks) { run in
            var reference = Series()
            var series = threads.map { _ in Series() }
            var times = Series()
            for round in 1...repeats {
                let sample = try Reference.single.run(
                    on: run.fixture,
                    conversations: tasks,
                    in: run.folder
                )
                reference.add(sample)
                for (number, count) in threads.enumerated() {
                    let trial = try TaskTrial(run, threads: count)
                    let sample = try trial.measure(tasks)
                    series[number].add(sample)
                    let rate = sample[.tasksPerSecond]?.shown ?? "-"
                    say("round \(round) of \(repeats): N = \(count), \(rate) tasks per second")
                }
            }
            for round in 1...repeats {
                say("round \(round) of \(repeats): times, and conversations over HTTP")
                let trial = try TaskTrial(run, threads: threads.first ?? 1)
                let intake = try IntakeTrial(run: run).measure()
                // No worker of the next trial has to score them meanwhile.
                try run.fixture.reset(to: 0)
                times.add(try trial.measureTimes().merging(intake) { _, new in new })
            }
            return TaskBenchReport(
                tasks: tasks,
                repeats: repeats,
                reference: .init(name: Reference.single.name, reference),
                configurations: zip(threads, series).map { .init(name: "N = \($0)", $1) },
                times: .init(name: "times", times)
            )
        }
    }
}

/// What was found, as JSON or as a table.
package struct TaskBenchReport: Encodable {
    var tasks: Int
    var repeats: Int
    var cores = ProcessInfo.processInfo.activeProcessorCount
    var reference: ReportRow
    var configurations: [ReportRow]
    var times: ReportRow

    package var json: String {
        get throws { try jsonText(self) }
    }

    package var text: String {
        """
        \(tasks) tasks that do nothing, \(cores) cores; medians of \(repeats), with the least and \
        the most

        \(TextTable.lines([Self.heads, first] + configurations.map(row), .right)
            .joined(separator: "\n"))

        tasks/s     from the first submit to the last end; for pgbench, its transactions
        CPU         of the worker; cores: of PostgreSQL and RabbitMQ, where they are private
        at rest     from a submit until the task has begun, nothing else to do
        under low   the same for a task of high priority, while all threads are busy with low ones \
        of 20 ms

        \(TextTable.lines(promises).joined(separator: "\n"))
        """
    }

    private var promises: [[String]] {
        [
            [
                "1,000 due a second, late: s p50/p99",
                times.cell(.lateP50, digits: 2) + " / " + times.cell(.lateP99, digits: 2),
            ],
            [
                "cancelled until stopped: s p50/most",
                times.cell(.cancelP50, digits: 2) + " / " + times.cell(.cancelMost, digits: 2),
            ],
            [
                "worker killed until the run begins again: s",
                times.cell(.lostTaskBeginsAgain, digits: 1),
            ],
            ["a drain over its limit: s", times.cell(.drainOverLimit, digits: 2)],
            ["conversations by 100 clients: a second", times.range(.intakePerSecond)],
            ["their answers: ms p50/p99", times.cell(.intakeP50, .intakeP99)],
            ["the API's peak MB", times.cell(.intakePeakMegabytes)],
        ]
    }

    private static let heads = [
        "", "tasks/s", "CPU s/1000", "cores: database / broker", "peak MB",
        "at rest: ms p50/p99", "under low: ms p50/p99",
    ]

    private var first: [String] {
        [reference.name, reference.range(.conversationsPerSecond)]
    }

    private func row(_ row: ReportRow) -> [String] {
        [
            row.name, row.range(.tasksPerSecond),
            row.cell(.workerCPUSecondsPerThousand, digits: 3),
            row.cell(.databaseCores, .brokerCores),
            row.cell(.peakResidentMegabytes, digits: 1),
            row.cell(.calmTaskStartP50, .calmTaskStartP99),
            row.cell(.highTaskStartP50, .highTaskStartP99),
        ]
    }
}
