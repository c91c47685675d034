/// A statement that a session prepares the first time it is sent there.
package struct Statement: Sendable {
    /// Unique among a program's statements: it is the name of the prepared statement.
    package let name: String
    package let sql: String
    /// Whether a flight that ends with it commits what it wrote.
    let commits: Bool
    /// What its time is measured under.
    let timer: String

    /// - Parameters:
    ///   - commits: whether it writes, in no transaction but its flight's own.
    ///   - timer: for one of many of a kind; its name otherwise.
    package init(_ name: String, _ sql: String, commits: Bool = false, timer: String? = nil) {
        self.name = name
        self.timer = timer ?? name
        self.sql = sql
        self.commits = commits
    }

    /// With its isolation level: a pooler may drop the settings that a session is given at its
    /// start, and a role's default may be any level.
    package static let begin = Statement("begin", "BEGIN ISOLATION LEVEL READ COMMITTED")
    package static let commit = Statement("commit", "COMMIT", commits: true)
    package static let rollback = Statement("rollback", "ROLLBACK")

    /// Until the transaction's end. $1: name; $2: value.
    static let setLocally = Statement("set_locally", "SELECT set_config($1, $2, true)")

    /// What follows the last one of them can be taken back alone, by `takeBack`.
    package static let savepoint = Statement("savepoint", "SAVEPOINT apart")
    package static let takeBack = Statement("take_back", "ROLLBACK TO SAVEPOINT apart")

    /// Whether it begins or ends a transaction, or a part of one, and does nothing else.
    var isControl: Bool { Self.control.contains(name) }

    private static let control = Set(
        [begin, commit, rollback, savepoint, takeBack].map(\.name)
    )
}
