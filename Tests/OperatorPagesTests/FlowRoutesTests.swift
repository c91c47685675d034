import FlowOperations
import Foundation
import TestSupport
import Testing

@testable import OperatorPages
@testable import Tasks

private let own = "X-Amity-Request: test"

/// What the page of limits, schedules, batches and events asks for and does.
struct FlowRoutesTests {
    private static let id = TaskID(firstAt: 1)

    private func calls(_ rig: ServerRig) -> [String] { rig.flowService.calls.withLock { $0 } }

    @Test func pagesComeAsJSON() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let limits = try rig.get("/api/v1/limits?all=1&after=mail%3Aa%2Fb").body
            #expect(limits.hasPrefix(#"{"flow":{"has_more":false,"limits":[{"key":"t:k","#))
            #expect(limits.contains(#""rule":{"burst":3,"by":"type","cap":2,"#))
            #expect(try rig.get("/api/v1/schedules?after=s").body.contains(#""name":"s""#))
            let batches = try rig.get("/api/v1/batches?before=\(Self.id.text.uppercased())")
            #expect(batches.body.contains(#""states":{"blocked":1,"completed":1}"#))
            let picture = try rig.get("/api/v1/batches/\(Self.id)").body
            #expect(picture.contains(#""layer":1,"needs":[0],"outside":0"#))
            #expect(
                calls(rig) == [
                    "limits true mail:a/b", "schedules s", "batches \(Self.id)",
                    "batch \(Self.id)",
                ]
            )
        }
    }

    /// Fault: a worker of conversations shows tables that are not there.
    @Test func whereThereAreNoTablesThatIsSaid() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.flowService.isThere.withLock { $0 = false }
            for path in ["limits", "schedules", "batches", "batches/\(Self.id)"] {
                #expect(try rig.get("/api/v1/\(path)").body == #"{"flow":null}"#, "\(path)")
            }
            let type = #"{"type":"t"}"#
            #expect(try rig.post("/api/v1/limits/pause", type, own).status == 404)
            #expect(try rig.post("/api/v1/limits/resume", type, own).status == 200)
            for path in ["schedules/s/pause", "schedules/s/run", "batches/\(Self.id)/cancel"] {
                #expect(try rig.post("/api/v1/\(path)", "", own).status == 404, "\(path)")
            }
        }
    }

    /// Fault: a slip of the pen pauses something else, or all of it.
    @Test func whatIsNotUnderstoodIsRefused() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for path in [
                "limits?type=t", "limits?after=", "limits?after=a%00", "schedules?before=x",
                "batches?before=1",
            ] { #expect(try rig.get("/api/v1/\(path)").status == 400, "\(path)") }
            for body in [
                "", "{}", #"{"type":"a b"}"#, #"{"key":"k"}"#, #"{"pool":"A"}"#,
                #"{"type":"t","pool":"p"}"#,
            ] { #expect(try rig.post("/api/v1/limits/pause", body, own).status == 400, "\(body)") }
            #expect(try rig.post("/api/v1/schedules/a%2Fb/pause", "", own).status == 404)
            #expect(calls(rig).isEmpty)
        }
    }

    @Test func anActionIsDoneOnceAndThePageIsReadAnew() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for _ in 0..<2 { _ = try rig.get("/api/v1/limits") }
            let key = #"{"key":"mail:acc-7"}"#
            let paused = try rig.post("/api/v1/limits/pause", key, own)
            #expect(paused.body == #"{"is_paused":true}"#)
            _ = try rig.post("/api/v1/limits/resume", #"{"pool":"gpu"}"#, own)
            _ = try rig.get("/api/v1/limits")
            rig.flowService.run.withLock { $0 = .made(Self.id) }
            let made = try rig.post("/api/v1/schedules/s/run", "", own)
            #expect(made.body == #"{"is_duplicate":false,"task":"\#(Self.id)"}"#)
            rig.flowService.run.withLock { $0 = .typeUnknown }
            #expect(try rig.post("/api/v1/schedules/s/run", "", own).status == 409)
            _ = try rig.post("/api/v1/schedules/s/pause", "", own)
            _ = try rig.post("/api/v1/batches/\(Self.id)/cancel", "", own)
            #expect(
                calls(rig) == [
                    "limits false -", #"pause key("mail:acc-7")"#, #"resume pool("gpu")"#,
                    "limits false -", "run s", "run s", "pause schedule s", "cancel \(Self.id)",
                ]
            )
        }
    }

    /// Fault: a stranger's page, or a look at the page, stops a night's work; or events are told
    /// without a login.
    @Test func onlyAnIntendedPostOfAnOperatorDoesAnything() async throws {
        let posts = [
            "limits/pause", "limits/resume", "schedules/s/run", "schedules/s/pause",
            "batches/\(Self.id)/cancel",
        ]
        try await ServerRig().run { (rig: ServerRig) throws in
            for path in posts {
                #expect(try rig.get("/api/v1/\(path)").status == 404, "\(path)")
                #expect(try rig.post("/api/v1/\(path)").status == 403, "\(path)")
                let elsewhere = "Origin: http://evil.example"
                let answer = try rig.post("/api/v1/\(path)", "", elsewhere, own)
                #expect(answer.status == 403, "\(path)")
            }
            #expect(calls(rig).isEmpty)
        }
        try await ServerRig().run(token: "correct-horse-battery") { (rig: ServerRig) throws in
            for path in ["limits", "schedules", "batches", "batches/\(Self.id)", "events"] {
                #expect(try rig.get("/api/v1/\(path)").status == 401, "\(path)")
            }
            for path in posts {
                #expect(try rig.post("/api/v1/\(path)", "", own).status == 401, "\(path)")
            }
            let page = try rig.get("/flow")
            #expect(page.status == 303 && page.header("Location") == ["/login"])
            #expect(calls(rig).isEmpty)
        }
    }

    /// Fault: pages that are left open hold a connection to the broker each, without end.
    @Test func whoCannotListenIsToldSo() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let answer = try rig.get("/api/v1/events?pattern=task.%23")
            #expect(answer.status == 200 && answer.body.contains(#"{"refusal":"As many pages"#))
            #expect(calls(rig) == ["listen task.#"])
            for pattern in ["task%20failed", ""] {
                let unreadable = try rig.get("/api/v1/events?pattern=\(pattern)")
                #expect(unreadable.body.contains(#"{"refusal":"A pattern is"#), "\(pattern)")
            }
            let elsewhere = try rig.get("/api/v1/events", "Sec-Fetch-Site: cross-site")
            #expect(elsewhere.status == 403)
            #expect(calls(rig) == ["listen task.#"])
        }
    }
}
