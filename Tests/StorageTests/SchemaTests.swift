import Foundation
import Postgres
import TestSupport
import Testing

@testable import Storage

struct SchemaTests {
    /// Fault: a step that databases have applied is renamed, moved or dropped, and is applied again
    /// or never. New ones come at the end.
    @Test func stepsKeepTheirNamesAndTheirOrder() {
        let applied = [
            "crash attribution", "registry and monitor", "analyses", "causes in the registry",
            "dead letters", "outbox", "tasks", "documents",
        ]
        #expect(Schema.steps.map(\.name).prefix(applied.count) == applied[...])
    }

    /// Fault: two statements share a name, so that the second runs what was prepared for the first;
    /// or two steps do, and the second counts as applied.
    @Test func noNameIsGivenTwice() {
        let statements = Schema.tables.flatMap(\.definition) + Schema.steps.flatMap(\.statements)
        #expect(Set(statements.map(\.name)).count == statements.count)
        #expect(Set(Schema.steps.map(\.name)).count == Schema.steps.count)
    }

    /// Fault: what a step makes cannot be read from its statement, so that it is not made again
    /// once it is lost; or it looks like a table of the service's.
    @Test func whatAStepMakesIsReadFromItAndIsAmitysOwn() {
        for statement in Schema.steps.flatMap(\.statements) {
            switch SchemaObject(statement.sql) {
            case .table(let name, let columns, let key, _):
                #expect(name.hasPrefix("amity_"))
                #expect(!columns.isEmpty && !key.isEmpty, "\(name)")
                #expect(Set(key).isSubset(of: columns.map(\.name)), "\(name)")
            case .columns(_, let table), .index(_, let table), .trigger(_, let table):
                let isMadeBefore = Schema.ownTables.contains { $0.name == table }
                #expect(isMadeBefore, "\(table)")
            case .function(let signature): #expect(signature.hasPrefix("amity_"))
            case nil: Issue.record("not read: \(statement.name)")
            }
        }
    }

    /// Fault: a table is added, and workers with the least rights cannot use it.
    @Test func theGrantsNameEveryTable() throws {
        let file = Document.root.appending(path: "deploy/grants.sql")
        let text = try String(contentsOf: file, encoding: .utf8)
        let own = text.matches(of: /'(amity_\w+)'/).map { String($0.1) }
        #expect(own.sorted() == Schema.ownTables.map(\.name).sorted())
        let others = text.matches(of: /GRANT [A-Z, ]+ ON (\w+) TO/).map { String($0.1) }
        #expect(Set(others) == Set(Schema.tables.map(\.name)))
    }
}

struct SchemaObjectTests {
    @Test func aTableIsReadWithItsColumnsAndItsKey() {
        let sql = """
            CREATE UNLOGGED TABLE t (
                a text NOT NULL DEFAULT '',
                b numeric(4, 2),
                PRIMARY KEY (a, b),
                CHECK (b > 0)
            ) WITH (fillfactor = 50)
            """
        guard case .table("t", let columns, let key, isUnlogged: true) = SchemaObject(sql) else {
            Issue.record("not read")
            return
        }
        #expect(columns.map(\.name) == ["a", "b"])
        #expect(columns.last?.definition == "numeric(4, 2)")
        #expect(key == ["a", "b"])
    }

    /// Fault: an index without a name is looked for under another than PostgreSQL gives it, and
    /// made again at every start.
    @Test(arguments: [
        ("CREATE INDEX ON t (a, b) WHERE a > 0", "t_a_b_idx"), ("CREATE INDEX i ON t (a)", "i"),
        ("CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)", "i"),
        ("CREATE INDEX i ON t USING gin (a)", "i"),
        ("CREATE UNIQUE INDEX i ON t (coalesce(a, ''), b) WHERE b > 0", "i"),
    ])
    func anIndexHasTheNameThatItIsGiven(sql: String, name: String) {
        guard case .index(name, table: "t") = SchemaObject(sql) else {
            Issue.record("not read: \(sql)")
            return
        }
    }

    /// Fault: a function is looked for under a signature that PostgreSQL does not know, and made
    /// once more, which fails.
    @Test func aFunctionIsKnownByTheTypesOfItsArguments() {
        let sql = "CREATE FUNCTION f(at timestamptz, n int) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        guard case .function("f(timestamptz,int)") = SchemaObject(sql) else {
            Issue.record("not read")
            return
        }
    }

    /// Fault: a trigger that was lost is not found to be missing.
    @Test(arguments: [
        "CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER x AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f()",
    ])
    func aTriggerIsKnownByItsNameAndTable(sql: String) {
        guard case .trigger("x", table: "t") = SchemaObject(sql) else {
            Issue.record("not read: \(sql)")
            return
        }
    }

    @Test(arguments: [
        "DROP TABLE t", "UPDATE t SET a = 1", "ALTER TABLE t DROP COLUMN a", "",
        "CREATE INDEX ON t (lower(a))",
    ])
    func anyOtherStatementIsNotTakenForOne(sql: String) {
        let isRead = SchemaObject(sql) != nil
        #expect(!isRead)
    }
}
