import Foundation
import HTTPCalling
import JSON
import TaskRunning

/// Asks a service with OpenAI's interface for the vectors of texts.
package struct Embeddings: Sendable {
    enum Failure: Error, Equatable {
        /// The run is to stop.
        case stopped
        case noAnswer(HTTPError)
        case status(Int, after: Double?)
        /// An answer that is not one vector for each text.
        case malformed
    }

    private let url: String
    private let model: String
    private let key: String?
    private let client = HTTPClient(connections: 4)

    /// Texts of one request. Chosen: services take hundreds, and a stop waits for one answer less.
    static let batch = 64
    private static let patience = Duration.seconds(60)

    /// - Parameters:
    ///   - baseURL: that of the service's interface, often with `/v1` at its end.
    ///   - key: nil for a service that wants none.
    package init(baseURL: String, model: String, key: String?) {
        url = (baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL) + "/embeddings"
        self.model = model
        self.key = key
    }

    private struct Question: Encodable {
        var model: String
        var input: [String]
    }

    private struct Answer: Decodable {
        struct Entry: Decodable {
            var index: Int
            var embedding: [Float]
        }
        var data: [Entry]
    }

    /// Blocks the calling thread.
    ///
    /// - Returns: a vector for each text.
    func vectors(
        of texts: [String],
        in context: RunContext
    ) throws(Failure) -> [[Float]] {
        var request = HTTPRequest(
            .post,
            url,
            headers: ["content-type": "application/json", "user-agent": "amity"],
            timeout: Self.patience,
            responseLimit: 16 << 20
        )
        if let key { request.headers["authorization"] = "Bearer \(key)" }
        let question = Question(model: model, input: texts)
        request.body = Data(JSONEncoder.stored.certainText(question).utf8)
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try client.sendAndWait(request) { cancel in
                context.onStop { _ in cancel() }
            }
        } catch {
            throw error == .cancelled ? .stopped : .noAnswer(error)
        }
        guard response.isSuccess else {
            let pause = response.headers["retry-after"]
                .flatMap { RetryAfter.delay($0, at: Date()) }
            throw .status(response.status, after: pause.map { $0 / .seconds(1) })
        }
        return try Self.vectors(response.body, count: texts.count)
    }

    private static func vectors(_ body: Data, count: Int) throws(Failure) -> [[Float]] {
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(Answer.self, from: body)
        } catch {
            throw .malformed
        }
        let entries = answer.data.sorted { $0.index < $1.index }
        guard entries.map(\.index) == Array(0..<count),
            entries.allSatisfy({ !$0.embedding.isEmpty && $0.embedding.allSatisfy(\.isFinite) })
        else { throw .malformed }
        return entries.map(\.embedding)
    }
}
