import Foundation

/// A JSON value as it was given, with its kind.
package enum JSONTree: Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONTree])
    case object([String: JSONTree])

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        func read<Value: Decodable>(_ make: (Value) -> JSONTree) -> JSONTree? {
            do { return make(try value.decode(Value.self)) } catch { return nil }
        }
        if value.decodeNil() {
            self = .null
        } else if let simple = read(Self.bool) ?? read(Self.number) ?? read(Self.string) {
            self = simple
        } else {
            self = try read(Self.array) ?? .object(value.decode([String: JSONTree].self))
        }
    }
}
