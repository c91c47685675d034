/// A statement that a session prepares the first time it is sent there.
package struct Statement: Sendable {
    /// Unique among a program's statements: it is the name of the prepared statement.
    package let name: String
    package let sql: String
    /// Whether a flight that ends with it commits what it wrote.
    let commits: Bool

    /// - Parameter commits: whether it writes, in no transaction but its flight's own.
    package init(_ name: String, _ sql: String, commits: Bool = false) {
        self.name = name
        self.sql = sql
        self.commits = commits
    }

    package static let begin = Statement("begin", "BEGIN")
    package static let commit = Statement("commit", "COMMIT", commits: true)
    package static let rollback = Statement("rollback", "ROLLBACK")

    /// Whether it begins or ends a transaction and does nothing else.
    var isControl: Bool {
        name == Self.begin.name || name == Self.commit.name || name == Self.rollback.name
    }
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
        case .textArray(let texts):
            Self.array(texts) { text, array in
                if let text { Self.append(quoted: text, to: &array) } else { array += "NULL" }
            }
        case .integerArray(let integers): Self.array(integers) { $1 += String($0) }
        case .doubleArray(let doubles): Self.array(doubles) { $1 += $0.description }
        }
    }

    private static func array<Element>(
        _ elements: [Element],
        appending: (Element, inout String) -> Void
    ) -> String {
        var array = "{"
        for (index, element) in elements.enumerated() {
            if index > 0 { array += "," }
            appending(element, &array)
        }
        array += "}"
        return array
    }

    private static func append(quoted text: String, to array: inout String) {
        array += "\""
        // Most texts need no escape and are copied whole.
        if text.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
            for character in text.unicodeScalars {
                if character == "\"" || character == "\\" { array += "\\" }
                array.unicodeScalars.append(character)
            }
        } else {
            array += text
        }
        array += "\""
    }
}
