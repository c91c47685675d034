import Foundation
import FriendshipScoring
import TestSupport
import Testing

@testable import AnalysisServices
@testable import Concurrency

@Suite(.serialized, .timeLimit(.minutes(2))) struct ServiceFaultTests {
    @Test func asksBothSideBySideAndEachForItsOwn() async throws {
        let bench = try Bench { request in
            .after(.milliseconds(300), request.isChat ? good : .memories(2))
        }
        let answers = await bench.ask()
        #expect(answers.chat == .success(found))
        #expect(answers.memories == .success(2))
        #expect(bench.stub.mostUnderWay == 2)
        let memory = try #require(bench.stub.requests.first { !$0.isChat })
        #expect(memory.path == "/extract_facts")
        // The model's key is not the memory service's business.
        #expect(memory.headers["authorization"] == nil)
        let body = try JSONSerialization.jsonObject(with: Data(memory.body.utf8)) as? NSDictionary
        let expected: NSDictionary = [
            "user_id": "u1", "conversation_id": "c1",
            "conversation": [
                ["role": "assistant", "content": "Hi"],
                ["role": "user", "content": Bench.words], ["role": "user", "content": "Why?"],
            ],
        ]
        #expect(body == expected)
        let chat = try #require(bench.stub.requests.first { $0.isChat })
        #expect(chat.headers["authorization"] == "Bearer \(Bench.key)")
        bench.close()
    }

    /// Fault: the service stumbles. What passes is asked again, within bounds.
    @Test(arguments: [
        StubServer.Answer.status(500), .status(503), .status(429), .drop, .cutOff,
    ])
    func whatPassesIsAskedAgain(fault: StubServer.Answer) async throws {
        let bench = try Bench(script(fault, fault, good))
        #expect(await bench.chat() == .success(found))
        #expect(bench.stub.requests.count == 3)
        bench.close()
    }

    @Test(arguments: [
        (StubServer.Answer.status(500), "http-500"), (.drop, "unreachable"),
        (.cutOff, "unreachable"), (.status(429), "http-429"),
    ])
    func andNotForEver(fault: StubServer.Answer, code: String) async throws {
        let bench = try Bench { _ in fault }
        #expect(await bench.failure()?.code == code)
        #expect(bench.stub.requests.count == 3)
        bench.close()
    }

    /// Fault: the same request is refused again and again, and paid for, or taken for a crash.
    @Test(arguments: [
        (StubServer.Answer.status(401), ServiceError.status(401)), (.status(404), .status(404)),
        (.json("<html>"), .malformed), (.chat("no"), .unusable), (.huge(1 << 20), .tooLarge),
    ])
    func whatDoesNotPassIsAskedOnce(fault: StubServer.Answer, error: ServiceError) async throws {
        let bench = try Bench { _ in fault }
        #expect(await bench.chat() == .failure(error))
        #expect(bench.stub.requests.count == 1)
        bench.close()
    }

    /// Fault: it says nothing, or begins and says no more: a thread would hang for ever.
    @Test(arguments: [
        StubServer.Answer.hang, .hangInBody, .after(.seconds(30), good),
    ])
    func whatHangsIsGivenUp(fault: StubServer.Answer) async throws {
        let bench = try Bench(timeout: 2) { _ in fault }
        let begin = ContinuousClock.now
        #expect(await bench.chat() == .failure(.timeout))
        #expect(begin.duration(to: .now) < .seconds(20))
        #expect(bench.stub.requests.count == 1)
        bench.close()
    }

    /// Fault: an address that no host has, or a port that no service listens on.
    @Test func noServiceThereIsNoCrash() async throws {
        let services = AnalysisServices(
            chat: .init(
                url: "http://127.0.0.1:1/v1",
                key: nil,
                timeout: .seconds(10),
                concurrency: 1,
                requestsPerSecond: nil
            ),
            model: "m",
            memory: nil,
            logger: LogBook().logger
        )
        let talk = Talk(conversationID: "c", userID: "u", log: ConversationLog(items: []))
        let answers = await withCheckedContinuation { continuation in
            _ = services.ask(about: talk, chat: true, memories: true) {
                continuation.resume(returning: $0)
            }
        }
        guard case .failure(.unreachable(let failure)) = answers.chat else {
            Issue.record("\(String(describing: answers.chat))")
            return
        }
        #expect(failure.code == "ECONNREFUSED" && failure.text == "Connection refused")
        #expect(answers.memories == nil)
        services.stop()
    }

    /// Fault: a redirect carries the key and the child's words to wherever it points.
    @Test(arguments: [301, 302, 307, 308]) func aRedirectIsNotFollowed(status: Int) async throws {
        let elsewhere = try StubServer { _ in good }
        let target = elsewhere.url
        let bench = try Bench { _ in .status(status, headers: ["location": target]) }
        #expect(await bench.chat() == .failure(.status(status)))
        #expect(elsewhere.requests.isEmpty)
        bench.close()
    }

    /// Fault: it is asked again before the time it has named, and so names a later one.
    @Test func retryAfterIsKept() async throws {
        let times = Locked<[ContinuousClock.Instant]>([])
        let bench = try Bench { _ in
            let count = times.withLock { times in
                times.append(.now)
                return times.count
            }
            return count == 1 ? .status(429, headers: ["retry-after": "2"]) : good
        }
        #expect(await bench.chat() == .success(found))
        let asked = times.withLock { $0 }
        #expect(asked.count == 2 && asked[0].duration(to: asked[1]) >= .seconds(2))
        bench.close()
    }

    /// Fault: a service demands a pause of an hour. The conversation waits for it, or the other
    /// conversations still call it.
    @Test func aRetryAfterThatIsTooLongEndsItAtOnceForAll() async throws {
        let bench = try Bench { request in
            request.isChat ? .status(429, headers: ["retry-after": "3600"]) : .memories(1)
        }
        #expect(await bench.chat() == .failure(.status(429)))
        #expect(await bench.chat() == .failure(.circuitOpen))
        #expect(bench.stub.requests.count == 1)
        // The other one is well.
        #expect(!bench.services.refuse)
        #expect(await bench.ask(chat: false).memories == .success(1))
        bench.close()
    }

    /// Fault: a server that does not know the strict form of an answer gives none at all.
    @Test func aLooserFormIsAskedForWhereAStricterIsUnknown() async throws {
        let bench = try Bench { request in
            request.body.contains("json_schema") ? .status(400) : good
        }
        #expect(await bench.chat() == .success(found))
        #expect(await bench.chat() == .success(found))
        let bodies = bench.stub.requests.map(\.body)
        #expect(bodies.map { $0.contains("json_schema") } == [true, false, false])
        #expect(bodies[1].contains(#""response_format":{"type":"json_object"}"#))
        bench.close()
    }

    /// Fault: one conversation that is refused, however it is asked about, stops the asking for
    /// all.
    @Test func aConversationThatIsRefusedOpensNoCircuit() async throws {
        let bench = try Bench { _ in .status(400) }
        for _ in 0..<6 { #expect(await bench.chat() == .failure(.status(400))) }
        #expect(await bench.chat() == .failure(.status(400)))
        bench.close()
    }

    @Test func noMoreAtOnceThanIsSet() async throws {
        let bench = try Bench(concurrency: 3) { _ in .after(.milliseconds(50), good) }
        let answers = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { await bench.chat() == .success(found) } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(answers == 20)
        #expect(bench.stub.mostUnderWay == 3)
        bench.close()
    }

    @Test func noMoreInASecondThanIsSet() async throws {
        let bench = try Bench(concurrency: 30, perSecond: 10) { _ in good }
        let begin = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<30 { group.addTask { #expect(await bench.chat() == .success(found)) } }
        }
        // Ten at once, and twenty one after the other.
        #expect(begin.duration(to: .now) >= .seconds(1.9))
        bench.close()
    }

    /// Fault: a drain waits for a line in front of a service, or for an answer that does not come.
    @Test func aDrainEndsEveryWait() async throws {
        let bench = try Bench(timeout: 100, concurrency: 2, perSecond: 1) { _ in .hang }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 { group.addTask { #expect(await bench.chat() == .failure(.cancelled)) } }
            while bench.stub.requests.isEmpty { await Task.yield() }
            bench.services.cancel()
        }
        #expect(await bench.chat() == .failure(.cancelled))
        bench.close()
    }

    /// Fault: both services are down, and every conversation waits for them. Or they are back, and
    /// no conversation asks them.
    @Test func servicesThatFailAreLeftAloneUntilTheyAreBack() async throws {
        let bench = try Bench { _ in .status(500) }
        for _ in 0..<5 { _ = await bench.ask() }
        #expect(bench.services.refuse)
        let asked = bench.stub.requests.count
        for _ in 0..<1000 {
            let answers = await bench.ask()
            #expect(answers.chat == .failure(.circuitOpen))
            #expect(answers.memories == .failure(.circuitOpen))
        }
        #expect(bench.stub.requests.count == asked)
        #expect(bench.book.text.ranges(of: "analysis.circuit-opened").count == 2)

        bench.stub.answer { $0.isChat ? good : .memories(1) }
        let deadline = ContinuousClock.now + .seconds(30)
        var last = ServiceAnswers()
        var isBack = false
        while ContinuousClock.now < deadline, !isBack {
            try await Task.sleep(for: .milliseconds(50))
            last = await bench.ask()
            isBack = last.chat == .success(found) && last.memories == .success(1)
        }
        #expect(isBack)
        #expect(!bench.services.refuse)
        #expect(bench.book.text.ranges(of: "analysis.circuit-closed").count == 2)
        bench.close()
    }
}
