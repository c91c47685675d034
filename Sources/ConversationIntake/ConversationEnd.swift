import JSON

/// A request that is legal: one finished conversation.
struct ConversationEnd: Equatable, Sendable {
    var conversationID: String
    var userID: String
    var botType: String
    var botID: String
    var botName: String
    var agentTag: String?
    var start: IntakeTime
    var end: IntakeTime
    /// JSON, in the standard shape where it came in the API's.
    var log: String
    /// JSON, as it came in the API's shape; nil where it did not.
    var rawLog: String?
    /// It is stored, and no worker scores it.
    var isSkipped: Bool
    /// nil for the default, six hours from now by the database's clock.
    var nextAttempt: IntakeTime?

    /// Why a body is no such request.
    enum Refusal: Error, Equatable {
        /// The body is not UTF-8.
        case unreadable
        /// All that is wrong with it.
        case invalid([ValidationProblem])
        /// It lasted less than a second.
        case tooShort
    }

    /// - Parameter body: JSON. Unknown members are ignored; of several with one name the last
    ///   counts, as in the replaced service.
    init(body: [UInt8]) throws(Refusal) {
        if body.isEmpty { throw .invalid([.missing(at: [])]) }
        let members: Members?
        do throws(JSONReader.Malformed) {
            members = try JSONReader.read(body) { json throws(JSONReader.Malformed) in
                try Members(&json)
            }
        } catch {
            guard let text = String(validating: body, as: UTF8.self) else { throw .unreadable }
            let offset = text.utf8.index(text.startIndex, offsetBy: error.offset ?? 0)
            throw .invalid([.noJSON(at: text.unicodeScalars[..<offset].count)])
        }
        guard let members else { throw .invalid([.noObject]) }
        try self.init(members)
    }

    private init(_ members: Members) throws(Refusal) {
        var fields = Fields(members)
        // In the order of the service's model, which is that of its errors.
        let conversationID = fields.text("conversation_id", 3...255)
        let userID = fields.text("user_id", 3...255)
        let botType = fields.text("bot_type", 0...50)
        let botID = fields.text("bot_id", 0...255)
        let botName = fields.text("bot_name", 0...255)
        let agentTag = fields.optionalText("agent_tag", 0...255)
        let start = fields.time("start_time")
        let end = fields.time("end_time")
        let log = fields.log()
        let nextAttempt = fields.optionalTime("next_attempt_at")
        guard let conversationID, let userID, let botType, let botID, let botName, let start,
            let end, let log, fields.problems.isEmpty
        else { throw .invalid(fields.problems) }
        if end <= start {
            throw .invalid([.valueError("end_time must be greater than start_time")])
        }
        if end.microseconds - start.microseconds < 1_000_000 { throw .tooShort }
        self.conversationID = conversationID
        self.userID = userID
        self.botType = botType
        self.botID = botID
        self.botName = botName
        self.agentTag = agentTag
        self.start = start
        self.end = end
        isSkipped = members["status"] == .text("SKIPPED")
        self.nextAttempt = nextAttempt
        do throws(ValidationProblem) {
            (self.log, rawLog) = try IntakeLog.stored(log.json, log.name, from: start, to: end)
        } catch {
            throw .invalid([error])
        }
    }
}

/// The members of a body that are looked at.
private struct Members {
    /// What a member is. Lists are kept as their JSON.
    enum Value: Equatable {
        case text(String)
        /// A string with half a surrogate pair.
        case brokenText
        case null
        case number(String)
        case list(String)
        case bool
        case object

        init(_ json: inout JSONReader) throws(JSONReader.Malformed) {
            switch json.nextKind() {
            case .string: self = try json.readText().string.map(Value.text) ?? .brokenText
            case .null:
                try json.skip()
                self = .null
            case .object:
                try json.skip()
                self = .object
            case .array: self = .list(String(decoding: try json.readRaw(), as: UTF8.self))
            case .other:
                let text = String(decoding: try json.readRaw(), as: UTF8.self)
                self = text == "true" || text == "false" ? .bool : .number(text)
            }
        }
    }

    private static let names: [StaticString] = [
        "conversation_id", "user_id", "bot_type", "bot_id", "bot_name", "agent_tag", "start_time",
        "end_time", "conversation_log", "conversation_logs", "status", "next_attempt_at",
    ]

    private var values: [String: Value] = [:]

    /// - Returns: nil for what is no object.
    init?(_ json: inout JSONReader) throws(JSONReader.Malformed) {
        guard json.nextKind() == .object else {
            try json.skip()
            return nil
        }
        try json.enter()
        while let key = try json.nextKey() {
            var known: StaticString?
            for name in Self.names where try key.equals(name) { known = name }
            if let known {
                values["\(known)"] = try Value(&json)
            } else {
                try json.skip()
            }
        }
    }

    subscript(name: String) -> Value? { values[name] }
}

/// Takes the members one after the other, and collects what is wrong with them.
private struct Fields {
    private let members: Members
    private(set) var problems: [ValidationProblem] = []

    init(_ members: Members) { self.members = members }

    /// - Returns: nil where it is missing or wrong.
    mutating func text(_ name: String, _ lengths: ClosedRange<Int>) -> String? {
        guard let value = members[name] else { return refuse(.missing(at: [.member(name)])) }
        return text(value, name, lengths)
    }

    mutating func optionalText(_ name: String, _ lengths: ClosedRange<Int>) -> String? {
        guard let value = members[name], value != .null else { return nil }
        return text(value, name, lengths)
    }

    private mutating func text(
        _ value: Members.Value,
        _ name: String,
        _ lengths: ClosedRange<Int>
    ) -> String? {
        let place = [ValidationProblem.Place.member(name)]
        guard case .text(let text) = value else {
            return refuse(value == .brokenText ? .noUnicode(at: place) : .noText(at: place))
        }
        let length = text.unicodeScalars.count
        if length < lengths.lowerBound { return refuse(.tooShort(lengths.lowerBound, at: place)) }
        if length > lengths.upperBound { return refuse(.tooLong(lengths.upperBound, at: place)) }
        if text.utf8.contains(0) { return refuse(.unstorable(.nul, at: place)) }
        return text
    }

    mutating func time(_ name: String) -> IntakeTime? {
        guard let value = members[name] else { return refuse(.missing(at: [.member(name)])) }
        return time(value, name)
    }

    mutating func optionalTime(_ name: String) -> IntakeTime? {
        guard let value = members[name], value != .null else { return nil }
        return time(value, name)
    }

    private mutating func time(_ value: Members.Value, _ name: String) -> IntakeTime? {
        do throws(IntakeTime.Malformed) {
            switch value {
            case .text(let text): return try IntakeTime(text: text)
            case .number(let number): return try IntakeTime(number: number)
            case .brokenText, .null, .list, .bool, .object: throw .noTime
            }
        } catch {
            return refuse(.noTime(error, at: [.member(name)]))
        }
    }

    /// The list as it came, and under which of its two names; the first name wins.
    mutating func log() -> (json: String, name: String)? {
        let names = ["conversation_log", "conversation_logs"]
        guard let name = names.first(where: { members[$0] != nil }) else { return ("[]", names[0]) }
        guard case .list(let json) = members[name] else {
            return refuse(.noList(at: [.member(name)]))
        }
        let found = IntakeLog.problems(in: json, name)
        problems += found
        return found.isEmpty ? (json, name) : nil
    }

    private mutating func refuse<Value>(_ problem: ValidationProblem) -> Value? {
        problems.append(problem)
        return nil
    }
}
