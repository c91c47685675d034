import Amity
import Foundation
import Hummingbird

/// Routes about one conversation, one user, and the worker that answers.
struct LookupRoutes {
    let desk: any OperatorDesk

    func add(to api: RouterGroup<BasicRequestContext>) {
        api.get("conversations/:id/explanation") { [desk] _, context in
            let id = try Self.id(in: context)
            return try await Self.answer { () throws(OperatorDeskError) in
                try desk.explanation(of: id)
            }
        }
        api.get("users/:id/dead-letters") { [desk] _, context in
            let id = try Self.id(in: context)
            return try await Self.answer { () throws(OperatorDeskError) in
                ["letters": try desk.deadLetters(ofUser: id)]
            }
        }
        api.get("worker") { [desk] _, _ in
            try await Self.answer { () throws(OperatorDeskError) in try desk.servingWorker() }
        }
        for (verb, isOn) in [("pause", false), ("resume", true)] {
            api.post("worker/\(verb)") { [desk] _, _ in
                try await Self.answer { () throws(OperatorDeskError) in
                    try desk.setIntake(isOn: isOn)
                }
            }
        }
    }

    /// The router leaves parameters as they came, percent-encoded.
    private static func id(in context: BasicRequestContext) throws -> String {
        guard let id = try context.parameters.require("id").removingPercentEncoding,
            // The database's texts end there: it would find another id.
            !id.utf8.contains(0)
        else { throw HTTPError(.badRequest, message: "the id is not percent-encoded UTF-8") }
        return id
    }

    private static func answer<Answer: Encodable & Sendable>(
        _ ask: @escaping @Sendable () throws(OperatorDeskError) -> Answer
    ) async throws -> Response {
        switch await onThread({ Result(catching: ask) }) {
        case .success(let answer): Routes.answer(.ok, answer)
        case .failure(let error): throw HTTPError(.serviceUnavailable, message: "\(error)")
        }
    }
}
