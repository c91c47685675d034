import Foundation
import TestSupport
import Testing
import WorkerHealth

@testable import AnalysisServices

/// What is said of a service that fails: to the worker's health, the log, the metrics and the
/// doctor.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ServiceHealthTests {
    /// Fault: the model answers in 25 s, or 401, and all there is is a line without a cause.
    @Test(
        arguments: [
            (
                StubServer.Answer.status(401), LinkHealth.Kind.refused, "401", "LLM_API_KEY",
                "refused"
            ),
            (.status(403), .refused, "403", "LLM_API_KEY", "refused"),
            (.status(404), .missing, "404", "LLM_MODEL", "rejected"),
            (.status(429), .refused, "429", "LLM_REQUESTS_PER_SECOND", "limited"),
            (.status(500), .away, "500", nil, "failed"),
            (.status(302), .refused, "302", "LLM_BASE_URL", "rejected"),
            (.hang, .away, "timeout", "LLM_TIMEOUT_SECONDS", "timeout"),
            (.json("<html>"), .badAnswer, "answer-malformed", "LLM_BASE_URL", "bad-answer"),
            (.huge(1 << 20), .badAnswer, "answer-too-large", "LLM_BASE_URL", "bad-answer"),
            (.drop, .away, "closed", "LLM_BASE_URL", "unreachable"),
        ] as [(StubServer.Answer, LinkHealth.Kind, String, String?, String)]
    )
    func aServiceThatFailsIsNamedWithItsCauseAndCounted(
        fault: StubServer.Answer,
        kind: LinkHealth.Kind,
        code: String,
        setting: String?,
        outcome: String
    ) async throws {
        // Short only where it is waited out: a busy machine may take a while for any other answer.
        let bench = try Bench(timeout: fault.isHang ? 2 : 60) { _ in fault }
        #expect(await bench.failure() != nil)
        // An error thrown before the end would end the process: its client must be closed.
        let problem = bench.health.reports.first?.problem
        #expect(problem?.link == .chatModel && problem?.subject == nil)
        #expect(problem?.kind == kind)
        #expect(
            fault.mayReset
                ? ["closed", "ECONNRESET"].contains(problem?.code) : problem?.code == code
        )
        #expect(problem?.text.hasPrefix("the chat model ") == true)
        if let setting {
            #expect(problem?.remedy?.contains(setting) == true)
        } else {
            #expect(problem?.remedy == nil)
        }
        #expect(try bench.count(outcome) >= 1 && bench.count("ok") == 0)
        bench.stub.answer { _ in good }
        #expect(await bench.chat() == .success(found))
        #expect(bench.health.reports.isEmpty)
        #expect(try bench.count("ok") == 1)
        bench.close()
    }

    /// Fault: the circuit opens, and the log does not say why; or the cause changes while it is
    /// open, and neither the log nor the health reports say so.
    @Test func anOpenCircuitSaysWhy() async throws {
        let bench = try Bench { _ in .status(401) }
        for _ in 0..<5 { _ = await bench.chat() }
        #expect(try bench.isCircuitOpen())
        let opened = bench.book.line("analysis.circuit-opened") ?? ""
        #expect(opened.contains("refuses the key (HTTP 401)") && opened.contains("LLM_API_KEY"))
        #expect(bench.book.warnings == ["analysis.circuit-opened"])
        bench.stub.answer { _ in .status(404) }
        await bench.waitUntil { bench.book.warnings.last == "analysis.service-failed" }
        #expect(bench.health.reports.map(\.problem.code) == ["404"])
        bench.stub.answer { _ in good }
        await bench.waitUntil { bench.health.reports.isEmpty }
        #expect(try !bench.isCircuitOpen())
        bench.close()
    }

    /// Faults: one conversation that is refused is told as an outage; or all are, for want of such
    /// a model, and nothing is said, because no circuit opens for it.
    @Test func conversationsThatAreRefusedAreToldOnceTheyAreAll() async throws {
        let bench = try Bench { _ in .json(#"{"choices":[]}"#) }
        for _ in 0..<4 { #expect(await bench.failure() == .unusable) }
        #expect(bench.health.reports.isEmpty && bench.book.warnings.isEmpty)
        for _ in 0..<4 { #expect(await bench.failure() == .unusable) }
        #expect(bench.health.reports.map(\.problem.kind) == [.badAnswer])
        #expect(bench.book.warnings == ["analysis.service-failed"])
        #expect(try !bench.isCircuitOpen())
        bench.close()
    }

    // MARK: The doctor's question

    private func probe(_ stub: StubServer) async -> [ServiceProbe.Snapshot] {
        func settings(_ path: String, _ key: String?) -> ServiceSettings {
            ServiceSettings(
                url: stub.url + path,
                key: key,
                timeout: .seconds(20),
                concurrency: 1,
                requestsPerSecond: nil
            )
        }
        return await ServiceProbe(
            chat: settings("/v1/chat/completions", Bench.key),
            memory: settings("/extract_facts", nil)
        ).look()
    }

    /// Fault: a look costs money, or sends what children say.
    @Test func aLookAsksOnceAndSendsNothing() async throws {
        let stub = try StubServer { request in
            request.path == "/v1/models"
                ? .json(#"{"object":"list","data":[{"id":"m-1"},{"id":"m-2"}]}"#) : .status(405)
        }
        let snapshots = await probe(stub)
        #expect(snapshots.allSatisfy { $0.problem == nil })
        #expect(snapshots.first?.models == ["m-1", "m-2"])
        #expect(Set(stub.requests.map(\.path)) == ["/v1/models", "/extract_facts"])
        #expect(stub.requests.count == 2 && stub.requests.allSatisfy(\.body.isEmpty))
        for request in stub.requests {
            let key = request.path == "/v1/models" ? "Bearer \(Bench.key)" : nil
            #expect(request.headers["authorization"] == key)
        }
    }

    @Test(arguments: [401, 403, 404, 500]) func aLookNamesWhatIsWrong(status: Int) async throws {
        let stub = try StubServer { _ in .status(status) }
        let snapshots = await probe(stub)
        // A server without a list of models is none that is wrong.
        let codes = status == 404 ? [nil, "404"] : ["\(status)", "\(status)"]
        #expect(snapshots.map { $0.problem?.code } == codes)
    }
}

extension StubServer.Answer {
    /// How a connection ends that is closed without an answer depends on what has arrived by then.
    fileprivate var mayReset: Bool { if case .drop = self { true } else { false } }

    fileprivate var isHang: Bool { if case .hang = self { true } else { false } }
}
