import Foundation
import Testing
import WorkerHealth

@testable import Operations

struct SharedProblemTests {
    private func problem(_ code: String, since: Double) -> WorkerStats.Problem {
        WorkerStats.Problem(
            link: "database",
            kind: "away",
            code: code,
            text: "text of \(code)",
            since: Date(timeIntervalSince1970: since),
            count: 1
        )
    }

    private func worker(
        _ number: Int,
        _ state: WorkerStats.State,
        _ problems: [WorkerStats.Problem]
    ) -> WorkerStats {
        WorkerStats(
            bootID: "\(number)",
            host: "vm",
            processID: number,
            version: "1",
            queue: "q",
            settings: .init(
                threads: 1,
                isConcurrencyAutomatic: false,
                batchMax: 1,
                prefetch: 1,
                sessionsMax: 1,
                maxAttempts: 1,
                taskTimeoutSeconds: 1
            ),
            startedAt: Date(),
            heartbeatAt: Date(),
            heartbeatAgeSeconds: 0,
            state: state,
            reasons: [],
            done: 0,
            duplicates: 0,
            retried: 0,
            dead: 0,
            interrupted: 0,
            reconnects: 0,
            busyThreads: 0,
            inFlight: 0,
            residentBytes: 0,
            failures: [],
            problems: problems
        )
    }

    /// Fault: thirty workers lose one database, and the page has thirty causes; or one that stopped
    /// hours ago still has one.
    @Test func anOutageIsOneCauseOfAllThatRun() {
        let shared = SharedProblem.among([
            worker(1, .notReady, [problem("57P03", since: 20), problem("42501", since: 5)]),
            worker(2, .ready, [problem("57P03", since: 10)]),
            worker(3, .stopped, [problem("57P03", since: 1)]),
            worker(4, .lost, [problem("08006", since: 1)]),
        ])
        #expect(shared.map(\.problem.code) == ["57P03", "42501"])
        #expect(shared.map(\.workers) == [["vm:1", "vm:2"], ["vm:1"]])
        #expect(shared[0].problem.since == Date(timeIntervalSince1970: 10))
    }

    /// Fault: a server's words hold what jsonb does not take, and the worker tells nothing any
    /// more.
    @Test func whatAServerSaysCanBeStored() throws {
        let health = LinkHealth()
        _ = health.failed(
            .init(
                link: .consumer,
                subject: "q\0",
                kind: .refused,
                code: "403",
                text: "no\0\u{1B}[31m" + String(repeating: "x", count: 9999),
                remedy: "wait\u{202E}"
            )
        )
        let text = try JSONEncoder().text(health.reports.map(StoredProblem.init))
        #expect(!text.contains(#"\u0000"#) && text.utf8.count < 1000)
        #expect(text.contains(#"q\\u{0}"#) && text.contains(#"wait\\u{202E}"#))
    }

    /// Fault: a worker is paused, and the operator who finds it does not know how to resume it.
    @Test func onlyAnOperatorsPauseHasAWayBack() {
        var paused = worker(31711, .notReady, [])
        #expect(paused.wayBack == nil)
        paused.paused = .init(by: "SIGUSR1", since: Date())
        #expect(paused.wayBack == "kill -USR2 31711 on vm resumes it")
        paused.paused = .init(by: "HTTP", since: Date())
        #expect(paused.wayBack == "kill -USR2 31711 on vm resumes it")
        paused.paused = .init(by: "database", since: Date())
        #expect(paused.wayBack == nil)
    }
}
