import Conversations
import Foundation
import Operations
import TestSupport
import Testing

@testable import OperatorPages

private let own = "X-Amity-Request: test"

struct OperatorRoutesTests {
    @Test func figuresComeAsJSON() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let bodies = [
                "stats/workers": #"{"workers":[]}"#, "stats/queues": #"{"queues":[]}"#,
                "stats/history": #"{"points":[],"queue":"q","step_seconds":30}"#,
                "dead-letters": #"{"gone":0,"groups":[],"is_complete":true,"#
                    + #""looked_at":"1970-01-01T00:00:00Z","queue":"q.dead","#
                    + #""remarks":[],"seen":0}"#,
            ]
            for (path, body) in bodies {
                let answer = try rig.get("/api/v1/\(path)")
                #expect(answer.status == 200)
                #expect(answer.header("Content-Type") == ["application/json"])
                #expect(answer.body == body)
            }
        }
    }

    /// Fault: an outage that the page cannot tell from a worker that is gone.
    @Test func whatIsAwayIsNamed() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.operatorService.failure.withLock { $0 = .database("connect: no answer") }
            let answer = try rig.get("/api/v1/stats/workers")
            #expect(answer.status == 503)
            #expect(answer.body == #"{"error":{"message":"database: connect: no answer"}}"#)
        }
    }

    /// Fault: ten people who watch are ten times the load on a database that is in trouble.
    @Test func manyWhoAskAtOnceCostOneQuestion() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let gate = DispatchSemaphore(value: 0)
            rig.operatorService.gate.withLock { $0 = gate }
            let connections = try (0..<10).map { _ in try rig.connect() }
            for connection in connections {
                connection.send(
                    "GET /api/v1/stats/queues HTTP/1.1\r\nHost: localhost\r\n"
                        + "Connection: close\r\n\r\n"
                )
            }
            // A server that waited for the answer itself would not say this.
            #expect(try rig.get("/health/live").status == 200)
            rig.operatorService.gate.withLock { $0 = nil }
            for _ in 0..<10 { gate.signal() }
            for connection in connections {
                #expect(RawAnswer(from: connection.readToEnd().text).status == 200)
            }
            #expect(rig.operatorService.questions.withLock { $0 } == 1)
        }
    }

    @Test func deadLetterOrdersAreUnderstood() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let ids = #"{"ids":["a","b"],"limit":7}"#
            let retried = try rig.post("/api/v1/dead-letters/retry", ids, own)
            #expect(retried.status == 200)
            #expect(retried.body == #"{"is_complete":true,"retried":3}"#)
            let purge = #"{"code":"INVALID_LOG","conversation":"c"}"#
            let purged = try rig.post("/api/v1/dead-letters/purge", purge, own)
            #expect(purged.body == #"{"is_complete":true,"purged":3}"#)
            #expect(try rig.post("/api/v1/dead-letters/purge", #"{"all":true}"#, own).status == 200)
            let orders = rig.operatorService.orders.withLock { $0 }
            #expect(orders.map(\.verb) == ["retry", "purge", "purge"])
            #expect(orders[0].order.filter.ids == ["a", "b"] && orders[0].order.limit == 7)
            #expect(orders[1].order.filter.code == "INVALID_LOG")
            #expect(orders[1].order.filter.conversationIDs == [ExactText("c")])
            #expect(orders[1].order.limit == DeadLetterSelection.most)
            #expect(orders[2].order.filter.isEmpty)
        }
    }

    /// Fault: a slip of the pen throws every dead letter away.
    @Test(arguments: [
        "", "[]", "null", "{}", #"{"all":false}"#, #"{"ids":[]}"#, #"{"cod":"A"}"#,
        #"{"code":"A","conversaton":"c"}"#, #"{"code":"A","all":true}"#, #"{"code":7}"#,
        #"{"code":"A","ids":[]}"#, #"{"all":true,"limit":0}"#, #"{"all":true,"limit":1001}"#,
    ])
    func whatIsNotUnderstoodIsRefused(body: String) async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let answer = try rig.post("/api/v1/dead-letters/purge", body, own)
            #expect(answer.status == 400, "\(body)")
            #expect(answer.body.contains(#"{"error":{"message":""#))
            #expect(rig.operatorService.orders.withLock { $0.isEmpty })
        }
    }

    @Test func whatWasDoneBeforeAFailureIsSaid() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.operatorService.failure.withLock { $0 = .unfinished("held by another", done: 2) }
            let answer = try rig.post("/api/v1/dead-letters/retry", #"{"code":"A"}"#, own)
            #expect(answer.status == 409)
            #expect(
                answer.body
                    == #"{"error":{"message":"held by another"},"is_complete":false,"retried":2}"#
            )
        }
    }

    /// Fault: dead letters that were just retried are still shown, and are retried once more.
    @Test func anOrderMakesTheNextLookANewOne() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            _ = try rig.get("/api/v1/dead-letters")
            _ = try rig.get("/api/v1/dead-letters")
            #expect(rig.operatorService.questions.withLock { $0 } == 1)
            _ = try rig.post("/api/v1/dead-letters/retry", #"{"code":"A"}"#, own)
            _ = try rig.get("/api/v1/dead-letters")
            #expect(rig.operatorService.questions.withLock { $0 } == 3)
        }
    }

    /// Fault: the page runs a script that came with its data, or another page frames it.
    @Test func thePageTakesNothingFromElsewhere() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let answer = try rig.get("/")
            #expect(answer.status == 200)
            let policy = try #require(answer.header("Content-Security-Policy").first)
            let nonce = try #require(policy.firstMatch(of: /'nonce-(\w+)'/)?.1)
            #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
            #expect(
                answer.body.contains(
                    "<script type=\"module\" nonce=\"\(nonce)\" src=\"/assets/main.js\">"
                )
            )
            #expect(answer.body.contains("<style nonce=\"\(nonce)\">"))
            #expect(try rig.get("/").body.contains(nonce) == false)
            #expect(answer.header("X-Frame-Options") == ["DENY"])
            #expect(answer.body.matches(of: /(src|href)="(?!#|data:|\/(?!\/))/).isEmpty)
            #expect(answer.body.matches(of: /<script/).count == 1)
            for name in Script.modules.keys {
                let module = try rig.get("/assets/\(name)").body
                #expect(!module.contains("innerHTML"), "\(name)")
                let addresses = module.matches(of: /https?:\/\/[\w.]+/).map { $0.output }
                #expect(addresses.allSatisfy { $0 == "http://www.w3.org" }, "\(name)")
                #expect(
                    module.matches(of: /(?:from|import) "(?!\.\/[\w-]+\.js")/).isEmpty,
                    "\(name)"
                )
            }
        }
    }
}
