import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Callbacks that a worker's process delivers, to receivers that behave badly.
    struct CallbackDeliveryTests {
        private static let secrets = [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0",
        ]

        private let scene: TaskWorkerScene
        private var store: TaskStore { scene.store }

        init() throws { scene = try TaskWorkerScene() }

        private func startWorker(
            allowing hosts: String,
            _ extra: [String: String] = [:]
        ) throws -> RunningWorker {
            let settings = [
                "TASK_QUEUES": scene.pool, "TASK_CONCURRENCY": "2", "HTTP_PORT": "0",
                "HTTP_TARGET_HOSTS": hosts,
                "TASK_SECRET_CALLBACK_A": Self.secrets.joined(separator: " "),
            ]
            return try scene.tasks.scene.startWorker(settings.merging(extra) { $1 })
        }

        private func port(_ stub: StubServer) throws -> Substring {
            try #require(stub.url.split(separator: ":").last)
        }

        /// Ends a task whose callback goes there.
        @discardableResult
        private func end(telling url: String, signed: Bool = false) throws -> TaskID {
            let id = try scene.tasks.submit {
                $0.pool = scene.pool
                $0.callback = TaskCallback(
                    url: url,
                    secret: signed ? "TASK_SECRET_CALLBACK_A" : nil,
                    host: String(url.split(separator: "/")[1])
                )
                $0.delay = 600
            }
            _ = try store.cancel(id)
            return id
        }

        private func amity(_ arguments: [String]) throws -> Command.Result {
            try scene.tasks.scene.amity(arguments)
        }

        private func callbacks() throws -> [TaskView] {
            var filter = TaskFilter()
            filter.type = TaskCallback.type
            return try store.list(filter, limit: 100)
        }

        // MARK: As it should be

        /// Fault: a receiver cannot verify what it gets, with this key or with the one before.
        @Test func anEndIsToldSigned() throws {
            let receiver = try StubServer { _ in .status(204) }
            let worker = try startWorker(allowing: "127.0.0.1:\(port(receiver))")
            defer { withExtendedLifetime(worker) {} }
            let id = try end(telling: "\(receiver.url)/hook?key=canary", signed: true)
            try eventually("it is told", within: .seconds(30)) {
                try callbacks().map(\.state) == [.completed]
            }
            let request = try #require(receiver.requests.first)
            #expect(request.method == "POST" && request.path == "/hook?key=canary")
            let type = request.headers["content-type"]
            #expect(type?.hasPrefix("application/cloudevents+json") == true)
            #expect(request.headers["webhook-id"] == "\(id).1.end")
            let event = try JSONSerialization.jsonObject(with: Data(request.body.utf8))
            #expect((event as? [String: Any])?["id"] as? String == "\(id).1.end")
            try verify(request)
            #expect(receiver.requests.count == 1)
            #expect(!worker.log.contains("canary"))
        }

        /// By another implementation: that of PyPI where AMITY_WEBHOOKS_PYTHON names a Python that
        /// has it (`deploy/dev/webhook-trial`), else Python's own HMAC.
        private func verify(_ request: StubServer.Request) throws {
            let python = ProcessInfo.processInfo.environment["AMITY_WEBHOOKS_PYTHON"]
            let script = Servers.root.appending(path: "Tests/Webhooks/verify.py").path
            let names = ["webhook-id", "webhook-timestamp", "webhook-signature"]
            let headers = names.map { request.headers[$0] ?? "" }
            for secret in Self.secrets {
                let done = try Command.run(
                    URL(fileURLWithPath: python ?? "/usr/bin/python3"),
                    ["-B", script, python == nil ? "plain" : "standardwebhooks", secret] + headers,
                    input: request.body
                )
                #expect(done.status == 0, "\(done.output)\(done.error)")
            }
        }

        // MARK: Receivers that fail

        /// Fault: a receiver that fails once is told nothing, or is told something else.
        @Test func aReceiverThatFailsIsToldAgain() throws {
            let receiver = try StubServer { _ in .status(500) }
            let worker = try startWorker(allowing: "127.0.0.1")
            defer { withExtendedLifetime(worker) {} }
            try end(telling: receiver.url)
            try eventually("it has failed", within: .seconds(30)) {
                try callbacks().map(\.attempts) == [1]
            }
            receiver.answer { _ in .json("{}") }
            try eventually("it is told again", within: .seconds(20)) {
                try callbacks().map(\.state) == [.completed]
            }
            let requests = receiver.requests
            #expect(requests.count == 2)
            #expect(requests[0].body == requests[1].body)
            let ids = Set(requests.map { $0.headers["webhook-id"] })
            #expect(ids.count == 1)
        }

        /// Fault: a receiver that hangs takes the threads of a pool, and its tasks wait.
        @Test func aReceiverThatHangsTakesNoThread() throws {
            let receiver = try StubServer { _ in .hang }
            let worker = try startWorker(allowing: "127.0.0.1")
            defer { withExtendedLifetime(worker) {} }
            for _ in 0..<40 { try end(telling: receiver.url) }
            try eventually("as many hang as may", within: .seconds(30)) {
                receiver.underWay == 32
            }
            let begin = ContinuousClock.now
            let ids = try scene.submit(20)
            for id in ids { try scene.wait(for: id, toBe: .completed, within: .seconds(5)) }
            #expect(receiver.underWay == 32 || begin.duration(to: .now) > .seconds(5))
            try eventually("they are given up after ten seconds", within: .seconds(15)) {
                try callbacks().contains { $0.errorCode == "TIMEOUT" && $0.attempts == 1 }
            }
            #expect(receiver.mostUnderWay == 32)
        }

        /// Fault: a receiver that is gone is called on and on, or never again.
        @Test func aURLThatIsGoneIsDisabledUntilItIsEnabled() throws {
            let receiver = try StubServer { _ in .status(410) }
            let worker = try startWorker(allowing: "127.0.0.1")
            defer { withExtendedLifetime(worker) {} }
            let url = "\(receiver.url)/hook?key=canary"
            try end(telling: url)
            try eventually("it has failed", within: .seconds(30)) {
                try callbacks().map(\.errorCode) == ["CALLBACK_DISABLED"]
            }
            try end(telling: url)
            try eventually("the next one has failed", within: .seconds(30)) {
                try callbacks().map(\.state) == [.failed, .failed]
            }
            #expect(receiver.requests.count == 1)
            let listed = try amity(["callbacks", "list"])
            #expect(listed.output.contains("\(receiver.url)/hook "), "\(listed.error)")
            #expect(!listed.output.contains("canary"))
            let disabled = try #require(try store.disabledCallbacks(limit: 9).first)
            receiver.answer { _ in .json("{}") }
            #expect(try amity(["callbacks", "enable", disabled.id]).status == 0)
            #expect(try amity(["callbacks", "enable", disabled.id]).status == 1)
            let retried = try amity(
                ["tasks", "retry", "--code", "CALLBACK_DISABLED", "--yes"]
            )
            #expect(retried.output == "retried 2 tasks\n", "\(retried.error)")
            try eventually("both are told", within: .seconds(30)) {
                try callbacks().map(\.state) == [.completed, .completed]
            }
        }

        // MARK: Receivers that lead inside

        /// Fault: a receiver sends the request on into the network, or its name leads there.
        @Test func nothingArrivesInside() throws {
            let inside = try StubServer { _ in .json("{}") }
            let address = try "127.0.0.1:\(port(inside))"
            let receiver = try StubServer { _ in
                .status(307, headers: ["location": "http://\(address)/"])
            }
            let worker = try startWorker(allowing: "127.0.0.1:\(port(receiver))")
            defer { withExtendedLifetime(worker) {} }
            try end(telling: receiver.url)
            let port = try port(inside)
            // A name is private all the time here; what was public before makes no difference:
            // only the address of the connection counts.
            let refused = [
                "https://localhost:\(port)/", "https://a.localhost:\(port)/",
                "http://\(address)/", "https://\(address)/", "https://2130706433:\(port)/",
                "https://0x7f.1:\(port)/", "https://0177.0.0.1:\(port)/",
                "https://[::1]:\(port)/", "https://[::ffff:127.0.0.1]:\(port)/",
                "https://[::ffff:7f00:1]:\(port)/", "https://[64:ff9b::7f00:1]:\(port)/",
                "https://[2002:7f00:1::]:\(port)/", "https://[fe80::1%25lo]:\(port)/",
                "https://user@\(address)/", "http://0:\(port)/",
            ]
            for url in refused { try end(telling: url) }
            try eventually("all have ended or wait", within: .seconds(40)) {
                let found = try callbacks()
                return found.count { $0.errorCode == "ADDRESS_REFUSED" } == refused.count
                    && found.contains { $0.errorCode == "HTTP_307" }
            }
            #expect(inside.connections == 0)
            #expect(receiver.requests.count == 1)
        }

        // MARK: Workers that die

        /// Fault: a worker dies between the end of a task and its callback, or in the middle of it,
        /// and the receiver is never told.
        @Test func aKilledWorkerLosesNone() throws {
            let receiver = try StubServer { _ in .hang }
            let first = try startWorker(allowing: "127.0.0.1")
            var ids: Set<TaskID> = []
            for _ in 0..<5 { ids.insert(try end(telling: receiver.url)) }
            try eventually("they are under way", within: .seconds(30)) {
                receiver.underWay == 5
            }
            // Ended, and not yet seen by any scheduler.
            first.signal(SIGSTOP)
            for _ in 0..<5 { ids.insert(try end(telling: receiver.url)) }
            first.signal(SIGKILL)
            receiver.answer { _ in .json("{}") }
            let second = try startWorker(allowing: "127.0.0.1")
            defer { withExtendedLifetime(second) {} }
            try eventually("all are told", within: .seconds(60)) {
                try callbacks().count { $0.state == .completed } == 10
            }
            let told = Set(receiver.requests.compactMap { $0.headers["webhook-id"] })
            #expect(told == Set(ids.map { "\($0).1.end" }))
            #expect(try callbacks().allSatisfy { $0.attempts == 0 && $0.crashes == 0 })
        }
    }
}
