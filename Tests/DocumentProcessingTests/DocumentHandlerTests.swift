import Concurrency
import Foundation
import TestSupport
import Testing

@testable import Documents
@testable import TaskRunning
@testable import Tasks

@Suite(.timeLimit(.minutes(2))) final class DocumentHandlerTests: Sendable {
    /// Has a folder `documents`, and a file beside it.
    private let folder = NSTemporaryDirectory() + "amity-documents-\(UUID().uuidString)"
    private var root: String { folder + "/documents" }

    init() throws {
        let files = FileManager.default
        try files.createDirectory(atPath: root + "/sub", withIntermediateDirectories: true)
        try write("secret", to: "../secret.txt")
        try write("# One\n\nTwo *three*. Four.", to: "sub/a.md")
        try files.createSymbolicLink(atPath: root + "/link.txt", withDestinationPath: "sub/a.md")
        try files.createSymbolicLink(atPath: root + "/out", withDestinationPath: "..")
        mkfifo(root + "/pipe.txt", 0o600)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(root)/\(path)"))
    }

    private func run(
        _ payload: String,
        _ context: RunContext = RunContext(),
        embeddings: Embeddings? = nil
    ) -> RunEnd {
        let task = ClaimedTask(
            id: TaskID(firstAt: 0),
            type: DocumentHandler.type,
            pool: "default",
            priority: .normal,
            kbID: "kb",
            run: 1,
            attempt: 1,
            maxAttempts: 1,
            isSuspect: false,
            payload: payload,
            timeout: 60
        )
        return DocumentHandler(root: DocumentRoot(root + "/"), embeddings: embeddings)
            .run(task, in: context)
    }

    /// Its code, or `stopped`; nil where it is done.
    private func failure(_ end: RunEnd) -> String? {
        switch end {
        case .failed(let code, _, let retries, let after):
            "\(code) \(retries ? "again" : "for good")\(after.map { " \($0)" } ?? "")"
        case .stopped: "stopped"
        case .completed, .handedOver, .snoozed, .putOff: nil
        }
    }

    @Test func aDocumentIsCutAndStored() throws {
        let context = RunContext()
        let payload = #"{"file_path": "sub/a.md", "chunk_size": 100, "chunk_overlap": 0}"#
        guard case .completed(let result, let effects) = run(payload, context) else {
            Issue.record("it failed")
            return
        }
        #expect(
            result == #"{"file_path":"sub/a.md","format":"markdown","characters":21,"#
                + #""chunks":1,"embedded":false}"#
        )
        #expect(effects.map(\.0.name) == ["store_document", "clear_document", "add_chunks"])
        #expect(context.takeProgress() == .init(percent: 95, note: "store"))
    }

    @Test func aPathMayBeGivenAsAWhole() throws {
        guard case .completed(let result?, _) = run(#"{"file_path": "\#(root)/sub/a.md"}"#) else {
            Issue.record("it failed")
            return
        }
        #expect(result.contains(#""file_path":"sub/a.md""#))
    }

    /// Fault: a path leads to any file that the worker may read.
    @Test(arguments: [
        ("../secret.txt", "FILE_REFUSED"), ("sub/../../secret.txt", "FILE_REFUSED"),
        ("/etc/hosts.txt", "FILE_REFUSED"), ("out/secret.txt", "FILE_REFUSED"),
        ("link.txt", "FILE_REFUSED"), ("pipe.txt", "FILE_REFUSED"), ("none.txt", "FILE_NOT_FOUND"),
        ("sub/a.md/b.txt", "FILE_NOT_FOUND"), ("sub/a.docx", "UNSUPPORTED_FORMAT"),
        ("sub", "UNSUPPORTED_FORMAT"),
    ])
    func aPathLeadsToADocumentOrNowhere(path: String, code: String) {
        #expect(failure(run(#"{"file_path": "\#(path)"}"#)) == "\(code) for good")
    }

    @Test(arguments: [
        "null", "[]", "{}", #"{"file_path": ""}"#, #"{"file_path": 1}"#,
        #"{"file_path": "a\u0000.txt"}"#, #"{"file_path": "sub/a.md", "chunk_size": 99}"#,
        #"{"file_path": "sub/a.md", "chunk_size": 10001}"#,
        #"{"file_path": "sub/a.md", "chunk_size": 100, "chunk_overlap": 51}"#,
        #"{"file_path": "sub/a.md", "chunk_overlap": -1}"#,
    ])
    func aPayloadIsChecked(payload: String) {
        #expect(failure(run(payload)) == "INVALID_PAYLOAD for good")
    }

    @Test func aFileThatIsNoTextIsNamed() throws {
        let url = URL(fileURLWithPath: "\(root)/bad.txt")
        try Data([0x66, 0xFC, 0x6E]).write(to: url)
        #expect(failure(run(#"{"file_path": "bad.txt"}"#)) == "CONVERSION_FAILED for good")
    }

    @Test func aStoppedRunEnds() {
        let context = RunContext()
        context.stop(for: .cancelled)
        #expect(failure(run(#"{"file_path": "sub/a.md"}"#, context)) == "stopped")
    }

    // MARK: Embeddings

    private static func answer(_ request: StubServer.Request) -> StubServer.Answer {
        struct Question: Decodable {
            var model: String
            var input: [String]
        }
        let body = Data(request.body.utf8)
        guard let question = try? JSONDecoder().decode(Question.self, from: body),
            question.model == "m", request.path == "/v1/embeddings",
            request.headers["authorization"] == "Bearer k"
        else { return .status(400) }
        // Not in order, as a service may answer.
        let entries = question.input.indices.reversed().map { index in
            #"{"index": \#(index), "embedding": [\#(question.input[index].count), 0.5]}"#
        }
        return .json(#"{"data": [\#(entries.joined(separator: ","))]}"#)
    }

    private func embeddings(_ stub: StubServer) -> Embeddings {
        Embeddings(baseURL: stub.url + "/v1/", model: "m", key: "k")
    }

    @Test func everyChunkHasItsVector() async throws {
        let stub = try StubServer(Self.answer)
        let text = (0..<700).map { "Sentence \($0) is not long, but it is one." }
        try write(text.joined(separator: " "), to: "long.txt")
        let payload = #"{"file_path": "long.txt", "chunk_size": 100, "chunk_overlap": 0}"#
        let end = await blocking { self.run(payload, embeddings: self.embeddings(stub)) }
        guard case .completed(let result?, let effects) = end else {
            Issue.record("\(failure(end) ?? "")")
            return
        }
        #expect(result.contains(#""chunks":350,"embedded":true"#))
        #expect(stub.requests.count == 6)
        guard case .textArray(let vectors)? = effects.last?.1.last,
            case .textArray(let texts)? = effects.last?.1[4]
        else {
            Issue.record("no vectors")
            return
        }
        let expected = texts.map { $0.map { "{\(Float($0.count)),0.5}" } }
        #expect(vectors == expected)
    }

    @Test(arguments: [
        (StubServer.Answer.status(503), "EMBEDDINGS_FAILED again"),
        (.status(429, headers: ["retry-after": "7"]), "EMBEDDINGS_FAILED again 7.0"),
        (.status(401), "EMBEDDINGS_FAILED for good"), (.drop, "EMBEDDINGS_FAILED again"),
        (.json("{}"), "EMBEDDINGS_FAILED for good"),
        (.json(#"{"data": []}"#), "EMBEDDINGS_FAILED for good"),
        (.json(#"{"data": [{"index": 0, "embedding": []}]}"#), "EMBEDDINGS_FAILED for good"),
    ])
    func aServiceThatFailsIsNamed(answer: StubServer.Answer, expected: String) async throws {
        let stub = try StubServer { _ in answer }
        let end = await blocking {
            self.run(#"{"file_path": "sub/a.md"}"#, embeddings: self.embeddings(stub))
        }
        #expect(failure(end) == expected)
    }

    @Test func aStopEndsAWaitForTheService() async throws {
        let stub = try StubServer { _ in .hang }
        let context = RunContext()
        startThread(name: "stop", stackBytes: 512 << 10) {
            while stub.underWay == 0 { usleep(1000) }
            context.stop(for: .drained)
        }
        let end = await blocking {
            self.run(#"{"file_path": "sub/a.md"}"#, context, embeddings: self.embeddings(stub))
        }
        #expect(failure(end) == "stopped")
    }
}
