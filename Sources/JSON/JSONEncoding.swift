import Foundation
import SafeText

/// The encoders there are. Each property makes a new one.
extension JSONEncoder {
    /// As the API and the command line speak: `snake_case`, instants in ISO 8601, members sorted.
    package static var api: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        return encoder
    }

    /// Members as they are declared, in a form for people.
    package static var report: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// As it stands in tables, requests and log lines: members as they are declared.
    package static var stored: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return encoder
    }

    /// As text that may be shown on a terminal.
    package func text(_ value: some Encodable) throws -> String {
        String(decoding: try encode(value), as: UTF8.self).printableJSON
    }

    /// The text of a value that always has one: its numbers are finite.
    package func certainText(_ value: some Encodable) -> String {
        do {
            return String(decoding: try encode(value), as: UTF8.self)
        } catch {
            preconditionFailure("only numbers that are not finite have no JSON form")
        }
    }
}
