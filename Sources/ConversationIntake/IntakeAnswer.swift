import JSON

/// What a request is answered with: a status and JSON.
package struct IntakeAnswer: Sendable, Equatable {
    package var status: Int
    package var body: [UInt8]
    /// Seconds for a Retry-After header; nil for none.
    package var retryAfter: Int?

    private init(_ status: Int, _ body: String, retryAfter: Int? = nil) {
        self.status = status
        self.body = Array(body.utf8)
        self.retryAfter = retryAfter
    }

    /// - Parameter data: the stored row as JSON.
    static func accepted(_ data: String) -> Self {
        Self(
            202,
            #"{"success":true,"message":"Conversation event accepted for processing","#
                + "\"data\":\(data)}"
        )
    }

    init(_ refusal: ConversationEnd.Refusal) {
        switch refusal {
        // FastAPI's own words.
        case .unreadable: self.init(400, #"{"detail":"There was an error parsing the body"}"#)
        case .invalid(let problems): self.init(422, ValidationProblem.body(problems))
        case .tooShort: self = .invalid("Conversation duration must be greater than 0 seconds")
        }
    }

    /// The row is legal JSON and no legal event.
    static func invalid(_ message: String) -> Self {
        .failure(400, "CONVERSATION_EVENT_INVALID", message)
    }

    /// The id is taken by another conversation.
    static let exists = Self.failure(
        409,
        "CONVERSATION_EVENT_EXISTS",
        "Conversation event already exists with other content"
    )

    /// It may be sent again: a repeated request has one effect.
    static let unavailable = Self.failure(503, "INTERNAL_ERROR", cannotStore, retryAfter: 5)
    static let failed = Self.failure(500, "INTERNAL_ERROR", cannotStore)

    private static let cannotStore = "Cannot store conversation event right now"

    private static func failure(
        _ status: Int,
        _ code: String,
        _ message: String,
        retryAfter: Int? = nil
    ) -> Self {
        Self(
            status,
            "{\"detail\":{\"success\":false,\"error\":\"\(code)\","
                + "\"message\":\(JSONValue.string(message))}}",
            retryAfter: retryAfter
        )
    }
}
