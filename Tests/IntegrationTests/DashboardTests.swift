import Foundation
import TestSupport
import Testing

/// What the dashboard asks of a worker and does, and the page itself in a browser.
extension Integration {
    struct Dashboard {
        private let port = RawConnection.freePort()

        private var environment: [String: String] { ["HTTP_PORT": "\(port)"] }

        private func get(_ path: String) throws -> RawAnswer {
            try RawAnswer.get("/api/v1/\(path)", port: port)
        }

        private func post(_ path: String, _ body: String) throws -> RawAnswer {
            let headers = ["X-Amity-Request: test"]
            return try RawAnswer.post("/api/v1/\(path)", body, port: port, headers: headers)
        }

        private func object(_ answer: RawAnswer) throws -> [String: Any] {
            #expect(answer.status == 200, "\(answer.body)")
            let value = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            return try #require(value as? [String: Any])
        }

        private func groups() throws -> [[String: Any]] {
            try #require(try object(get("dead-letters"))["groups"] as? [[String: Any]])
        }

        /// Fault: the page shows another state than there is, or a button does nothing, or too
        /// much.
        @Test func figuresAreTrueAndDeadLettersAreDealtWith() throws {
            let scene = try Scene(settings: [
                "MAX_ATTEMPTS": "1", "MONITOR_INTERVAL_SECONDS": "1",
            ])
            try scene.addConversation("bad-log", log: "{}")
            let worker = try scene.startWorker(environment)
            try scene.publish(ids: "bad-log", "unknown 1", "unknown 2")
            try scene.publish([Array("canary-body".utf8)])
            try eventually("four dead letters") { try scene.deadLetters.ready() == 4 }
            try eventually("the alert") {
                let queues = try object(get("stats/queues"))["queues"] as? [[String: Any]]
                return (queues?.first?["alerts"] as? [Any])?.count == 1
            }
            try eventually("the worker is told to be ready") {
                let workers = try object(get("stats/workers"))["workers"] as? [[String: Any]]
                #expect(workers?.map { $0["process_id"] as? Int32 } == [worker.processID])
                return workers?.map { $0["state"] as? String } == ["ready"]
            }
            let history = try object(get("stats/history"))
            #expect(history["queue"] as? String == scene.name)
            #expect(history["step_seconds"] as? Int == 30)

            let groups = try groups()
            #expect(groups.first?["code"] as? String == "CONVERSATION_NOT_FOUND")
            #expect(groups.map { $0["count"] as? Int } == [2, 1, 1])
            let deadLetters = try #require(groups.first?["letters"] as? [[String: Any]])
            let deadLetter = deadLetters.first { $0["conversation_id"] as? String == "unknown 2" }
            let id = try #require(deadLetter?["id"] as? String)
            #expect(try !get("dead-letters").body.contains("canary-body"))

            try scene.addConversation("unknown 2")
            let retried = try post("dead-letters/retry", #"{"ids":["\#(id)"]}"#)
            #expect(retried.body == #"{"is_complete":true,"retried":1}"#)
            try eventually("it is scored") { try scene.count("status = 'PROCESSED'") == 1 }
            let purged = try post("dead-letters/purge", #"{"code":"INVALID_MESSAGE"}"#)
            #expect(purged.body == #"{"is_complete":true,"purged":1}"#)
            let none = try post("dead-letters/purge", #"{"conversation":"unknown 2"}"#)
            #expect(none.body == #"{"is_complete":true,"purged":0}"#)
            let some = try post("dead-letters/purge", #"{"all":true,"limit":1}"#)
            #expect(some.body == #"{"is_complete":false,"purged":1}"#)
            #expect(try scene.deadLetters.ready() == 1)
            #expect(worker.events("dead-letters.retried").count == 1)
            #expect(worker.events("dead-letters.purged").count == 3)
        }

        /// Fault: an operator sees an empty page and takes it for a quiet queue.
        @Test func whatCannotBeToldSaysWhy() throws {
            let scene = try Scene(.python)
            let worker = try scene.startWorker(environment)
            try worker.waitUntilConsuming()
            for path in ["stats/workers", "stats/queues", "stats/history"] {
                let answer = try get(path)
                #expect(answer.status == 503)
                #expect(answer.body.contains("amity migrate"), "\(answer.body)")
            }
            // Before the first dead letter there may be no queue for them.
            #expect(try groups().isEmpty)
            try Servers.without(.postgres, .kill) {
                try eventually("the database is said to be away") {
                    try get("stats/workers").body.contains(#""message":"database: "#)
                        && !get("stats/workers").body.contains("amity migrate")
                }
            }
            try scene.reconnect()
            try Servers.without(.rabbitmq, .stop) {
                try eventually("the broker is said to be away") {
                    try get("dead-letters").body.contains(#""message":"broker: "#)
                }
                let answer = try post("dead-letters/retry", #"{"all":true}"#)
                #expect(answer.status == 503)
            }
            withExtendedLifetime(worker) {}
        }

        /// Fault: the page explains a conversation otherwise than the command, or pauses for show.
        @Test func theServingWorkerExplainsAndPauses() throws {
            let scene = try Scene(settings: [
                "MAX_ATTEMPTS": "1", "MONITOR_INTERVAL_SECONDS": "1",
            ])
            try scene.addConversation("scored/1", user: "user 42")
            try scene.addConversation("bad", user: "user 42", log: #"{"text":"canary-body"}"#)
            let worker = try scene.startWorker(environment)
            try scene.publish(ids: "scored/1", "bad")
            try eventually("one is scored") { try scene.count("status = 'PROCESSED'") == 1 }
            try eventually("one is dead") { try scene.deadLetters.ready() == 1 }
            for id in ["scored/1", "bad", "absent"] {
                let path = id.replacing("/", with: "%2F")
                // Until the worker has reported, what they say of it changes.
                try eventually("both say the same of \(id)") {
                    let answer = try get("conversations/\(path)/explanation")
                    #expect(answer.status == 200 && !answer.body.contains("canary-body"))
                    return try answer.body + "\n" == scene.amity(["explain", "--json", id]).output
                }
            }
            let deadLetters = try object(get("users/user%2042/dead-letters"))["letters"]
            let codes = (deadLetters as? [[String: Any]])?.map { $0["code"] as? String }
            #expect(codes == ["INVALID_LOG"])

            let own = try object(get("worker"))
            #expect(own["process_id"] as? Int32 == worker.processID)
            #expect(own["is_paused"] as? Bool == false)
            #expect(try object(post("worker/pause", ""))["is_paused"] as? Bool == true)
            try eventually("it takes no more") { !worker.events("consumer.paused").isEmpty }
            #expect(worker.events("intake.switched").last?["by"] as? String == "http")
            try eventually("all are told who paused it") {
                let workers = try object(get("stats/workers"))["workers"] as? [[String: Any]]
                let pause = workers?.first?["paused"] as? [String: Any]
                return pause?["by"] as? String == "HTTP"
            }
            try scene.addConversation("later")
            try scene.publish(ids: "later")
            try eventually("it waits") { try scene.queue.ready() == 1 }
            #expect(try object(post("worker/resume", ""))["is_paused"] as? Bool == false)
            try eventually("it is scored") { try scene.count("status = 'PROCESSED'") == 2 }
        }

        /// A person at a screen: `Tests/Browser/dashboard.py` says what they see and do. Where
        /// `AMITY_PICTURES` names a folder, screenshots are put there.
        @Test func inABrowser() throws {
            let token = "canary-of-an-operator"
            let canary = "canary-of-a-child"
            let markup = "<img src=x onerror=stolen=1>"
            let scene = try Scene(settings: [
                "MAX_ATTEMPTS": "1", "MONITOR_INTERVAL_SECONDS": "1",
            ])
            try scene.addConversation(
                "told",
                log: #"[{"speaker":"pika","text":"Hi"},{"speaker":"user","text":"\#(canary)"}]"#
            )
            let worker = try scene.startWorker(environment.merging(["HTTP_TOKEN": token]) { $1 })
            try scene.publish(ids: "told", markup)
            try scene.publish([Array(canary.utf8)])
            try eventually("two dead letters") { try scene.deadLetters.ready() == 2 }
            try scene.addConversation(markup)
            try plantHistory(in: scene)
            try eventually("the registry knows both") {
                try scene.statistics.workers().first?.failures.count == 2
            }
            let name = try #require(try scene.statistics.workers().first?.name)
            try useInABrowser(
                "dashboard.py",
                port: port,
                [
                    "--token", token, "--worker", name, "--canary", canary,
                    "--retry", "CONVERSATION_NOT_FOUND", "--purge", "INVALID_MESSAGE",
                    "--markup", markup,
                ]
            )
            try eventually("what was retried is scored") {
                try scene.count("status = 'PROCESSED'") == 2
            }
            #expect(try scene.deadLetters.ready() == 0)
            #expect(worker.events("intake.switched").count == 2)
            #expect(!worker.log.contains(token) && !worker.log.contains(canary))
        }

        /// An hour of work with a pause of ten minutes, without waiting for it.
        private func plantHistory(in scene: Scene) throws {
            try scene.sql(
                """
                INSERT INTO amity_worker_samples (taken_at, boot_id, queue, done, retried, dead,
                    acked, ack_seconds_p50, ack_seconds_p99)
                SELECT now() - make_interval(secs => second), 'planted', $1,
                    300 + (80 * sin(second / 400.0))::integer, second % 7, 0, 300,
                    0.004 + 0.001 * sin(second / 300.0), 0.02 + 0.00002 * (second % 370)
                FROM generate_series(10, 3590, 10) AS second
                WHERE second NOT BETWEEN 1500 AND 2100
                """,
                .text(scene.name)
            )
            try scene.sql(
                """
                INSERT INTO amity_queue_samples (taken_at, queue, ready, oldest_age_seconds,
                    retrying, dead_letters)
                SELECT now() - make_interval(secs => second), $1,
                    (400 + 380 * sin(second / 500.0))::integer, 20 + 18 * sin(second / 500.0), 3, 2
                FROM generate_series(10, 3590, 10) AS second
                """,
                .text(scene.name)
            )
        }
    }
}
