import WorkerHealth

/// One of the two services, and the settings that are about it.
package enum Service: Sendable {
    case chatModel, memoryService

    package var link: LinkHealth.Link {
        switch self {
        case .chatModel: .chatModel
        case .memoryService: .memoryService
        }
    }

    /// In logs.
    var name: String {
        switch self {
        case .chatModel: "llm"
        case .memoryService: "memory-service"
        }
    }

    /// For people.
    package var title: String {
        switch self {
        case .chatModel: "the chat model"
        case .memoryService: "the memory service"
        }
    }

    /// The setting of its address.
    package var address: String {
        switch self {
        case .chatModel: "LLM_BASE_URL"
        case .memoryService: "MEMORY_API_URL"
        }
    }

    /// What the names of its other settings begin with.
    fileprivate var prefix: String {
        switch self {
        case .chatModel: "LLM"
        case .memoryService: "MEMORY_API"
        }
    }
}

extension ServiceError {
    /// As the worker's health has it; nil for what says nothing about the service.
    ///
    /// - Parameter limit: the time that an answer had.
    func problem(of service: Service, within limit: Duration) -> LinkHealth.Problem? {
        guard let (kind, code, text, remedy) = judgement(of: service, within: limit) else {
            return nil
        }
        return .init(
            link: service.link,
            kind: kind,
            code: code,
            text: "\(service.title) \(text)",
            remedy: remedy
        )
    }

    private typealias Judgement = (
        kind: LinkHealth.Kind, code: String, text: String, remedy: String?
    )

    private func judgement(of service: Service, within limit: Duration) -> Judgement? {
        switch self {
        case .timeout:
            let seconds = (limit / .seconds(1)).formatted(.number.precision(.fractionLength(0...1)))
            return (
                .away, code, "gave no complete answer within \(seconds) s",
                """
                raise \(service.prefix)_TIMEOUT_SECONDS, or lower \
                \(service.prefix)_CONCURRENCY_MAX
                """
            )
        case .unreachable(let failure):
            return (
                .away, failure.code, "cannot be reached: \(failure.text)",
                "check \(service.address), and that it runs"
            )
        case .status(let status): return Self.judgement(of: status, from: service)
        case .tooLarge, .malformed:
            return (
                .badAnswer, code, "answered with what is not in the form of its interface",
                "check \(service.address)"
            )
        case .unusable:
            return (
                .badAnswer, code, "answered without a number that can be used",
                service == .chatModel ? "check LLM_MODEL: a larger model may do" : nil
            )
        case .circuitOpen, .cancelled: return nil
        }
    }

    private static func judgement(of status: Int, from service: Service) -> Judgement {
        let code = "\(status)"
        switch (status, service) {
        case (401, .chatModel), (403, .chatModel):
            return (.refused, code, "refuses the key (HTTP \(status))", "check LLM_API_KEY")
        case (401, .memoryService), (403, .memoryService):
            return (
                .refused, code, "refuses Amity (HTTP \(status))",
                "check MEMORY_API_URL: Amity sends it no key"
            )
        case (404, _):
            let model = service == .chatModel ? " and LLM_MODEL" : ""
            return (
                .missing, code, "knows no such path\(model.isEmpty ? "" : " or model") (HTTP 404)",
                "check \(service.address)\(model)"
            )
        case (429, _):
            return (
                .refused, code, "limits the requests (HTTP 429)",
                "lower \(service.prefix)_REQUESTS_PER_SECOND, or raise its limit"
            )
        case (300..<400, _):
            return (
                .refused, code, "sends elsewhere (HTTP \(status)), which is not followed",
                "set \(service.address) to where it is"
            )
        case (500..., _):
            return (.away, code, "fails (HTTP \(status))", nil)
        case _:
            let model = service == .chatModel ? "check LLM_MODEL" : nil
            return (.notTaken, code, "refuses the requests (HTTP \(status))", model)
        }
    }
}
