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

    /// With its isolation level: a pooler may drop the settings that a session is given at its
    /// start, and a role's default may be any level.
    package static let begin = Statement("begin", "BEGIN ISOLATION LEVEL READ COMMITTED")
    package static let commit = Statement("commit", "COMMIT", commits: true)
    package static let rollback = Statement("rollback", "ROLLBACK")

    /// Whether it begins or ends a transaction and does nothing else.
    var isControl: Bool {
        name == Self.begin.name || name == Self.commit.name || name == Self.rollback.name
    }
}
