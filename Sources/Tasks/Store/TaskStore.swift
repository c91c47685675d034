import Postgres

/// Tasks in PostgreSQL. Each change is one statement that names the state and the run it expects;
/// where it answers no row, another process was first. All times are the database's.
package struct TaskStore: Sendable {
    package let sessions: SessionPool

    package init(sessions: SessionPool) {
        self.sessions = sessions
    }

    /// Runs one statement, which commits.
    package func rows<Value: Sendable>(
        of statement: Statement,
        _ parameters: [Parameter],
        _ read: @Sendable (inout RowReader) throws(PostgresError) -> Value
    ) throws(PostgresError) -> [Value] {
        try sessions.withSession { session throws(PostgresError) in
            try session.flight([(statement, parameters)])[0].map(read)
        }
    }

    /// Runs one statement, which commits.
    ///
    /// - Returns: how many rows it answered.
    @discardableResult
    package func count(
        of statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) -> Int {
        try sessions.withSession { session throws(PostgresError) in
            try session.flight([(statement, parameters)])[0].count
        }
    }
}

extension Parameter {
    package static func id(_ id: TaskID) -> Parameter { .text(id.text) }
    static func ids(_ ids: [TaskID]) -> Parameter { .textArray(ids.map(\.text)) }
    package static func optional(_ text: String?) -> Parameter { text.map(Parameter.text) ?? .null }
    static func bool(_ value: Bool) -> Parameter { .text(value ? "t" : "f") }
}
