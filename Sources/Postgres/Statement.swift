/// A statement that a session prepares the first time it is sent there.
package struct Statement: Sendable {
    /// Unique among a program's statements: it is the name of the prepared statement.
    package let name: String
    package let sql: String

    package init(_ name: String, _ sql: String) {
        self.name = name
        self.sql = sql
    }

    package static let begin = Statement("begin", "BEGIN")
    package static let commit = Statement("commit", "COMMIT")
    package static let rollback = Statement("rollback", "ROLLBACK")
}

/// A parameter in PostgreSQL's text format.
package enum Parameter: Sendable {
    case null
    case text(String)
    case integer(Int)
    case double(Double)
    case textArray([String?])
    case integerArray([Int])
    case doubleArray([Double])

    /// nil is SQL's NULL. No string holds NUL: the server would refuse it (22021), and a C string
    /// would end there.
    var encoded: String? {
        switch self {
        case .null: nil
        case .text(let text): text
        case .integer(let integer): String(integer)
        case .double(let double): double.description
        case .textArray(let texts): Self.array(texts.map { $0.map(Self.quoted) ?? "NULL" })
        case .integerArray(let integers): Self.array(integers.map(String.init))
        case .doubleArray(let doubles): Self.array(doubles.map(\.description))
        }
    }

    private static func array(_ elements: [String]) -> String {
        "{" + elements.joined(separator: ",") + "}"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            if character == "\"" || character == "\\" { quoted.append("\\") }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }
}
