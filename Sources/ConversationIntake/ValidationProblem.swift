import JSON

/// One thing that is wrong with a body, as FastAPI and pydantic tell it, without the input: that is
/// a child's talk.
struct ValidationProblem: Error, Equatable {
    /// Where it is: a name or an index.
    enum Place: Equatable, Sendable {
        case member(String)
        case index(Int)

        fileprivate var json: String {
            switch self {
            case .member(let name): JSONValue.string(name)
            case .index(let index): "\(index)"
            }
        }
    }

    var type: String
    /// Below the body.
    var place: [Place]
    var message: String
    /// JSON; nil for none.
    var context: String?

    init(_ type: String, at place: [Place], _ message: String, context: String? = nil) {
        self.type = type
        self.place = place
        self.message = message
        self.context = context
    }

    private var json: String {
        let location = (["\"body\""] + place.map(\.json)).joined(separator: ",")
        return "{\"type\":\"\(type)\",\"loc\":[\(location)],\"msg\":\(JSONValue.string(message))"
            + (context.map { ",\"ctx\":\($0)" } ?? "") + "}"
    }

    /// Most of them that are told. Chosen: a body of zeros would be answered with fifty times its
    /// bytes.
    private static let mostTold = 100

    static func body(_ problems: [ValidationProblem]) -> String {
        "{\"detail\":[\(problems.prefix(mostTold).map(\.json).joined(separator: ","))]}"
    }
}

extension ValidationProblem {
    static func missing(at place: [Place]) -> Self {
        Self("missing", at: place, "Field required")
    }

    static let noObject = Self(
        "model_attributes_type",
        at: [],
        "Input should be a valid dictionary or object to extract fields from"
    )

    /// - Parameter offset: in characters.
    static func noJSON(at offset: Int) -> Self {
        Self(
            "json_invalid",
            at: [.index(offset)],
            "JSON decode error",
            context: #"{"error":"Not readable, or nested too deeply"}"#
        )
    }

    static func noText(at place: [Place]) -> Self {
        Self("string_type", at: place, "Input should be a valid string")
    }

    static func tooShort(_ least: Int, at place: [Place]) -> Self {
        Self(
            "string_too_short",
            at: place,
            "String should have at least \(least) characters",
            context: "{\"min_length\":\(least)}"
        )
    }

    static func tooLong(_ most: Int, at place: [Place]) -> Self {
        Self(
            "string_too_long",
            at: place,
            "String should have at most \(most) characters",
            context: "{\"max_length\":\(most)}"
        )
    }

    /// pydantic's own, for a string that is no text.
    static func noUnicode(at place: [Place]) -> Self {
        Self(
            "string_unicode",
            at: place,
            "Input should be a valid string, unable to parse raw data as a unicode string"
        )
    }

    /// Ours: the replaced service fails in the database, with a 500.
    static func unstorable(_ what: JSONText.Unstorable, at place: [Place]) -> Self {
        switch what {
        case .halfSurrogate: noUnicode(at: place)
        case .nul: valueError("the character U+0000 cannot be stored", at: place)
        case .longNumber:
            valueError("a number of more than 40 digits cannot be stored", at: place)
        }
    }

    /// What a validator of the service's own says.
    static func valueError(_ what: String, at place: [Place] = []) -> Self {
        Self("value_error", at: place, "Value error, \(what)", context: #"{"error":{}}"#)
    }

    static func noTime(_ error: IntakeTime.Malformed, at place: [Place]) -> Self {
        let context = error.detail.map { "{\"error\":\(JSONValue.string($0))}" }
        return Self(error.type, at: place, error.message, context: context)
    }

    static func noList(at place: [Place]) -> Self {
        Self("list_type", at: place, "Input should be a valid list")
    }

    static func noDictionary(at place: [Place]) -> Self {
        Self("dict_type", at: place, "Input should be a valid dictionary")
    }
}
