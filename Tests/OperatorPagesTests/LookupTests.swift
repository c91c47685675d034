import Foundation
import TestSupport
import Testing

@testable import OperatorPages

private let own = "X-Amity-Request: test"

struct LookupTests {
    /// Fault: an id with a slash or a percent sign finds another conversation, or none.
    @Test(arguments: [
        ("c1", "c1"), ("a%2Fb", "a/b"), ("100%25", "100%"), ("%3Cimg%20src%3E", "<img src>"),
        ("m%E1%BA%B9", "mẹ"), ("explanation", "explanation"),
    ])
    func anyIDCanBeLookedUp(encoded: String, id: String) async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let told = try rig.get("/api/v1/conversations/\(encoded)/explanation")
            #expect(told.status == 200)
            let answer = try JSONSerialization.jsonObject(with: Data(told.body.utf8))
            #expect((answer as? [String: Any])?["conversation_id"] as? String == id)
            let deadLetters = try rig.get("/api/v1/users/\(encoded)/dead-letters")
            #expect(deadLetters.body == #"{"letters":[]}"#)
            #expect(
                rig.operatorService.lookups.withLock { $0 } == ["conversation \(id)", "user \(id)"]
            )
        }
    }

    /// Fault: the database's texts end at a NUL, so that what is asked for is another id's.
    @Test(arguments: ["%00", "a%00b", "%FF"])
    func whatIsNoIDIsRefused(encoded: String) async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/conversations/\(encoded)/explanation").status == 400)
            #expect(try rig.get("/api/v1/users/\(encoded)/dead-letters").status == 400)
            #expect(rig.operatorService.lookups.withLock { $0 }.isEmpty)
        }
    }

    /// Fault: a stranger's page, or a look at the page, takes a worker off its queue.
    @Test func onlyAnIntendedPostSwitchesIntake() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/worker/pause").status != 200)
            #expect(try rig.post("/api/v1/worker/pause").status == 403)
            let elsewhere = "Origin: http://evil.example"
            #expect(try rig.post("/api/v1/worker/pause", "", elsewhere, own).status == 403)
            #expect(!rig.operatorService.isPaused.withLock { $0 })
            let paused = try rig.post("/api/v1/worker/pause", "", own)
            #expect(paused.body == #"{"host":"h","is_paused":true,"process_id":7}"#)
            #expect(try rig.get("/api/v1/worker").body == paused.body)
            let resumed = try rig.post("/api/v1/worker/resume", "", own)
            #expect(resumed.body == #"{"host":"h","is_paused":false,"process_id":7}"#)
        }
    }

    /// Fault: while the broker is away a lookup takes seconds, and their threads fill the memory.
    @Test func lookupsAreFewAtOnce() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let gate = DispatchSemaphore(value: 0)
            rig.operatorService.gate.withLock { $0 = gate }
            let lines = [
                "GET /api/v1/users/u/dead-letters HTTP/1.1", "Host: localhost",
                "Connection: close", "", "",
            ]
            let connections = try (0..<LookupLimit.mostAtOnce).map { _ in try rig.connect() }
            for connection in connections { connection.send(lines.joined(separator: "\r\n")) }
            let deadline = ContinuousClock.now + .seconds(20)
            while rig.operatorService.questions.withLock({ $0 }) < connections.count,
                .now < deadline
            {
                _ = DispatchSemaphore(value: 0).wait(timeout: .now() + 0.01)
            }
            // One that is let in would wait for the gate.
            DispatchQueue.global().asyncAfter(deadline: .now() + 5) { gate.signal() }
            #expect(try rig.get("/api/v1/conversations/c/explanation").status == 429)
            rig.operatorService.gate.withLock { $0 = nil }
            for _ in connections { gate.signal() }
            for connection in connections {
                #expect(RawAnswer(from: connection.readToEnd().text).status == 200)
            }
            #expect(try rig.get("/api/v1/conversations/c/explanation").status == 200)
        }
    }

    @Test func whatIsAwayIsNamed() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.operatorService.failure.withLock { $0 = .early }
            for path in ["conversations/c/explanation", "users/u/dead-letters", "worker"] {
                let answer = try rig.get("/api/v1/\(path)")
                #expect(answer.status == 503)
                #expect(answer.body == #"{"error":{"message":"the worker has only begun"}}"#)
            }
        }
    }
}
