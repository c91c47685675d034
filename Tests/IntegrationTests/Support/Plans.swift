import Postgres

extension Session {
    /// How the server would do a statement, a line each, in a transaction that is taken back.
    mutating func plan(
        of statement: Statement,
        _ parameters: [Parameter]
    ) throws(PostgresError) -> [String] {
        let explain = Statement(
            "explain_\(statement.name)",
            "EXPLAIN (COSTS OFF) \(statement.sql)"
        )
        let rows = try flight([(.begin, []), (explain, parameters), (.rollback, [])])[1]
        return (0..<rows.count).compactMap { rows.string($0, 0) }
    }
}
