import Foundation
import TestSupport
import Testing

extension Integration {
    /// On the servers of the tests, where many a queue and schema is not theirs. Alone among them,
    /// so that what is left behind is known for theirs by its name.
    @Suite(.serialized) struct Benchmarks {
        private func amity(_ arguments: [String]) throws -> Command.Result {
            let names = ["RABBITMQ_URL", "DATABASE_URL"]
            return try Command.run(
                Command.amity,
                arguments,
                environment: Servers.environment.filter { names.contains($0.key) }
            )
        }

        private func object(_ text: String) throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            return try #require(object as? [String: Any])
        }

        private func median(_ measure: String, in entry: [String: Any]) throws -> Double {
            let measures = try #require(entry["measures"] as? [String: [String: Double]])
            let spread = try #require(measures[measure], "\(measure) is missing")
            return try #require(spread["median"])
        }

        /// Fault: a benchmark on an operator's servers leaves its schema or its queues there.
        private func expectNothingLeft() throws {
            let queues = try TestQueue.counts().keys.filter {
                $0.contains("amity_bench_") || $0.contains("amity-bench-")
            }
            #expect(queues.isEmpty)
            let exchanges = try Servers.rabbitmqctl("--quiet", "list_exchanges", "name")
            #expect(!exchanges.contains("amity_bench_"))
            let scene = try Scene()
            let schemas = try scene.sql(
                "SELECT 1 FROM pg_namespace WHERE nspname LIKE 'amity\\_bench\\_%'"
            )
            #expect(schemas.count == 0)
        }

        @Test func benchMeasuresEverythingAndLeavesNothing() throws {
            let result = try amity([
                "bench", "--conversations", "200", "--repeat", "1", "--batch", "32",
                "--replicas", "2", "--users", "20", "--calm-rate", "50", "--json",
            ])
            #expect(result.status == 0, "\(result.error)")
            let report = try object(result.output)
            #expect(report["calm_rate"] as? Double == 50)
            let references = try #require(report["references"] as? [[String: Any]])
            #expect(references.count == 3)
            for reference in references {
                #expect(try median("conversations_per_second", in: reference) > 0)
            }
            let workers = try #require((report["configurations"] as? [[String: Any]])?.first)
            #expect(workers["replicas"] as? Int == 2)
            #expect(workers["prefetch"] as? Int == 8 * 32)
            for measure in [
                "conversations_per_second", "worker_cpu_seconds_per_1000", "peak_resident_mb",
                "delivery_to_ack_ms_p50", "delivery_to_ack_ms_p99",
                "calm_delivery_to_ack_ms_p50", "calm_publish_to_commit_ms_p99",
            ] { #expect(try median(measure, in: workers) > 0) }
            let start = try #require(report["start"] as? [String: Any])
            #expect(try median("exec_to_first_ack_ms", in: start) > 0)
            try expectNothingLeft()
        }

        @Test func tasksAreMeasuredAndNothingIsLeft() throws {
            let result = try amity([
                "bench", "--tasks", "--conversations", "200", "--repeat", "1", "--threads", "2,10",
                "--json",
            ])
            #expect(result.status == 0, "\(result.error)")
            let report = try object(result.output)
            let reference = try #require(report["reference"] as? [String: Any])
            #expect(try median("conversations_per_second", in: reference) > 0)
            let rows = try #require(report["configurations"] as? [[String: Any]])
            #expect(rows.count == 2)
            for row in rows {
                for measure in [
                    "tasks_per_second", "worker_cpu_seconds_per_1000", "peak_resident_mb",
                    "at_rest_submit_to_start_ms_p50", "high_under_low_submit_to_start_ms_p99",
                ] { #expect(try median(measure, in: row) > 0) }
            }
            let times = try #require(report["times"] as? [String: Any])
            for measure in [
                "after_due_s_p99", "cancel_to_end_s_most", "kill_to_next_start_s",
                "intake_per_second", "intake_ms_p99", "intake_peak_resident_mb",
            ] { #expect(try median(measure, in: times) > 0, "\(measure)") }
            // It waits for a run that takes a minute, and not for all of it.
            let over = try median("drain_over_limit_s", in: times)
            #expect(over > -1 && over < 30)
            try expectNothingLeft()
        }

        /// Fault: the script that measures over HTTP has not run since a route changed.
        @Test func theScriptThatMeasuresTasksRuns() throws {
            let result = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                [
                    "python3", "Tests/Load/tasks.py", "--binary", Command.amity.path,
                    "--scale", "0.01",
                ]
            )
            #expect(result.status == 0, "\(result.error)")
            let cases = try result.output.split(separator: "\n").map { try object(String($0)) }
            let names = cases.compactMap { $0["case"] as? String }.joined(separator: " ")
            #expect(
                names
                    == "start reference burst single batches four idle cancel schedules priorities"
            )
        }

        @Test func tuneRecommendsSettingsDrawsTheirCurveAndLeavesNothing() throws {
            let picture = try TemporaryFile()
            let result = try amity([
                "tune", "--conversations", "60", "--users", "20", "--replicas", "1",
                "--threads", "2,20", "--analyser-seconds", "0.2", "--workload", "service",
                "--json", "--svg", picture.path,
            ])
            #expect(result.status == 0, "\(result.error)")
            #expect(result.error.contains("2 runs of at most 10 seconds: at most 0.5 minutes"))
            let report = try object(result.output)
            // Twenty that wait side by side do more than two.
            #expect(
                report["recommended"] as? [String: Int] == [
                    "WORKER_REPLICAS": 1, "MESSAGE_CONCURRENCY_PER_WORKER": 20,
                    "PREFETCH_COUNT": 40, "BATCH_MAX": 1,
                ]
            )
            #expect((report["points"] as? [Any])?.count == 2)
            #expect(report["workload"] as? String == "service")
            #expect(picture.content.hasPrefix("<svg"))
            #expect(picture.content.contains("workload service"))
            try expectNothingLeft()
        }

        /// Fault: Ctrl-C leaves a schema, queues and workers behind.
        @Test func anInterruptedBenchLeavesNothing() throws {
            let process = Process()
            let errors = try TemporaryFile()
            process.executableURL = Command.amity
            process.arguments = ["bench", "--conversations", "2000"]
            process.environment = Command.inherited.merging(Servers.environment) { _, new in new }
            process.standardError = errors.handle
            try process.run()
            defer { kill(process.processIdentifier, SIGKILL) }
            try eventually("it is measuring", within: .seconds(60)) {
                errors.content.contains("round 1 of 3")
            }
            process.interrupt()
            try eventually("it ends", within: .seconds(60)) { !process.isRunning }
            #expect(process.terminationStatus == 130)
            try expectNothingLeft()
        }

        @Test(arguments: [
            ["bench", "--batch", "0"], ["bench", "--repeat", "0"], ["bench", "--threads", "1,,2"],
            ["bench", "--tasks", "--batch", "8"],
            ["tune", "--analyser-seconds", "0"], ["tune", "--seconds", "0"],
            ["tune", "--analyser-seconds", "1", "--batch", "8"],
        ])
        func mistakesAreSaidBeforeAnythingStarts(arguments: [String]) throws {
            let result = try amity(arguments)
            #expect(result.status == 64)
            #expect(result.error.contains("Error:"))
        }
    }
}
