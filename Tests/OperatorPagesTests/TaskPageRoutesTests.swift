import Foundation
import Operations
import TestSupport
import Testing

@testable import OperatorPages
@testable import Tasks

private let own = "X-Amity-Request: test"

/// What the page of tasks asks for and does.
struct TaskPageRoutesTests {
    private static let id = TaskID(firstAt: 1)

    private static func moved(to state: TaskState) -> MovedTask {
        MovedTask(id: id, type: "t", pool: "p", priority: .low, state: state, run: 2)
    }

    @Test func figuresComeAsJSON() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.operatorService.overview.withLock { $0 = APISample.taskOverview }
            #expect(
                try rig.get("/api/v1/stats/tasks").body
                    == #"{"tasks":{"failures":[{"code":"C","count":1,"#
                    + #""last_failed_at":"1970-01-01T00:00:00Z","type":"t"}],"#
                    + #""is_complete":true,"queues":[{"completed_per_minute":1,"#
                    + #""failed_per_minute":1,"oldest_seconds":1,"pool":"p","#
                    + #""priority":"low","running":1,"waiting":1}]}}"#
            )
            #expect(
                try rig.get("/api/v1/stats/task-alerts").body
                    == #"{"alerts":[{"name":"task_wait","queue":"p.low","#
                    + #""since":"1970-01-01T00:00:00Z"}]}"#
            )
            let task = try rig.get("/api/v1/tasks/\(Self.id)")
            #expect(task.status == 200)
            #expect(task.body.contains(#""errors":[{"at":"","code":"C","run":1}]"#))
        }
    }

    /// Fault: the page of a worker of conversations shows tables that are not there.
    @Test func whereThereAreNoTablesThatIsSaid() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/stats/tasks").body == #"{"tasks":null}"#)
            #expect(try rig.get("/api/v1/stats/task-alerts").body == #"{"alerts":null}"#)
        }
    }

    @Test func pagesAreAskedForByStateTypeCodeAndCursor() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let query = "state=failed&type=a%2Fb&code=C&before=\(Self.id.text.uppercased())"
            let page = try rig.get("/api/v1/tasks?\(query)")
            #expect(page.body == #"{"has_more":true,"tasks":[]}"#)
            var filter = TaskFilter()
            (filter.state, filter.type, filter.code, filter.before) = (.failed, "a/b", "C", Self.id)
            #expect(rig.operatorService.filters.withLock { $0 } == [filter])
        }
    }

    /// Fault: a slip of the pen in a filter lists, or retries, all there are.
    @Test(arguments: ["state=lost", "before=1", "stat=failed", "type=", "code=a%00b"])
    func whatIsNotUnderstoodIsRefused(query: String) async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let answer = try rig.get("/api/v1/tasks?\(query)")
            #expect(answer.status == 400, "\(answer.body)")
            for body in ["", "{}", #"{"type":"t"}"#, #"{"type":"t","code":"\u0000"}"#] {
                #expect(try rig.post("/api/v1/tasks/retry", body, own).status == 400, "\(body)")
            }
            #expect(rig.operatorService.filters.withLock { $0.isEmpty })
        }
    }

    /// Fault: ten people who watch are ten times the load on a database that is in trouble; or what
    /// was just cancelled is still shown, and cancelled once more.
    @Test func aPageIsAskedForOnceUntilSomethingIsDone() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for _ in 0..<3 { _ = try rig.get("/api/v1/tasks?state=processing") }
            #expect(rig.operatorService.filters.withLock { $0.count } == 1)
            _ = try rig.get("/api/v1/tasks?state=failed")
            #expect(rig.operatorService.filters.withLock { $0.count } == 2)
            _ = try rig.post("/api/v1/tasks/\(Self.id)/cancel", "", own)
            _ = try rig.get("/api/v1/tasks?state=processing")
            #expect(rig.operatorService.filters.withLock { $0.count } == 3)
        }
    }

    @Test func anActionSaysWhatCameOfIt() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let outcomes: [(MoveOutcome, Int, String)] = [
                (.moved(Self.moved(to: .queued)), 200, #"{"id":"\#(Self.id)","state":"queued"}"#),
                (
                    .unchanged(Self.moved(to: .completed)), 409,
                    #"{"error":{"message":"only a task that failed or was cancelled can be "#
                        + #"retried: it is completed"}}"#
                ),
                (
                    .twinLives, 409,
                    #"{"error":{"message":"a task with the same unique key lives"}}"#
                ),
                (.missing, 404, #"{"error":{"message":"there is no such task"}}"#),
            ]
            for (outcome, status, body) in outcomes {
                rig.operatorService.outcome.withLock { $0 = outcome }
                let answer = try rig.post("/api/v1/tasks/\(Self.id)/retry", "", own)
                #expect(answer.status == status && answer.body == body)
            }
            // Fault: the words make no sense for the state.
            let ended = MoveOutcome.unchanged(Self.moved(to: .cancelled))
            rig.operatorService.outcome.withLock { $0 = ended }
            let again = try rig.post("/api/v1/tasks/\(Self.id)/cancel", "", own)
            #expect(again.status == 409)
            #expect(again.body.contains("the task has ended already: it is cancelled"))
            let all = try rig.post("/api/v1/tasks/retry", #"{"type":"t","code":"C"}"#, own)
            #expect(all.body == #"{"is_complete":false,"retried":3}"#)
        }
    }

    /// Fault: a stranger's page, or a look at the page, ends tasks.
    @Test func onlyAnIntendedPostMovesATask() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for verb in ["cancel", "retry"] {
                let path = "/api/v1/tasks/\(Self.id)/\(verb)"
                #expect(try rig.get(path).status == 404)
                #expect(try rig.post(path).status == 403)
                let elsewhere = "Origin: http://evil.example"
                #expect(try rig.post(path, "", elsewhere, own).status == 403)
            }
            #expect(try rig.post("/api/v1/tasks/retry", "{}").status == 403)
            #expect(rig.operatorService.moves.withLock { $0.isEmpty })
        }
        try await ServerRig().run(token: "correct-horse-battery") { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/tasks").status == 401)
            #expect(try rig.post("/api/v1/tasks/\(Self.id)/retry", "", own).status == 401)
            let page = try rig.get("/tasks")
            #expect(page.status == 303 && page.header("Location") == ["/login"])
        }
    }

    /// Fault: a client that encodes more than it must is told that there is no such task.
    @Test func anEncodedIDIsThatID() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let id = Self.id.text.replacingOccurrences(of: "-", with: "%2D")
            rig.operatorService.outcome.withLock { $0 = .moved(Self.moved(to: .queued)) }
            #expect(try rig.post("/api/v1/tasks/\(id)/retry", "", own).status == 200)
        }
    }

    @Test(arguments: ["1", "explanation", "00000000-0000-7000-8000-00000000000g"])
    func whatIsNoIDIsNoTask(id: String) async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            #expect(try rig.get("/api/v1/tasks/\(id)").status == 404)
            #expect(try rig.post("/api/v1/tasks/\(id)/cancel", "", own).status == 404)
            #expect(rig.operatorService.moves.withLock { $0.isEmpty })
        }
    }
}
