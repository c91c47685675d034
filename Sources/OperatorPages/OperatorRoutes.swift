import Conversations
import DeadLetters
import FlowOperations
import Foundation
import HTTPServing
import Hummingbird
import Operations

/// What the dashboard shows and does, for programs as well.
struct OperatorRoutes {
    /// Chosen: how old figures may be that are a few seconds old when they are written down.
    private static let statsLifetime: Duration = .seconds(2)
    /// A look holds the dead letters for a moment, so that others see none.
    private static let deadLettersLifetime: Duration = .seconds(5)
    /// Bytes. Chosen: a thousand ids, and room.
    private static let largestOrder = 128 << 10

    private let operatorService: any OperatorService
    private let flowService: any FlowOperatorService
    private let access: AccessControl
    private let deadLetters: CachedResponse

    init(
        _ operatorService: any OperatorService,
        _ flowService: any FlowOperatorService,
        _ access: AccessControl
    ) {
        (self.operatorService, self.flowService) = (operatorService, flowService)
        self.access = access
        deadLetters = Self.cached(Self.deadLettersLifetime, operatorService.deadLetters)
    }

    func add(to router: Router<BasicRequestContext>) {
        let api = router.group("api/v1")
        let lifetime = Self.statsLifetime
        show(
            Self.cached(lifetime, named: "workers", operatorService.workers),
            at: "stats/workers",
            of: api
        )
        show(
            Self.cached(lifetime, named: "queues", operatorService.queues),
            at: "stats/queues",
            of: api
        )
        show(Self.cached(lifetime, operatorService.history), at: "stats/history", of: api)
        show(deadLetters, at: "dead-letters", of: api)
        let limit = LookupLimit()
        LookupRoutes(operatorService: operatorService, limit: limit).add(to: api)
        TaskPageRoutes(operatorService, limit: limit).add(to: api)
        FlowRoutes(flowService, limit: limit).add(to: api)
        EventRoutes(flowService: flowService, access: access).add(to: api)
        api.post("dead-letters/retry") { request, _ in
            try await deal(request, operatorService.retry) {
                ActionResponse(retried: $0, purged: nil, $1, $2)
            }
        }
        api.post("dead-letters/purge") { request, _ in
            try await deal(request, operatorService.purge) {
                ActionResponse(retried: nil, purged: $0, $1, $2)
            }
        }
    }

    // MARK: What is known

    private func show(
        _ cached: CachedResponse,
        at path: RouterPath,
        of api: RouterGroup<BasicRequestContext>
    ) {
        api.get(path) { _, _ in try await cached.response() }
    }

    /// - Parameter name: of the one member of an object around the answer, so that others may join
    ///   it.
    private static func cached<Answer: Encodable>(
        _ lifetime: Duration,
        named name: String? = nil,
        _ ask: @escaping @Sendable () throws(OperatorServiceError) -> Answer
    ) -> CachedResponse {
        CachedResponse(lifetime: lifetime) {
            Result { () throws(OperatorServiceError) in
                let answer = try ask()
                return name.map { .json([$0: answer]) } ?? .json(answer)
            }
        }
    }

    // MARK: What is done

    /// What has become of an order.
    private struct ActionResponse: Encodable {
        struct Failure: Encodable {
            var message: String
        }

        var retried: Int?
        var purged: Int?
        var isComplete: Bool
        var error: Failure?

        init(retried: Int?, purged: Int?, _ isComplete: Bool, _ failure: String?) {
            self.retried = retried
            self.purged = purged
            self.isComplete = isComplete
            error = failure.map(Failure.init)
        }
    }

    private func deal(
        _ request: Request,
        _ order:
            @escaping @Sendable (DeadLetterSelection) throws(OperatorServiceError) ->
            DeadLetterActionResult,
        _ actionResponse: (Int, Bool, String?) -> ActionResponse
    ) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.largestOrder)
        let wanted = try DeadLetterSelection(json: Data(body.readableBytesView))
        let result = await onOperatorThread {
            Result { () throws(OperatorServiceError) in try order(wanted) }
        }
        await deadLetters.forget()
        switch result {
        case .success(let result):
            return Response.json(actionResponse(result.count, result.isComplete, nil))
        case .failure(.unfinished(let reason, let done)):
            return Response.json(actionResponse(done, false, reason), .conflict)
        case .failure(let error): throw HTTPError(.serviceUnavailable, message: "\(error)")
        }
    }
}

extension DeadLetterSelection {
    private struct Form: Decodable {
        var code: String?
        var conversation: String?
        var ids: [String]?
        var all: Bool?
        var limit: Int?

        static let members: Set = ["code", "conversation", "ids", "all", "limit"]
    }

    private struct Anything: Decodable {
        init(from decoder: any Decoder) {}
    }

    /// - Throws: `HTTPError` to who asks for nothing, or for what is not understood: a slip of the
    ///   pen must not become more dead letters than were meant.
    fileprivate init(json: Data) throws(HTTPError) {
        let form: Form
        let members: Set<String>
        do {
            form = try JSONDecoder().decode(Form.self, from: json)
            members = Set(try JSONDecoder().decode([String: Anything].self, from: json).keys)
        } catch {
            throw Self.refusal("a JSON object with code, conversation, ids or all is needed")
        }
        if let unknown = members.subtracting(Form.members).min() {
            throw Self.refusal(
                "unknown member '\(unknown)'; use code, conversation, ids, all, limit"
            )
        }
        let limit = form.limit ?? Self.most
        guard (1...Self.most).contains(limit),
            form.ids.map({ (1...Self.most).contains($0.count) }) ?? true
        else { throw Self.refusal("limit takes 1 to \(Self.most), ids as many texts") }
        var filter = DeadLetterFilter()
        filter.code = form.code
        filter.ids = Set(form.ids ?? [])
        filter.conversationIDs = Set(form.conversation.map { [ExactText($0)] } ?? [])
        guard filter.isEmpty == (form.all ?? false) else {
            throw Self.refusal("say which: by code, conversation or ids, or else all: true")
        }
        self.init(filter, limit: limit)
    }

    private static func refusal(_ message: String) -> HTTPError {
        HTTPError(.badRequest, message: message)
    }
}
