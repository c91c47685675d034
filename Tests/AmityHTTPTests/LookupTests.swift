import Foundation
import TestSupport
import Testing
import WorkerRuntime

@testable import AmityHTTP

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
            let letters = try rig.get("/api/v1/users/\(encoded)/dead-letters")
            #expect(letters.body == #"{"letters":[]}"#)
            #expect(rig.desk.lookups.withLock { $0 } == ["conversation \(id)", "user \(id)"])
        }
    }

    /// Fault: the database's texts end at a NUL, so that what is asked for is another id's.
    @Test(arguments: ["%00", "a%00b", "%FF"])
    func whatIsNoIDIsRefused(encoded: String) async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/conversations/\(encoded)/explanation").status == 400)
            #expect(try rig.get("/api/v1/users/\(encoded)/dead-letters").status == 400)
            #expect(rig.desk.lookups.withLock { $0 }.isEmpty)
        }
    }

    /// Fault: a stranger's page, or a look at the page, takes a worker off its queue.
    @Test func onlyAnIntendedPostSwitchesIntake() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/worker/pause").status != 200)
            #expect(try rig.post("/api/v1/worker/pause").status == 403)
            let elsewhere = "Origin: http://evil.example"
            #expect(try rig.post("/api/v1/worker/pause", "", elsewhere, own).status == 403)
            #expect(!rig.desk.isPaused.withLock { $0 })
            let paused = try rig.post("/api/v1/worker/pause", "", own)
            #expect(paused.body == #"{"host":"h","is_paused":true,"process_id":7}"#)
            #expect(try rig.get("/api/v1/worker").body == paused.body)
            let resumed = try rig.post("/api/v1/worker/resume", "", own)
            #expect(resumed.body == #"{"host":"h","is_paused":false,"process_id":7}"#)
        }
    }

    @Test func whatIsAwayIsNamed() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.desk.failure.withLock { $0 = .early }
            for path in ["conversations/c/explanation", "users/u/dead-letters", "worker"] {
                let answer = try rig.get("/api/v1/\(path)")
                #expect(answer.status == 503)
                #expect(answer.body == #"{"error":{"message":"the worker has only begun"}}"#)
            }
        }
    }
}
