import Postgres
import Testing

@testable import Storage

struct MigrationErrorTests {
    private func said(_ sqlState: String) -> String? {
        let error = PostgresError(sqlState: sqlState, operation: "create_t", message: "denied")
        return MigrationError(error, lockTimeout: .seconds(60)).map { "\($0)" }
    }

    /// Fault: an operator reads what failed, and not what to do about it.
    @Test(arguments: [
        ("3F000", "create it, GRANT USAGE, CREATE on it"),
        ("42501", "run amity migrate as the owner of the tables"),
        ("55P03", "used a table for 60.0 s"), ("25006", "name the primary"),
        ("23505", "delete one of each, and run amity migrate again"),
    ])
    func whatTheServerRefusesHasARemedy(sqlState: String, remedy: String) throws {
        let text = try #require(said(sqlState))
        #expect(text.contains(remedy), "\(text)")
    }

    @Test func anyOtherErrorStaysAsItIs() {
        #expect(said("42601") == nil)
    }

    @Test func whatWasFoundIsNamedWithItsRemedy() {
        let incomplete = MigrationError.incompleteTable(name: "t", missing: ["a", "b"])
        #expect("\(incomplete)".hasPrefix("table t exists but lacks a, b."))
        #expect("\(incomplete)".contains("add the columns as the service that owns them does"))
        let foreign = MigrationError.notOurs(table: "amity_t", lacks: "column a")
        #expect("\(foreign)".contains("rename that table"))
        #expect("\(MigrationError.standby)".contains("target_session_attrs=read-write"))
    }

    /// Fault: with several schemas that may be meant, the first is recommended.
    @Test func onlyASingleSchemaIsRecommendedByName() {
        let one = "\(MigrationError.elsewhere(table: "t", schemas: ["app"]))"
        #expect(one.contains("SET search_path = app,") && one.contains("search_path%3Dapp"))
        let two = "\(MigrationError.elsewhere(table: "t", schemas: ["app", "old"]))"
        #expect(two.contains("in schema app, old,") && two.contains("SET search_path = SCHEMA,"))
        for text in [one, two] { #expect(text.contains("amity migrate --separate")) }
    }

    /// Texts are logged and shown in one line.
    @Test func everyTextIsOneLine() {
        let all: [MigrationError] = [
            .incompleteTable(name: "t", missing: ["a"]), .notOurs(table: "t", lacks: "a"),
            .elsewhere(table: "t", schemas: ["s"]), .noSchema(path: "p", role: "r"), .standby,
            .readOnly, .forbidden("f"), .locked(.seconds(60)), .doubleRows,
        ]
        for error in all { #expect(!"\(error)".contains("\n"), "\(error)") }
    }
}
