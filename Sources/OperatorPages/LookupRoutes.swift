import Foundation
import HTTPServing
import Hummingbird
import Operations

/// Routes about one conversation, one user, and the worker that answers.
struct LookupRoutes {
    let operatorService: any OperatorService
    let limit: LookupLimit

    func add(to api: RouterGroup<BasicRequestContext>) {
        api.get("conversations/:id/explanation") { [operatorService] _, context in
            let id = try Self.id(in: context)
            return try await lookUp { () throws(OperatorServiceError) in
                try operatorService.explanation(of: id)
            }
        }
        api.get("users/:id/dead-letters") { [operatorService] _, context in
            let id = try Self.id(in: context)
            return try await lookUp { () throws(OperatorServiceError) in
                ["letters": try operatorService.deadLetters(ofUser: id)]
            }
        }
        api.get("worker") { [operatorService] _, _ in
            try await Self.answer { () throws(OperatorServiceError) in
                try operatorService.servingWorker()
            }
        }
        for (verb, isOn) in [("pause", false), ("resume", true)] {
            api.post("worker/\(verb)") { [operatorService] _, _ in
                try await Self.answer { () throws(OperatorServiceError) in
                    try operatorService.setConsumption(isOn: isOn)
                }
            }
        }
    }

    private static func id(in context: BasicRequestContext) throws -> String {
        guard let id = context.part("id") else {
            throw HTTPError(.badRequest, message: "the id is not percent-encoded UTF-8")
        }
        return id
    }

    private func lookUp<Answer: Encodable & Sendable>(
        _ ask: @escaping @Sendable () throws(OperatorServiceError) -> Answer
    ) async throws -> Response {
        try await limit.run { try await Self.answer(ask) }
    }

    private static func answer<Answer: Encodable & Sendable>(
        _ ask: @escaping @Sendable () throws(OperatorServiceError) -> Answer
    ) async throws -> Response {
        switch await onOperatorThread({ Result(catching: ask) }) {
        case .success(let answer): Response.json(answer)
        case .failure(let error): throw HTTPError(.serviceUnavailable, message: "\(error)")
        }
    }
}
