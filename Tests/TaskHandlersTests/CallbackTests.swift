import Foundation
import TestSupport
import Testing

@testable import HTTPCalling
@testable import TaskHandlers
@testable import TaskRunning
@testable import Tasks

struct CallbackAnswerTests {
    private func end(
        _ status: Int,
        _ headers: [String: String] = [:],
        after attempt: Int = 1
    ) -> RunEnd {
        let response = HTTPResponse(status: status, headers: headers, body: Data("canary".utf8))
        let now = Date(timeIntervalSince1970: 1_767_261_600)
        return CallbackHandler.end(with: .success(response), after: attempt, at: now)
    }

    private func pause(_ end: RunEnd) throws -> Double {
        guard case .failed(_, _, true, let seconds?) = end else {
            Issue.record("\(end.told)")
            return 0
        }
        return seconds
    }

    @Test(arguments: [200, 201, 202, 204, 299]) func aSuccessEndsIt(status: Int) {
        #expect(end(status).told == "completed {\"status\":\(status)}")
    }

    /// Fault: a receiver that says that it is gone is called for a day.
    @Test func goneIsForGood() {
        #expect(end(410).told == "failed CALLBACK_DISABLED, for good")
    }

    @Test(arguments: [100, 301, 307, 400, 401, 404, 408, 409, 429, 500, 503])
    func allElseIsTriedAgain(status: Int) throws {
        let end = end(status)
        #expect(try (4...6).contains(pause(end)))
        #expect(end.message == "the receiver answered with status \(status)")
    }

    /// Fault: a receiver that is down for a night is given up, or is called all night.
    @Test func theTriesSpanADay() throws {
        let pauses = try (1...10).map { try pause(end(500, after: $0)) }
        #expect((0.8 * 86_000...1.2 * 86_400).contains(pauses.reduce(0, +)))
        #expect(zip(pauses, pauses.dropFirst()).dropLast().allSatisfy { $0 < $1 })
        #expect(TaskCallback.pauses.count == 10)
    }

    @Test(arguments: [
        ("3600", 3_600.0), ("1", 4.0), ("99999999", 28_800.0), ("soon", 4.0),
        ("Thu, 01 Jan 2026 10:30:00 GMT", 1_800.0),
    ])
    func retryAfterCounts(header: String, least: Double) throws {
        let seconds = try pause(end(503, ["retry-after": header]))
        #expect(seconds >= least && seconds <= max(least, 6))
    }

    @Test func whatMayNotBeCalledIsForGood() {
        func end(_ error: HTTPError) -> RunEnd {
            CallbackHandler.end(with: .failure(error), after: 1, at: Date())
        }
        #expect(
            end(.unreachable(.addressRefused)).told == "failed ADDRESS_REFUSED, for good"
        )
        #expect(end(.cancelled).told == "stopped")
        // A success, however much the receiver says with it.
        #expect(end(.tooLarge).told == "completed without a result")
        #expect(end(.timeout).told.hasPrefix("failed TIMEOUT, again in"))
    }

    // MARK: The request

    @Test func theEventIsSentAsItIsStored() throws {
        let event = #"{"id": "a.1.end", "data": {"x": 1.50, "y": "\u00e9"}}"#
        let payload =
            #"{"url": "https://a.example/h?k=1#f", "host": "a.example:443", "#
            + #""event": \#(event), "secret": null}"#
        let request = try #require(CallbackRequest(payload))
        #expect(String(decoding: request.event, as: UTF8.self) == event)
        #expect(request.eventID == "a.1.end" && request.secret == nil)
        #expect(request.shownURL == "https://a.example/h" && request.urlID.count == 16)
    }

    @Test(arguments: ["", "{}", "[]", #"{"url":"https://a"}"#, #"{"url":"","event":{"id":"a"}}"#])
    func isNoCallback(payload: String) {
        #expect(CallbackRequest(payload) == nil)
    }

    /// Fault: while a secret is changed, receivers with one of both refuse what is sent.
    @Test func aSecretThatIsChangedSignsTwice() throws {
        let (one, other) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b3RoZXIgc2VjcmV0")
        func sign(_ text: String) throws -> String {
            try #require(WebhookSecret(text)).signature(id: "a", timestamp: 1, body: Data())
        }
        #expect(try sign("\(one) \(other)") == "\(sign(one)) \(sign(other))")
        #expect(try sign("\(one),\(other)") == "\(sign(one)) \(sign(other))")
        #expect(WebhookSecret("\(one) \(other) \(one)") == nil)
        #expect(WebhookSecret("\(one) x") == nil)
    }

    @Test(arguments: [
        ("TASK_SECRET_CALLBACK", true), ("TASK_SECRET_CALLBACK_A1", true),
        ("TASK_SECRET_RESIZE", false), ("TASK_SECRET_CALLBACK-A", false), ("PATH", false),
    ])
    func namesOfSecrets(name: String, isOne: Bool) {
        #expect(TaskCallback.isSecretName(name) == isOne)
    }

    // MARK: URLs that are taken

    /// Fault: a request is taken whose callback can only be refused.
    @Test(arguments: [
        ("https://a.example/", "", true), ("http://a.example/", "", false),
        ("https://1.1.1.1/", "", true), ("https://127.0.0.1/", "", false),
        ("https://2130706433/", "", false), ("https://0x7f000001/", "", false),
        ("https://0177.0.0.1/", "", false), ("https://017700000001/", "", false),
        ("https://127.1/", "", false), ("https://[::1]/", "", false),
        ("https://[::ffff:127.0.0.1]/", "", false), ("https://[64:ff9b::7f00:1]/", "", false),
        ("https://[2002:7f00:1::]/", "", false), ("https://[fe80::1%25eth0]/", "", false),
        ("https://[2606:4700::1111]/", "", true), ("https://169.254.169.254/latest", "", false),
        ("http://a.example/", "a.example", true), ("http://a.example/", "a.example:81", false),
        ("http://a.example/", "10.0.0.0/8", true), ("http://10.1.1.1/", "10.0.0.0/8", true),
        ("http://11.1.1.1/", "10.0.0.0/8", false), ("https://10.1.1.1/", "10.0.0.0/8", true),
    ])
    func mayBeCalled(url: String, list: String, isAdmitted: Bool) throws {
        let target = HTTPTarget(url)
        let targets = try TargetHosts(list)
        #expect((target.map(targets.mayAdmit) ?? false) == isAdmitted)
    }

    /// Fault: an address is checked once, and the name leads elsewhere at the next connection.
    @Test func eachConnectionIsAskedFor() async throws {
        try await blocking {
            let stub = try StubServer { _ in .closing("{}") }
            let client = HTTPClient(connections: 4)
            for isAdmitted in [true, false, true] {
                var request = HTTPRequest(
                    .post,
                    stub.url.replacing("127.0.0.1", with: "localhost"),
                    timeout: .seconds(10),
                    responseLimit: 100
                )
                request.admits = { _ in isAdmitted }
                let arrived = stub.requests.count
                do throws(HTTPError) {
                    _ = try client.sendAndWait(request)
                    #expect(isAdmitted)
                } catch {
                    #expect(error == .unreachable(.addressRefused) && !isAdmitted)
                }
                #expect(stub.requests.count == arrived + (isAdmitted ? 1 : 0))
            }
        }
    }
}
