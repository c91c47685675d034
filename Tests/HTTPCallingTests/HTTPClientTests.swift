import Foundation
import HTTPCalling
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct HTTPClientTests {
    private let client = HTTPClient(connections: 8)

    private func get(
        _ url: String,
        timeout: Double = 10,
        limit: Int = 1 << 16
    ) async throws(HTTPError) -> HTTPResponse {
        let request = HTTPRequest(.get, url, timeout: .seconds(timeout), responseLimit: limit)
        return try await client.send(request)
    }

    /// Why there is no answer; nil where there is one.
    private func failure(_ url: String, timeout: Double = 10, limit: Int = 1 << 16) async
        -> HTTPError?
    {
        do throws(HTTPError) {
            _ = try await get(url, timeout: timeout, limit: limit)
            return nil
        } catch { return error }
    }

    // MARK: Requests and answers

    @Test(arguments: [0, 1, 200_000]) func aRequestArrivesAsItIs(length: Int) async throws {
        let stub = try StubServer { _ in
            .status(201, headers: ["Retry-After": "7"], body: "done")
        }
        let url = stub.url + "/a/../%2E%2e/b?c=d"
        var request = HTTPRequest(.post, url, timeout: .seconds(60), responseLimit: 100)
        request.headers = ["authorization": "Bearer k", "content-type": "text/plain"]
        request.body = Data(repeating: UInt8(ascii: "x"), count: length)
        let response = try await client.send(request)
        #expect(response.status == 201 && response.isSuccess)
        #expect(response.headers["retry-after"] == "7")
        #expect(response.body == Data("done".utf8))
        let arrived = try #require(stub.requests.first)
        #expect(arrived.method == "POST" && arrived.path == "/a/../%2E%2e/b?c=d")
        #expect(arrived.body.utf8.count == length)
        #expect(arrived.headers["content-length"] == "\(length)")
        #expect(arrived.headers["authorization"] == "Bearer k")
        #expect(arrived.headers["expect"] == nil)
    }

    @Test func aThreadMayWaitForAnAnswer() throws {
        let stub = try StubServer { .json($0.method) }
        let request = HTTPRequest(.get, stub.url, timeout: .seconds(60), responseLimit: 100)
        #expect(try client.sendAndWait(request).body == Data("GET".utf8))
    }

    /// Fault: the answer to HEAD names the length of a body that does not come, or it comes.
    @Test func headHasNoBody() async throws {
        let stub = try StubServer { _ in .status(405) }
        let request = HTTPRequest(.head, stub.url, timeout: .seconds(60), responseLimit: 100)
        for _ in 0..<2 {
            let response = try await client.send(request)
            #expect(response.status == 405 && response.body.isEmpty)
        }
    }

    /// Fault: a redirect carries the headers to where it points.
    @Test(arguments: [301, 302, 307, 308]) func aRedirectIsAnAnswer(status: Int) async throws {
        let elsewhere = try StubServer { _ in .json("{}") }
        let target = elsewhere.url
        let stub = try StubServer { _ in .status(status, headers: ["location": target]) }
        #expect(try await get(stub.url).status == status)
        #expect(elsewhere.requests.isEmpty)
    }

    /// Fault: a key that ends in a line break makes a header of its own.
    @Test(arguments: ["k\r\nx-other: 1", "k\n", "k\0"])
    func aHeaderWithALineBreakIsNotSent(value: String) async throws {
        let stub = try StubServer { _ in .json("{}") }
        var request = HTTPRequest(.get, stub.url, timeout: .seconds(60), responseLimit: 100)
        request.headers["authorization"] = value
        await #expect(throws: HTTPError.self) { try await client.send(request) }
        #expect(stub.requests.isEmpty)
    }

    /// Fault: an address that was thought to be a server's reads a file of this machine.
    @Test(arguments: ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "", "::"])
    func onlyHTTPIsSpoken(url: String) async {
        guard case .unreachable = await failure(url) else {
            Issue.record("it was asked")
            return
        }
    }

    // MARK: Limits

    /// Fault: an endless answer fills the memory.
    @Test func aSuccessThatIsTooLongIsNone() async throws {
        let stub = try StubServer { _ in .huge(1 << 20) }
        #expect(await failure(stub.url, limit: 1 << 20 - 1) == .tooLarge)
        #expect(try await get(stub.url, limit: 1 << 20).body.count == 1 << 20)
    }

    /// Fault: a long page about an error hides what the status says.
    @Test func anErrorThatIsTooLongIsCut() async throws {
        let page = String(repeating: "x", count: 1 << 20)
        let stub = try StubServer { _ in .status(503, body: page) }
        let response = try await get(stub.url, limit: 1000)
        #expect(response.status == 503 && response.body.count == 1000)
    }

    /// Fault: it says nothing, or begins and says no more.
    @Test(arguments: [StubServer.Answer.hang, .hangInBody, .after(.seconds(30), .json("{}"))])
    func theTimeIsForTheWholeAnswer(fault: StubServer.Answer) async throws {
        let stub = try StubServer { _ in fault }
        let begin = ContinuousClock.now
        #expect(await failure(stub.url, timeout: 0.3) == .timeout)
        #expect(begin.duration(to: .now) < .seconds(10))
    }

    // MARK: Connections

    @Test func aConnectionServesOneRequestAfterTheOther() async throws {
        let stub = try StubServer { _ in .json("{}") }
        for _ in 0..<5 { _ = try await get(stub.url) }
        #expect(stub.connections == 1)
        for _ in 0..<2 { #expect(await failure(stub.url, limit: 1) == .tooLarge) }
        #expect(stub.connections == 2, "the rest of an answer blocks no later one")
    }

    /// Fault: the server has closed the idle connection, and the next request fails for it.
    @Test func aConnectionThatWasClosedIsReplaced() async throws {
        let stub = try StubServer { $0.path == "/last" ? .closing("{}") : .json("{}") }
        for _ in 0..<3 {
            #expect(try await get(stub.url).isSuccess)
            #expect(try await get(stub.url + "/last").isSuccess)
        }
        #expect(stub.connections == 3)
    }

    /// Fault: requests wait for each other, or each takes a thread.
    @Test func hundredsWaitSideBySideOnOneThread() async throws {
        let stub = try StubServer { _ in .hang }
        let threads = try Self.threads
        let tasks = (0..<700).map { _ in Task { await failure(stub.url, timeout: 100) } }
        try await eventually { stub.underWay == 700 }
        #expect(try Self.threads < threads + 100)
        for task in tasks { task.cancel() }
        for task in tasks { #expect(await task.value == .cancelled) }
        try await eventually { stub.underWay == 0 }
    }

    private func eventually(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !condition(), ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try condition(), sourceLocation: sourceLocation)
    }

    /// Of the whole process: those of other suites come and go.
    private static var threads: Int {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count }
    }

    @Test func aPortWithoutAListenerIsNamed() async {
        let port = RawConnection.freePort()
        for host in ["127.0.0.1", "localhost"] {
            let failure = await failure("http://\(host):\(port)")
            guard case .unreachable(let reason) = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
            #expect(reason.code == "ECONNREFUSED" && reason.text == "Connection refused")
        }
    }

    @Test(arguments: [
        (StubServer.Answer.cutOff, "it closed the connection in the middle of its answer"),
        (.drop, "it closed the connection without an answer"),
    ])
    func aConnectionThatBreaksIsNamed(fault: StubServer.Answer, text: String) async throws {
        let stub = try StubServer { _ in fault }
        let failure = await failure(stub.url)
        guard case .unreachable(let reason) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        // How it ends depends on what has arrived by then.
        #expect(reason.code == "closed" && reason.text == text || reason.code == "ECONNRESET")
    }

    @Test func aNameWithoutAnAddressIsNamed() async {
        let failure = await failure("http://amity.invalid/", timeout: 60)
        guard case .unreachable(let reason) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(reason.code == "no-address" && !reason.text.contains("invalid"))
    }

    // MARK: Addresses

    /// Fault: an address is checked, and the connection goes to another one.
    @Test(arguments: ["127.0.0.1", "localhost"])
    func aConnectionGoesWhereItIsAdmitted(host: String) async throws {
        let stub = try StubServer { _ in .json("{}") }
        let url = stub.url.replacing("127.0.0.1", with: host)
        var request = HTTPRequest(.get, url, timeout: .seconds(60), responseLimit: 100)
        request.admits = { _ in false }
        await #expect(throws: HTTPError.unreachable(.addressRefused)) {
            try await client.send(request)
        }
        #expect(stub.connections == 0)
        request.admits = { $0 == IPAddress("127.0.0.1") }
        #expect(try await client.send(request).isSuccess)
        #expect(stub.connections == 1)
    }

    // MARK: Giving up

    /// Fault: a thread that waits cannot be told that its answer is not wanted any more.
    @Test func aThreadThatWaitsMayBeToldToGiveUp() async throws {
        let stub = try StubServer { _ in .hang }
        let request = HTTPRequest(.get, stub.url, timeout: .seconds(100), responseLimit: 100)
        await blocking {
            for isEarly in [true, false] {
                #expect(throws: HTTPError.cancelled) {
                    try client.sendAndWait(request) { cancel in
                        if isEarly { return cancel() }
                        DispatchQueue.global().async {
                            while stub.underWay == 0 { usleep(1000) }
                            cancel()
                        }
                    }
                }
            }
        }
        try await eventually { stub.underWay == 0 }
    }

    @Test func aCancelledTaskEndsItsRequest() async throws {
        let stub = try StubServer { _ in .hang }
        let task = Task { await failure(stub.url, timeout: 100) }
        try await eventually { stub.underWay == 1 }
        task.cancel()
        #expect(await task.value == .cancelled)
        try await eventually { stub.underWay == 0 }
    }

    /// Fault: a cancellation that comes before the request leaves it running.
    @Test func aTaskMayBeCancelledAtAnyTime() async throws {
        let stub = try StubServer { _ in .hang }
        for round in 0..<300 {
            let task = Task { await failure(stub.url, timeout: 100) }
            for _ in 0..<round % 7 { await Task.yield() }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    @Test func aStopEndsAllRequestsAndThoseToCome() async throws {
        let stub = try StubServer { _ in .hang }
        let tasks = (0..<20).map { _ in Task { await failure(stub.url, timeout: 100) } }
        try await eventually { stub.underWay == 20 }
        client.stop()
        for task in tasks { #expect(await task.value == .cancelled) }
        #expect(await failure(stub.url) == .cancelled)
        let request = HTTPRequest(.get, stub.url, timeout: .seconds(60), responseLimit: 1)
        #expect(throws: HTTPError.cancelled) { try client.sendAndWait(request) }
        client.stop()
    }

    /// Fault: each client leaves a thread and its connections behind.
    @Test func aClientThatIsNotUsedAnyMoreEnds() async throws {
        let stub = try StubServer { _ in .json("{}") }
        let threads = try Self.threads
        for _ in 0..<300 {
            let request = HTTPRequest(.get, stub.url, timeout: .seconds(60), responseLimit: 9)
            _ = try await HTTPClient(connections: 1).send(request)
        }
        try await eventually { try Self.threads < threads + 100 }
    }
}
