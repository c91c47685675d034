import Foundation
import TestSupport
import Testing

@testable import OperatorPages

struct RoutesTests {
    @Test func readyFollowsTheWorker() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            let early = try rig.get("/health/ready")
            #expect(early.status == 503)
            #expect(
                early.body == #"{"reasons":["not consuming from the broker","#
                    + #""the database has not answered yet"],"status":"not ready"}"#
            )
            rig.readiness.set(.notConsuming, false)
            rig.readiness.set(.databaseUnknown, false)
            let ready = try rig.get("/health/ready")
            #expect(ready.status == 200)
            #expect(ready.body == #"{"status":"ready"}"#)
            rig.readiness.set(.draining, true)
            #expect(try rig.get("/health/ready").body.contains("draining"))
            #expect(try rig.get("/health/live").status == 200)
        }
    }

    /// Faults: a worker is not ready and does not say why; or a stranger reads who logs in where.
    @Test func readinessNamesCausesAndTheirTextsOnlyToWhoMayRead() async throws {
        let token = "correct-horse-battery"
        try await ServerRig().run(token: token) { (rig: ServerRig) throws in
            _ = rig.health.failed(
                .init(
                    link: .database,
                    subject: "friendship_status",
                    kind: .refused,
                    code: "42501",
                    text: "permission denied for amity at db-1",
                    remedy: "deploy/grants.sql"
                ),
                at: .now,
                Date(timeIntervalSince1970: 0)
            )
            let known =
                #""kind":"refused","link":"database""#
            let probe = try rig.get("/health/ready")
            #expect(probe.status == 503)
            #expect(
                probe.body.contains(
                    #""problems":[{"code":"42501",\#(known),"since":"1970-01-01T00:00:00Z","#
                        + #""subject":"friendship_status"}]"#
                ),
                "\(probe.body)"
            )
            #expect(!probe.body.contains("db-1") && !probe.body.contains("grants"))
            let operators = try rig.get("/health/ready", "Authorization: Bearer \(token)")
            #expect(operators.body.contains(#""remedy":"deploy/grants.sql""#))
            #expect(operators.body.contains(#""text":"permission denied for amity at db-1""#))
            // A broker that takes no copies stops no scoring: the worker is ready, and says so.
            rig.readiness.set(.notConsuming, false)
            rig.readiness.set(.databaseUnknown, false)
            let ready = try rig.get("/health/ready")
            #expect(ready.status == 200 && ready.body.contains(#""problems":[{"#))
            rig.health.works(.database, "friendship_status")
            #expect(try rig.get("/health/ready").body == #"{"status":"ready"}"#)
        }
        try await ServerRig().run { (rig: ServerRig) throws in
            _ = rig.health.failed(.init(link: .database, kind: .away, code: "a", text: "words"))
            #expect(try rig.get("/health/ready").body.contains("words"))
            #expect(try !rig.get("/health/ready", host: "evil.example").body.contains("words"))
        }
    }

    /// Fault: the channel thread hangs for ever, and no supervisor restarts the process.
    @Test func liveFollowsThePulse() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            rig.pulse.expect(within: .seconds(-60))
            let stuck = try rig.get("/health/live")
            #expect(stuck.status == 503)
            #expect(stuck.body.contains("is overdue"))
            rig.pulse.expect(within: .seconds(60))
            let alive = try rig.get("/health/live")
            #expect(alive.status == 200)
            #expect(alive.body == #"{"status":"alive"}"#)
        }
    }

    /// Fault: a probe that is right for the API and for other workers finds nothing here.
    @Test func healthIsReadinessForEveryClient() async throws {
        try await ServerRig().run(token: "correct-horse-battery") { (rig: ServerRig) throws in
            let early = try rig.get("/health")
            #expect(try early.status == 503 && early.body == rig.get("/health/ready").body)
            rig.readiness.set(.notConsuming, false)
            rig.readiness.set(.databaseUnknown, false)
            let ready = try rig.get("/health", host: "pod.example")
            #expect(ready.status == 200 && ready.body == #"{"status":"ready"}"#)
        }
    }

    @Test func aPathThatLeadsNowhereSaysSo() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for path in ["/nothing", "/api/v1/nothing"] {
                let answer = try rig.get(path)
                #expect(answer.status == 404)
                #expect(answer.body == #"{"error":{"message":"Not Found"}}"#)
            }
        }
    }

    @Test func metricsAreTheTextAsItIs() async throws {
        try await ServerRig().run(metrics: { "a 1\nb 2\n" }) { (rig: ServerRig) throws in
            let answer = try rig.get("/metrics")
            #expect(answer.status == 200)
            #expect(answer.body == "a 1\nb 2\n")
            #expect(answer.head.lowercased().contains("content-type: text/plain; version=0.0.4"))
            #expect(answer.head.lowercased().contains("cache-control: no-store"))
        }
    }

    /// Fault: a token that is guessed by its beginning, or that one page does not ask for.
    @Test func aTokenIsAskedForByAllButTheHealth() async throws {
        let token = "correct-horse-battery"
        try await ServerRig().run(token: token) { (rig: ServerRig) throws in
            #expect(try rig.get("/health/live").status == 200)
            #expect(try rig.get("/health/ready").status == 503)
            for path in [
                "/metrics", "/api/v1/stats/workers", "/nothing", "/health/nothing",
            ] {
                let answer = try rig.get(path)
                #expect(answer.status == 401, "\(path)")
                #expect(answer.head.contains("Bearer realm"))
            }
            let wrong = [
                "Bearer ", "Bearer c", "Bearer \(token.dropLast())", "Bearer \(token)x",
                "Bearer \(token)\(token)", "Bearer \(token.uppercased())", "Basic \(token)", token,
            ]
            for value in wrong {
                #expect(
                    try rig.get("/metrics", "Authorization: \(value)").status == 401,
                    "\(value)"
                )
            }
            #expect(try rig.get("/metrics", "Authorization: Bearer \(token)").status == 200)
            #expect(try rig.get("/metrics", "authorization: bearer \(token)").status == 200)
            #expect(try rig.get("/nothing", "Authorization: Bearer \(token)").status == 404)
        }
    }

    /// Fault: a web page that has its own name lead to this machine reads what is open there.
    @Test func withoutATokenOnlyThisMachineIsAskedFor() async throws {
        try await ServerRig().run { (rig: ServerRig) throws in
            for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""] {
                #expect(try rig.get("/metrics", host: host).status == 403, "\(host)")
            }
            for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"] {
                #expect(try rig.get("/metrics", host: host).status == 200, "\(host)")
            }
        }
    }
}
