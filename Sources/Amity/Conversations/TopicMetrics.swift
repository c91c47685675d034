import Foundation
import FriendshipScoring

/// A user's `topic_metrics`, of which only the topics touched are written back. Members that others
/// keep with a topic stay as they are.
struct TopicMetrics {
    private var topics: [String: JSONValue]
    private var changed: Set<String> = []

    /// - Parameter json: the column; anything but an object counts as empty.
    init(json: Data) {
        do {
            topics = try JSONDecoder().decode([String: JSONValue].self, from: json)
        } catch {
            topics = [:]
        }
    }

    mutating func apply(
        _ score: ConversationScore,
        to topicID: String,
        botID: String,
        userLevel: FriendshipLevel,
        at now: Date
    ) {
        var members = topics[topicID]?.object ?? [:]
        var progress = TopicProgress(
            score: members["score"]?.number ?? 0,
            turns: Self.count(members["turns"]?.number ?? 0),
            level: members["friendship_level"]?.string ?? FriendshipLevel.stranger.rawValue,
            agentsUsed: members["agents_used"]?.array?.compactMap(\.string) ?? []
        )
        progress.apply(score, botID: botID, userLevel: userLevel)
        members["score"] = .number(progress.score)
        members["turns"] = .number(Double(progress.turns))
        members["friendship_level"] = .string(progress.level)
        members["agents_used"] = .array(progress.agentsUsed.map(JSONValue.string))
        members["last_date"] = .string(now.formatted(.iso8601))
        topics[topicID] = .object(members)
        changed.insert(topicID)
    }

    /// A stored count; one that nobody can have reached counts as none, and cannot overflow.
    private static func count(_ stored: Double) -> Int {
        (0...1_000_000_000).contains(stored) ? Int(stored) : 0
    }

    /// The topics touched, as an object to merge into the column.
    var changedJSON: String { json(topics.filter { changed.contains($0.key) }) }
}

/// Any JSON, for members that are carried through unread.
enum JSONValue: Codable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = value.decodeIfPossible(Bool.self) {
            self = .bool(bool)
        } else if let number = value.decodeIfPossible(Double.self) {
            self = .number(number)
        } else if let string = value.decodeIfPossible(String.self) {
            self = .string(string)
        } else if let array = value.decodeIfPossible([JSONValue].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let bool): try value.encode(bool)
        case .number(let number): try value.encode(number)
        case .string(let string): try value.encode(string)
        case .array(let array): try value.encode(array)
        case .object(let object): try value.encode(object)
        }
    }

    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var string: String? { if case .string(let string) = self { string } else { nil } }
    var array: [JSONValue]? { if case .array(let array) = self { array } else { nil } }
    var object: [String: JSONValue]? { if case .object(let object) = self { object } else { nil } }
}

extension SingleValueDecodingContainer {
    /// nil when the value is of another type: the way to ask a decoder what it holds.
    fileprivate func decodeIfPossible<Value: Decodable>(_ type: Value.Type) -> Value? {
        do {
            return try decode(type)
        } catch {
            return nil
        }
    }
}

/// The JSON text of a value whose numbers are finite.
func json(_ value: some Encodable) -> String {
    do {
        return String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    } catch {
        preconditionFailure("only numbers that are not finite have no JSON form")
    }
}
