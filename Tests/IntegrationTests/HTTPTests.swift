import Foundation
import Metering
import TestSupport
import Testing

/// What a worker in a process of its own tells HTTP clients about itself.
extension Integration {
    struct HTTP {
        private let port = RawConnection.freePort()

        private func get(_ path: String, _ headers: String...) throws -> RawAnswer {
            try RawAnswer.get(path, port: port, headers: headers)
        }

        private var environment: [String: String] { ["HTTP_PORT": "\(port)"] }

        private func isReady() throws -> Bool { try get("/health/ready").status == 200 }

        /// Exit code of what the image's HEALTHCHECK runs.
        private func healthCheckOfTheImage() throws -> Int32 {
            let file = try String(
                contentsOf: Servers.root.appending(path: "deploy/Dockerfile"),
                encoding: .utf8
            )
            let check = try #require(file.firstMatch(of: /HEALTHCHECK [^\[]*CMD (\[.*\])/)).1
            let words = try JSONDecoder().decode([String].self, from: Data(check.utf8))
            #expect(words.first == "/amity")
            let arguments = Array(words.dropFirst())
            return try Command.run(Command.amity, arguments, environment: environment).status
        }

        /// The value of one sample; nil when it is not there.
        private func metric(_ sample: String) throws -> Double? {
            let line = try get("/metrics").body.split(separator: "\n").first {
                $0.hasPrefix(sample + " ")
            }
            return line.flatMap { Double($0.dropFirst(sample.count + 1)) }
        }

        /// Fault: a deploy sends traffic's share to a worker that cannot do any, or kills one that
        /// can.
        @Test(.withoutPooler) func healthFollowsOutagesAndTheDrain() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            try eventually("it is ready") { try isReady() }
            #expect(try get("/health/ready").body == #"{"status":"ready"}"#)

            try Servers.without(.postgres, .kill) {
                try eventually("it says that the database is away") {
                    try get("/health/ready").body.contains("the database is away")
                }
                #expect(try get("/health/live").status == 200)
                #expect(try healthCheckOfTheImage() == 0, "no container is started anew for it")
                #expect(try get("/health/ready").body.contains(#""link":"database""#))
                #expect(try metric("amity_ready") == 0)
                #expect(try metric("amity_not_ready{reason=\"database-away\"}") == 1)
            }
            try scene.reconnect()
            try eventually("it is ready again") { try isReady() }

            try Servers.without(.rabbitmq, .stop) {
                try eventually("it says that it does not consume") {
                    try get("/health/ready").body.contains("not consuming from the broker")
                }
                #expect(try get("/health/live").status == 200)
            }
            try eventually("it is ready once more", within: .seconds(30)) { try isReady() }
            let lost = try get("/metrics").body.split(separator: "\n").filter {
                $0.hasPrefix("amity_reconnects_total{") && !$0.hasSuffix(" 0")
            }
            for link in ["consumer", "database"] {
                #expect(lost.contains { $0.contains("link=\"\(link)\"") }, "\(lost)")
            }

            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('user')")
            try scene.lock("SELECT 1 FROM friendship_status FOR UPDATE")
            try scene.publish(ids: "c1")
            try eventually("c1 waits for the lock") { try scene.isWorkerWaiting() }
            worker.signal(SIGTERM)
            try eventually("it says that it drains") {
                try get("/health/ready").body.contains("draining")
            }
            #expect(try get("/health/live").status == 200)
            try scene.sql("COMMIT")
            #expect(try worker.waitForExit() == 0)
        }

        /// Fault: figures that look right and are not: each message of a known fate counts once.
        @Test func theMetricsCountWhatWasDone() throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "2", "PREFETCH_COUNT": "50"])
            try scene.addConversations(30)
            try scene.addConversation("done before", status: "PROCESSED")
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            try eventually("it is ready") { try isReady() }
            #expect(try metric("amity_tasks_total{outcome=\"ok\"}") == 0)
            #expect(try metric("amity_last_delivery_timestamp_seconds") == 0)

            let sent = Date()
            let ids = (0..<30).map { "c\($0)" }
            try scene.publish(
                ids.map {
                    Array(#"{"conversation_id":"\#($0)","enqueued_at":"\#(Self.now)"}"#.utf8)
                }
            )
            try eventually("all thirty count") { try scene.count("status = 'PROCESSED'") == 31 }
            try scene.publish(ids: "done before", "c0", "unknown")
            try scene.publish([Array("no JSON".utf8)])
            // The unknown one once more after its delay.
            try eventually("two dead letters are there") { try scene.deadLetters.ready() == 2 }
            try eventually("all is done") { try scene.queue.isDrained() }
            for (outcome, count) in [
                ("ok", 30.0), ("duplicate", 2), ("retry", 1), ("dead", 2), ("interrupted", 0),
            ] {
                #expect(
                    try metric("amity_tasks_total{outcome=\"\(outcome)\"}") == count,
                    "\(outcome)"
                )
            }
            #expect(try metric("messaging_client_consumed_messages_total") == 35)
            #expect(try metric("amity_batch_messages_sum") == 35)
            #expect(try metric("amity_settlement_duration_seconds_count") == 35)
            #expect(try metric("amity_publish_to_commit_seconds_count") == 30)
            let age = try #require(try metric("amity_publish_to_commit_seconds_sum"))
            #expect(age > 0 && age < 30 * (Date().timeIntervalSince(sent) + 1))
            #expect(try metric("amity_in_flight_messages") == 0)
            #expect(try metric("amity_threads{state=\"idle\"}") == 10)
            #expect(try metric("amity_prefetch_messages") == 50)
            let flights = try #require(
                try metric(
                    "amity_database_flight_duration_seconds_count{statement=\"update_users\"}"
                )
            )
            #expect(flights > 0 && flights <= 30)
            let last = try #require(try metric("amity_last_delivery_timestamp_seconds"))
            #expect(last >= sent.timeIntervalSince1970 - 1)
        }

        /// Fault: copies that come together count as work, or as time to a commit that was not
        /// theirs.
        @Test func copiesInOneBatchAreDuplicates() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            try scene.publish(ids: "c1", "c1", "c1")
            let worker = try scene.startWorker(
                environment.merging(["MESSAGE_CONCURRENCY_PER_WORKER": "1"]) { $1 }
            )
            try worker.waitUntilConsuming()
            try eventually("three messages are settled") {
                try metric("amity_settlement_duration_seconds_count") == 3
            }
            #expect(try metric("amity_tasks_total{outcome=\"ok\"}") == 1)
            #expect(try metric("amity_tasks_total{outcome=\"duplicate\"}") == 2)
            #expect(try metric("amity_publish_to_commit_seconds_count") == 0)
        }

        private static var now: String {
            Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        }

        /// Fault: a metric without a description, or a text that Prometheus warns of.
        @Test func prometheusHasNothingToSayAgainstTheMetrics() throws {
            let scene = try Scene()
            try scene.addConversation("c1")
            let worker = try scene.startWorker(environment)
            try scene.publish(ids: "c1", "unknown")
            try eventually("c1 is processed") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("a copy waits") { !worker.events("message.retry-scheduled").isEmpty }
            let text = try get("/metrics").body
            let checked = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["promtool", "check", "metrics"],
                input: text
            )
            #expect(checked.status == 0)
            #expect(checked.output + checked.error == "")
            let lines = text.split(separator: "\n")
            let described = lines.filter { $0.hasPrefix("# HELP ") }.map {
                $0.split(separator: " ")[2]
            }
            let emitted = lines.filter { $0.hasPrefix("# TYPE ") }.map {
                $0.split(separator: " ")[2]
            }
            #expect(described == emitted)
            #expect(emitted.count > 20)
            let memory = try #require(try metric("process_resident_memory_bytes"))
            #expect((10e6...500e6).contains(memory))
            let start = try #require(try metric("process_start_time_seconds"))
            #expect(abs(Date().timeIntervalSince1970 - start) < 60)
            let used = try #require(try metric("process_cpu_seconds_total"))
            #expect(used > 0 && used < 60)
            let files = try #require(try metric("process_open_fds"))
            let actual = try FileManager.default.contentsOfDirectory(
                atPath: "/proc/\(worker.processID)/fd"
            ).count
            #expect(abs(files - Double(actual)) <= 3)
        }

        /// Faults: a row of the table that nothing measures, or a label that the table does not
        /// know: a dashboard made from Metrics.md is empty.
        @Test func theTableAndTheMetricsAgreeBothWays() throws {
            let stub = try StubServer.healthy()
            let scene = try Scene(
                settings: Scene.services(stub, ["MONITOR_INTERVAL_SECONDS": "1"])
            )
            try scene.addConversation("c1", log: Scene.threeWords)
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            try scene.publish(ids: "c1")
            try scene.waitUntilScored("c1")
            try eventually("the monitor has looked") {
                try metric("amity_queue_consumers{queue=\"\(scene.name)\"}") == 1
            }
            var measured: [String: Set<Set<String>>] = [:]
            for line in try get("/metrics").body.split(separator: "\n") where line.first != "#" {
                let sample = try #require(line.wholeMatch(of: /(\w+)(?:\{(.*)\})? \S+/))
                let labels = Set((sample.2 ?? "").matches(of: /(\w+)="/).map { String($0.1) })
                measured[String(sample.1), default: []].insert(labels.subtracting(["le"]))
            }
            var promised: [String: Set<Set<String>>] = [:]
            for metric in Metric.ofWorkers {
                switch metric.kind {
                case .counter, .gauge: promised[metric.name] = [Set(metric.labels)]
                case .histogram:
                    for suffix in ["_bucket", "_sum", "_count"] {
                        promised[metric.name + suffix] = [Set(metric.labels)]
                    }
                }
            }
            // Not every kernel says it.
            if !FileManager.default.fileExists(atPath: "/proc/pressure/cpu") {
                promised["amity_pressure_ratio"] = nil
            }
            #expect(Set(measured.keys) == Set(promised.keys))
            for (name, labels) in promised { #expect(measured[name] == labels, "\(name)") }
        }

        /// Fault: what is for operators is open to all who reach the port, or its token gets into a
        /// log.
        @Test func aTokenGuardsTheMetricsAndIsNeverShown() throws {
            let token = "canary-of-an-operator"
            let file = try TemporaryFile(token + "\n")
            let scene = try Scene()
            let worker = try scene.startWorker(
                environment.merging(["HTTP_HOST": "0.0.0.0", "HTTP_TOKEN_FILE": file.path]) { $1 }
            )
            try worker.waitUntilConsuming()
            try eventually("it is ready") { try isReady() }
            #expect(try get("/metrics").status == 401)
            #expect(try get("/metrics", "Authorization: Bearer \(token.dropLast())").status == 401)
            let answer = try get("/metrics", "Authorization: Bearer \(token)")
            #expect(answer.status == 200)
            #expect(!answer.body.contains(token))
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            #expect(!worker.log.contains(token))
        }

        @Test func othersAreNotServedWithoutAToken() throws {
            let result = try Command.run(
                Command.amity,
                ["worker"],
                environment: ["HTTP_HOST": "0.0.0.0"]
            )
            #expect(result.status == 78)
            #expect(result.error.contains("HTTP_TOKEN: it must be set"))
        }

        /// Fault: the second worker of a host runs and cannot be looked at, or ends without a word.
        @Test func aPortThatIsTakenEndsTheStartAndNothingIsConsumed() throws {
            let scene = try Scene()
            let first = try scene.startWorker(environment)
            try first.waitUntilConsuming()
            let second = try scene.startWorker(environment)
            #expect(try second.waitForExit() == 69)
            let reason = "127.0.0.1:\(port): Address already in use; "
            #expect(second.log.contains("cannot serve HTTP on \(reason)"))
            #expect(second.log.contains("HTTP_PORT to 0"))
            #expect(second.events("worker.started").isEmpty)
            #expect(first.isRunning)
        }

        /// Fault: a process that was out of descriptors for a moment never answers over HTTP again.
        @Test func aClientThatComesWhileNoDescriptorIsFreeIsServedLater() throws {
            let scene = try Scene()
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            try eventually("it is ready") { try isReady() }
            func limit(_ count: Int) throws {
                let done = try Command.run(
                    URL(fileURLWithPath: "/usr/bin/env"),
                    ["prlimit", "--pid", "\(worker.processID)", "--nofile=\(count):1024"]
                )
                try #require(done.status == 0, "\(done.error)")
            }
            // What is open stays open.
            try limit(3)
            let early = try RawConnection(port: port, patience: .seconds(2))
            early.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #expect(early.readToEnd().text == "")
            try limit(1024)
            #expect(RawAnswer(from: early.readToEnd().text).status == 200)
            #expect(try get("/health/live").status == 200)
        }
    }
}
