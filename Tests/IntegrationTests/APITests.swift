import Foundation
import TestSupport
import Testing

/// `amity api` in a process of its own: what its clients send and are answered.
extension Integration {
    struct API {
        private let port = RawConnection.freePort()
        private let path = "/v1/conversations/end"

        private var environment: [String: String] { ["API_PORT": "\(port)"] }

        private func start(
            _ scene: IntakeScene,
            _ command: [String] = ["api"],
            _ extra: [String: String] = [:]
        ) throws -> RunningWorker {
            let variables = scene.scene.variables.merging(environment) { $1 }
            let process = try RunningWorker(command, environment: variables.merging(extra) { $1 })
            try eventually("it is alive") { try isAlive() }
            return process
        }

        private func isAlive() throws -> Bool {
            do {
                return try RawAnswer.get("/health/live", port: port).status == 200
            } catch is RawConnection.Refused {
                return false
            }
        }

        private func post(
            _ body: [UInt8],
            to path: String? = nil,
            _ headers: String...
        ) throws -> RawAnswer {
            try RawAnswer.post(
                path ?? self.path,
                String(decoding: body, as: UTF8.self),
                port: port,
                headers: ["Content-Type: application/json"] + headers
            )
        }

        private func isReady() throws -> Bool {
            try RawAnswer.get("/health/ready", port: port).status == 200
        }

        /// Fault: a client's retry is scored twice.
        @Test func aConversationThatIsSentThreeTimesIsScoredOnce() async throws {
            let scene = try IntakeScene()
            let api = try start(scene)
            let worker = try scene.scene.startWorker()
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<3 {
                    let path = number == 1 ? "/api" + path : path
                    group.addTask {
                        try await blocking { try post(IntakeScene.body("con"), to: path).status }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == [202, 202, 202])
            try eventually("it is scored") { try scene.scene.score(of: "user") == 1 }
            #expect(try scene.scene.count("status = 'PROCESSED' AND attempt_count = 1") == 1)
            #expect(try post(IntakeScene.body("con")).body.contains(#""status" : "PROCESSED""#))
            try eventually("its message is done") { try scene.messages() == 0 }
            api.signal(SIGTERM)
            #expect(try api.waitForExit() == 0)
            #expect(!api.log.contains("Hi"), "a child's talk is in no log")
            for line in api.log.split(separator: "\n") { #expect(line.hasPrefix("{"), "\(line)") }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        /// Fault: the article's own example is refused.
        @Test func theExampleIsTakenAsPrinted() throws {
            let scene = try IntakeScene()
            let api = try start(scene)
            let article = Servers.root.appending(path: "Sources/AmityCLI/Amity.docc/API.md")
            let text = try String(contentsOf: article, encoding: .utf8)
            let pattern = /curl -X POST http:\/\/localhost:8084(\S+) -H "([^"]+)" -d '([^']+)'/
            let example = try #require(text.firstMatch(of: pattern))
            let answer = try RawAnswer.post(
                String(example.1),
                String(example.3),
                port: port,
                headers: [String(example.2)]
            )
            #expect(answer.status == 202, "\(answer.body)")
            _ = api
        }

        /// Fault: a client meets an answer that the description does not have.
        @Test func theDescriptionHasEveryAnswer() throws {
            let scene = try IntakeScene()
            let (token, reader) = ("a-token-of-many-signs", "a-token-that-reads-metrics")
            let api = try start(scene, ["api"], ["API_TOKEN": token, "HTTP_TOKEN": reader])
            let bearer = "Authorization: Bearer \(token)"
            func get(_ path: String, token: String = token) throws -> RawAnswer {
                try RawAnswer.get(path, port: port, headers: ["Authorization: Bearer \(token)"])
            }
            let description = try #require(
                try JSONSerialization.jsonObject(with: Data(try get("/openapi.json").body.utf8))
                    as? [String: Any]
            )
            func statuses(_ path: String, _ method: String) throws -> Set<String> {
                let paths = try #require(description["paths"] as? [String: Any])
                var item = try #require(paths[path] as? [String: Any])
                if let name = (item["$ref"] as? String)?.split(separator: "/").last {
                    let parts = try #require(description["components"] as? [String: Any])
                    let items = try #require(parts["pathItems"] as? [String: Any])
                    item = try #require(items[String(name)] as? [String: Any])
                }
                let operation = try #require(item[method] as? [String: Any])
                return Set(try #require(operation["responses"] as? [String: Any]).keys)
            }
            var seen: Set<String> = []
            func check(_ answer: RawAnswer, _ status: Int, _ text: String) {
                #expect(answer.status == status, "\(answer.head)")
                #expect(answer.body.contains(text), "\(answer.body)")
                let type = answer.header("Content-Type").first ?? ""
                let isProblem = [401, 404, 413, 415].contains(status)
                #expect(type == (isProblem ? "application/problem+json" : "application/json"))
                seen.insert("\(status)")
            }
            check(try post(IntakeScene.body("con"), bearer), 202, #""success":true"#)
            let other = IntakeScene.body("con", #""bot_name":"Other""#)
            check(try post(other, bearer), 409, "CONVERSATION_EVENT_EXISTS")
            let short = IntakeScene.body("c02", #""end_time":"2026-01-01T10:00:00.5Z""#)
            check(try post(short, bearer), 400, "CONVERSATION_EVENT_INVALID")
            check(try post(Array("{}".utf8), bearer), 422, #""loc":["body","user_id"]"#)
            check(try post(IntakeScene.body("con")), 401, #""code":"unauthorized""#)
            let plain = try RawAnswer.post(path, "{}", port: port, headers: [bearer])
            check(plain, 415, #""code":"unsupported_media_type""#)
            let large = Array(String(repeating: " ", count: (1 << 20) + 1).utf8)
            check(try post(large, bearer), 413, #""code":"content_too_large""#)
            #expect(seen.isSubset(of: try statuses(path, "post")))
            #expect(try statuses("/api" + path, "post") == statuses(path, "post"))
            for path in ["/health", "/health/ready", "/health/live", "/metrics"] {
                #expect(try statuses(path, "get").contains("\(try get(path).status)"), "\(path)")
            }
            check(try get("/v2/nothing"), 404, #""code":"not_found""#)
            let metrics = try get("/metrics").body
            #expect(metrics.contains("amity_intake_requests_total{status=\"202\"} 1\n"))
            #expect(metrics.contains(/\nprocess_resident_memory_bytes \d{7}/))
            #expect(metrics.contains("\namity_short_of{resource=\"memory\"} 0\n"))
            #expect(try RawAnswer.get("/metrics", port: port).status == 401)
            #expect(try get("/metrics", token: reader).status == 200)
            #expect(try get("/metrics", token: reader + "s").status == 401)
            for path in ["/openapi.json", "/api/v1/stats/queues", "/api/v1/tasks"] {
                #expect(try get(path, token: reader).status == 401, "\(path)")
            }
            #expect(!api.log.contains(token) && !api.log.contains(reader))
        }

        /// Fault: another site's page has a browser on this machine send conversations.
        @Test func withoutATokenOnlyThisMachineIsAnswered() throws {
            let scene = try IntakeScene()
            let api = try start(scene)
            let answer = try RawAnswer.post(
                path,
                String(decoding: IntakeScene.body("con"), as: UTF8.self),
                port: port,
                host: "rebound.example",
                headers: ["Content-Type: application/json"]
            )
            #expect(answer.status == 421)
            #expect(answer.body.contains(#""code":"foreign_host""#))
            #expect(try scene.scene.count("true") == 0)
            _ = api
        }

        /// Fault: a broker that is away stops clients whose conversations could be stored.
        @Test func whatIsTakenWithoutABrokerIsScoredLater() throws {
            let scene = try IntakeScene()
            let api = try start(scene)
            #expect(try post(IntakeScene.body("con")).status == 202)
            try Servers.without(.rabbitmq, .kill) {
                #expect(try post(IntakeScene.body("two")).status == 202)
                try eventually("the problem is told") {
                    try RawAnswer.get("/health", port: port).body.contains("broker-publisher")
                }
                #expect(try isReady())
            }
            let worker = try scene.scene.startWorker()
            try eventually("both are scored") { try scene.scene.score(of: "user") == 2 }
            _ = (api, worker)
        }

        @Test func aDatabaseThatIsAwayIsToldToClients() throws {
            let scene = try IntakeScene()
            let api = try start(scene)
            try eventually("it is ready") { try isReady() }
            try Servers.without(.postgres, .kill) {
                let answer = try post(IntakeScene.body("con"))
                #expect(answer.status == 503)
                #expect(answer.header("Retry-After") == ["5"])
                #expect(try !isReady())
            }
            try scene.scene.reconnect()
            try eventually("it takes them again") {
                try post(IntakeScene.body("con")).status == 202
            }
            try eventually("it is ready") { try isReady() }
            _ = api
        }

        @Test func oneProcessMayDoBoth() throws {
            let scene = try IntakeScene()
            let process = try start(scene, ["worker", "--api"])
            try process.waitUntilConsuming()
            #expect(try post(IntakeScene.body("con")).status == 202)
            try eventually("it is scored") { try scene.scene.score(of: "user") == 1 }
            process.signal(SIGTERM)
            #expect(try process.waitForExit() == 0)
        }

        /// Fault: the worker has begun, and its API cannot listen: it consumes for ever, and no
        /// signal ends it.
        @Test func aWorkerWhoseAPICannotListenDoesNotBegin() throws {
            let scene = try IntakeScene()
            let first = try start(scene)
            for _ in 0..<5 {
                let extra = environment.merging(["HTTP_PORT": "\(RawConnection.freePort())"]) { $1 }
                let second = try scene.scene.amity(["worker", "--api"], extra)
                #expect(second.status == 69)
                #expect(second.error.contains("API_PORT"))
                #expect(!second.error.contains("consumer.started"))
            }
            let same = environment.merging(["HTTP_PORT": "\(port)"]) { $1 }
            let third = try scene.scene.amity(["worker", "--api"], same)
            #expect(third.status == 78 && third.error.contains("as HTTP_PORT is"))
            _ = first
        }

        @Test func whatItCannotBeginWithIsNamed() throws {
            let scene = try IntakeScene()
            let open = try scene.scene.amity(["api"], ["API_HOST": "0.0.0.0", "API_PORT": "0"])
            #expect(open.status == 78)
            #expect(open.error.contains("API_TOKEN: it must be set where API_HOST"))
            #expect(open.error.contains("API_PORT"))
            let bare = try Scene().amity(["api"], environment)
            #expect(bare.status == 78 && bare.error.contains("amity migrate"), "\(bare.error)")
        }
    }
}
