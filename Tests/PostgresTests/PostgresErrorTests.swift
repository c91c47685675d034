import Testing

@testable import Postgres

/// What an error says of itself is safe to log, and is no more than it knows.
struct PostgresErrorTests {
    /// Fault: a function raises what a guard of ours raises, and a row is taken for one in a race.
    @Test func onlyAStatementOfOursRaisesTheGuard() {
        func error(isFromFunction: Bool) -> PostgresError {
            PostgresError(
                sqlState: "2201X",
                operation: "update_events",
                message: "",
                isFromFunction: isFromFunction
            )
        }
        #expect(error(isFromFunction: false).isGuard)
        #expect(!error(isFromFunction: true).isGuard)
    }

    /// Fault: RAISE, or a statement that a trigger builds from a row, has a child's words in its
    /// message, under a SQLSTATE whose messages are shown.
    @Test func whatAFunctionSaysIsNotQuoted() {
        let raised = PostgresError(
            sqlState: "42P01",
            operation: "update_users",
            message: "canary",
            place: .init(table: "friendship_status", column: "tenant_id", constraint: "c"),
            isFromFunction: true
        )
        #expect(
            raised.description
                == "update_users: SQLSTATE 42P01 "
                + "(table friendship_status, column tenant_id, constraint c); "
                + "in a function of the database, a trigger's say: see its log"
        )
    }
}
