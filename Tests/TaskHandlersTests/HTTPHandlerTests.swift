import Concurrency
import Foundation
import TestSupport
import Testing

@testable import HTTPCalling
@testable import TaskHandlers
@testable import TaskRunning
@testable import Tasks

@Suite(.timeLimit(.minutes(2))) struct HTTPHandlerTests {
    private func handler(
        _ url: String,
        secret: String? = nil,
        listed: String = "127.0.0.1"
    ) throws -> HTTPHandler {
        HTTPHandler(
            url: url,
            secret: secret,
            environment: [
                "TASK_SECRET_A": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "TASK_SECRET_B": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ],
            client: GuardedClient(try TargetHosts(listed), connections: 4)
        )
    }

    /// What becomes of a run that a service answers so.
    private func end(_ answer: StubServer.Answer, timeout: Int = 60) async throws -> RunEnd {
        try await blocking {
            let stub = try StubServer { _ in answer }
            return try handler(stub.url).run(Bench.task(timeout: timeout), in: RunContext())
        }
    }

    // MARK: The request

    @Test func aServiceGetsTheTaskSigned() async throws {
        let stub = try StubServer { _ in .json("{}") }
        let token = RunToken(run: 3)
        let task = Bench.task(payload: #"{"a": 1.0}"#, timeout: 30, kbID: "k\"1")
        _ = try await blocking {
            try handler(stub.url + "/resize?x=1", secret: "TASK_SECRET_A")
                .run(task, in: RunContext(token: token))
        }
        let request = try #require(stub.requests.first)
        #expect(request.method == "POST" && request.path == "/resize?x=1")
        #expect(
            request.body == #"{"task_id":"00000000-0000-7000-8000-000000000000","#
                + #""task_type":"resize","run":3,"attempt":2,"kb_id":"k\"1","#
                + #""payload":{"a": 1.0},"timeout_seconds":30}"#
        )
        let headers = request.headers
        #expect(headers["content-type"] == "application/json")
        #expect(headers["amity-run-token"] == token.text)
        let id = "00000000-0000-7000-8000-000000000000.3"
        #expect(headers["webhook-id"] == id)
        let timestamp = try #require(headers["webhook-timestamp"].flatMap { Int($0) })
        #expect(abs(Double(timestamp) - Date().timeIntervalSince1970) < 60)
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let body = Data(request.body.utf8)
        #expect(
            headers["webhook-signature"]
                == secret.signature(id: id, timestamp: timestamp, body: body)
        )
    }

    /// Made with `openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64`.
    @Test func aSignatureIsThatOfStandardWebhooks() throws {
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let signature = secret.signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            timestamp: 1_614_265_330,
            body: Data(#"{"test": 2432232314}"#.utf8)
        )
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test(arguments: ["", "whsec_", "whsec_?", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    func isNoSecret(text: String) {
        #expect(WebhookSecret(text) == nil)
    }

    @Test func aTypeWithoutASecretIsNotSigned() async throws {
        let stub = try StubServer { _ in .json("{}") }
        _ = try await blocking { try handler(stub.url).run(Bench.task(), in: RunContext()) }
        let headers = try #require(stub.requests.first).headers
        #expect(headers["webhook-id"] != nil)
        #expect(headers["webhook-signature"] == nil && headers["amity-run-token"] == nil)
    }

    /// Fault: a service gets requests without the signature that its type asks for.
    @Test(arguments: ["TASK_SECRET_B", "TASK_SECRET_C"])
    func nothingIsSentWithoutASecretThatIsUsable(variable: String) async throws {
        let stub = try StubServer { _ in .json("{}") }
        let end = try await blocking {
            try handler(stub.url, secret: variable).run(Bench.task(), in: RunContext())
        }
        #expect(end.told == "failed SECRET_UNUSABLE, again")
        #expect(end.message?.contains("MfKQ") == false)
        #expect(stub.requests.isEmpty)
    }

    // MARK: The answer

    @Test(arguments: [
        (200, #"{"a": [1.50]}"#, "completed {\"a\": [1.50]}"), (201, " null ", "completed null"),
        (200, "\u{FEFF}{}", "completed {}"), (200, "", "completed without a result"),
        (204, "", "completed without a result"), (202, "", "handed over"),
        (202, "no", "handed over"), (200, "<p>", "failed RESULT_REFUSED, for good"),
        (200, "{} {}", "failed RESULT_REFUSED, for good"), (301, "", "failed HTTP_301, for good"),
        (304, "", "failed HTTP_304, for good"), (400, "{}", "failed HTTP_400, for good"),
        (401, "{}", "failed HTTP_401, for good"), (404, "{}", "failed HTTP_404, for good"),
        (408, "{}", "failed HTTP_408, again"), (409, "{}", "failed HTTP_409, for good"),
        (410, "{}", "failed HTTP_410, for good"), (422, "{}", "failed HTTP_422, for good"),
        (425, "{}", "failed HTTP_425, again"), (429, "{}", "failed HTTP_429, again"),
        (500, "{}", "failed HTTP_500, again"), (502, "{}", "failed HTTP_502, again"),
        (503, "{}", "failed HTTP_503, again"), (599, "{}", "failed HTTP_599, again"),
    ])
    func aStatusDecides(status: Int, body: String, expected: String) async throws {
        let end = try await end(.status(status, body: body))
        #expect(end.told == expected)
        #expect(end.message?.contains("<p>") != true, "the message holds the body")
    }

    @Test(arguments: [
        (429, "7", "put off 7.0 s"), (503, "1.5", "put off 1.5 s"), (503, "0", "put off 1.0 s"),
        (503, "99999999", "put off 86400.0 s"), (503, "soon", "failed HTTP_503, again"),
        (503, "Thu, 01 Jan 2026 10:00:30 GMT", "put off 30.0 s"),
        (429, "Thursday, 01-Jan-26 10:01:00 GMT", "put off 60.0 s"),
        (429, "Thu Jan  1 10:00:05 2026", "put off 5.0 s"),
        (429, "Thu, 01 Jan 1970 10:00:30 GMT", "put off 1.0 s"),
        (500, "7", "failed HTTP_500, again in 7.0 s"), (404, "7", "failed HTTP_404, for good"),
    ])
    func retryAfterIsHeard(status: Int, header: String, expected: String) {
        let response = HTTPResponse(status: status, headers: ["retry-after": header], body: Data())
        let end = HTTPHandler.end(with: response, at: Date(timeIntervalSince1970: 1_767_261_600))
        #expect(end.told == expected)
    }

    /// Fault: a service that answers "later" for ever keeps its task for ever.
    @Test func anAnswerThatPutsOffCountsAfterADay() {
        let headers = ["retry-after": "7"]
        let response = HTTPResponse(status: 429, headers: headers, body: Data())
        let end = HTTPHandler.end(with: response, at: Date())
        for seconds in [nil, 0, 86_399.9] {
            #expect(end.counted(since: seconds).told == "put off 7.0 s")
        }
        let counted = end.counted(since: 86_400)
        #expect(counted.told == "failed HTTP_429, again in 7.0 s")
        #expect(
            counted.message
                == "the service answered with status 429 and Retry-After, for 24 hours"
        )
        #expect(RunEnd.snoozed(seconds: 1).counted(since: 86_400).told == "snoozed 1.0 s")
    }

    @Test func aResultHas64KBAtMost() async throws {
        func answer(_ bytes: Int) -> StubServer.Answer {
            .json("\"\(String(repeating: "x", count: bytes - 2))\"")
        }
        #expect(try await end(answer(64 << 10)).told.hasPrefix("completed"))
        #expect(
            try await end(answer(64 << 10 + 1)).told == "failed RESULT_TOO_LARGE, for good"
        )
    }

    // MARK: No answer

    @Test(arguments: [
        (StubServer.Answer.drop, "failed UNREACHABLE, again"),
        (.cutOff, "failed UNREACHABLE, again"), (.hang, "failed TIMEOUT, again"),
        (.hangInBody, "failed TIMEOUT, again"),
    ])
    func aServiceThatBreaksIsAskedAgain(fault: StubServer.Answer, expected: String) async throws {
        #expect(try await end(fault, timeout: 1).told == expected)
    }

    @Test func aPortWithoutAListenerIsUnreachable() async throws {
        let end = try await blocking {
            let handler = try handler("http://127.0.0.1:\(RawConnection.freePort())")
            return handler.run(Bench.task(), in: RunContext())
        }
        #expect(end.told == "failed UNREACHABLE, again" && end.message == "Connection refused")
    }

    /// Fault: a cancelled task's service works on, for the connection stays.
    @Test(arguments: [
        RunContext.StopReason.cancelled, .timedOut, .drained, .fenced,
    ])
    func aStopClosesTheConnection(reason: RunContext.StopReason) async throws {
        try await blocking {
            let stub = try StubServer { _ in .hang }
            let context = RunContext()
            startThread(name: "stop", stackBytes: 512 << 10) {
                Bench.eventually { stub.underWay == 1 }
                context.stop(for: reason)
            }
            #expect(try handler(stub.url).run(Bench.task(), in: context).told == "stopped")
            Bench.eventually { stub.underWay == 0 }
            #expect(try handler(stub.url).run(Bench.task(), in: context).told == "stopped")
        }
    }

    // MARK: Addresses

    /// Fault: a URL leads to this machine, under whatever name or form. Names are not looked at:
    /// `localhost` stands for one whose address changes after a check.
    @Test(arguments: [
        "http://127.0.0.1", "https://127.0.0.1", "http://localhost", "https://localhost",
        "http://2130706433", "http://127.1", "http://0", "https://[::1]", "http://[::]",
        "https://[::ffff:127.0.0.1]", "https://user@127.0.0.1",
    ])
    func noConnectionIsMadeToWhatIsNotListed(host: String) async throws {
        let stub = try StubServer { _ in .json("{}") }
        let port = try #require(stub.url.split(separator: ":").last)
        let end = try await blocking {
            try handler("\(host):\(port)/", listed: "127.0.0.1:1, 10.0.0.0/8, other.example")
                .run(Bench.task(), in: RunContext())
        }
        #expect(end.told == "failed ADDRESS_REFUSED, for good")
        #expect(stub.connections == 0)
    }

    @Test(arguments: ["localhost", "localhost:PORT", "127.0.0.1", "127.0.0.0/8, ::1"])
    func whatIsListedIsCalled(list: String) async throws {
        let stub = try StubServer { _ in .json("{}") }
        let port = try #require(stub.url.split(separator: ":").last)
        let list = list.replacing("PORT", with: port)
        let end = try await blocking {
            try handler("http://localhost:\(port)/", listed: list)
                .run(Bench.task(), in: RunContext())
        }
        #expect(end.told == "completed {}")
    }

    /// Fault: a public service sends the request on into the network.
    @Test func aRedirectIsNotFollowed() async throws {
        let inner = try StubServer { _ in .json("{}") }
        let end = try await end(.status(307, headers: ["location": inner.url]))
        #expect(end.told == "failed HTTP_307, for good")
        #expect(inner.connections == 0)
    }
}
