import Foundation
import HTTPCalling
import WorkerHealth

/// Asks each service once whether it is there and lets Amity in. Sends no user's data, and costs
/// nothing: the model is asked for its list of models, the memory service for the head of an
/// answer.
package struct ServiceProbe: Sendable {
    /// What came of asking one.
    package struct Snapshot: Sendable {
        package var service: Service
        /// nil where it answers.
        package var problem: LinkHealth.Problem?
        /// Names of its models; nil where it has no list of them.
        package var models: [String]?

        package init(
            _ service: Service,
            problem: LinkHealth.Problem? = nil,
            models: [String]? = nil
        ) {
            self.service = service
            self.problem = problem
            self.models = models
        }
    }

    private struct Models: Decodable {
        struct Model: Decodable { var id: String }
        var data: [Model]
    }

    private static let patience: Duration = .seconds(5)

    private let chat: ServiceSettings
    private let memory: ServiceSettings?
    private let exchange = HTTPExchange(connections: 1)

    package init(chat: ServiceSettings, memory: ServiceSettings?) {
        self.chat = chat
        self.memory = memory
    }

    /// For some seconds at most.
    package func look() async -> [Snapshot] {
        async let model = lookAtChat()
        async let memories = lookAtMemory()
        return await [model, memories].compactMap(\.self)
    }

    private func lookAtChat() async -> Snapshot? {
        let base = chat.url.hasSuffix(Self.chatPath) ? chat.url.dropLast(Self.chatPath.count) : ""
        do throws(ServiceError) {
            let answer = try await ask(.get, base + "/models", key: chat.key)
            // Not every server has a list of models; every server that has one checks the key.
            if [404, 405].contains(answer.status) { return Snapshot(.chatModel) }
            guard answer.isSuccess else { throw .status(answer.status) }
            let models: Models = try decoded(answer.body, orElse: .malformed)
            return Snapshot(.chatModel, models: models.data.map(\.id))
        } catch {
            return Snapshot(
                .chatModel,
                problem: error.problem(of: .chatModel, within: Self.patience)
            )
        }
    }

    private func lookAtMemory() async -> Snapshot? {
        guard let memory else { return nil }
        do throws(ServiceError) {
            let answer = try await ask(.head, memory.url, key: memory.key)
            // It takes POST only, and says so: then it is there.
            let isThere = ![401, 403, 404, 429].contains(answer.status) && answer.status < 500
            guard isThere || answer.status == 501 else { throw .status(answer.status) }
            return Snapshot(.memoryService)
        } catch {
            let problem = error.problem(of: .memoryService, within: Self.patience)
            return Snapshot(.memoryService, problem: problem)
        }
    }

    private static let chatPath = "/chat/completions"

    private func ask(
        _ method: HTTPRequest.Method,
        _ url: some StringProtocol,
        key: String?
    ) async throws(ServiceError) -> HTTPResponse {
        let limit = ContinuousClock.now + Self.patience
        return try await exchange.send(method, nil, to: "\(url)", key: key, by: limit)
    }
}
