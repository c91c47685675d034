import Foundation
import Testing

extension Integration {
    struct Migration {
        private static let left = [
            "found table conversation_events: left as it is",
            "found table friendship_status: left as it is",
            "found table agenda_agent_prompting: left as it is",
        ]

        private func migrate(_ name: String) throws -> Command.Result {
            let url = try #require(Servers.environment["DATABASE_URL"])
            return try Command.run(
                Command.amity,
                ["migrate"],
                environment: ["DATABASE_URL": "\(url)?options=-csearch_path%3D\(name)"]
            )
        }

        @Test func runsTwiceAndSaysWhatItDid() throws {
            let schema = "migrate_\(UInt32.random(in: 0 ... .max))"
            try Servers.psql(["-c", "CREATE SCHEMA \(schema)"])
            let first = try migrate(schema)
            #expect(first.status == 0)
            #expect(
                first.output.split(separator: "\n").map(String.init) == [
                    "created table amity_migrations", "created table conversation_events",
                    "created table friendship_status",
                    "created table agenda_agent_prompting", "applied crash attribution",
                    "applied registry and monitor", "applied analyses",
                    "applied dead letters",
                ]
            )
            #expect(first.error.isEmpty)
            let second = try migrate(schema)
            #expect(second.status == 0)
            #expect(second.output.split(separator: "\n").map(String.init) == Self.left)
            try Servers.psql(["-c", "DROP SCHEMA \(schema) CASCADE"])
        }

        /// Fault: two replicas start at once and both create, so one of them dies.
        @Test func eightAtOnceMakeOneDatabase() async throws {
            let schema = "migrate_\(UInt32.random(in: 0 ... .max))"
            try Servers.psql(["-c", "CREATE SCHEMA \(schema)"])
            let results = try await withThrowingTaskGroup(of: Command.Result.self) { group in
                for _ in 0..<8 { group.addTask { try self.migrate(schema) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.map(\.status) == Array(repeating: 0, count: 8))
            #expect(results.count { $0.output.contains("created") } == 1)
            try Servers.psql(["-c", "DROP SCHEMA \(schema) CASCADE"])
        }

        /// On the Python service's database nothing of its own is altered.
        @Test(arguments: [Scene.Tables.python, .pythonZoned])
        func addsOnlyWhatIsOurs(tables: Scene.Tables) throws {
            let scene = try Scene(tables)
            let catalogue = """
                SELECT string_agg(definition, E'\\n' ORDER BY definition) FROM (
                    SELECT format('%s %s %s', attrelid::regclass, attname, atttypid::regtype)
                        AS definition
                    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                    WHERE relnamespace = current_schema()::regnamespace AND attnum > 0
                        AND relname !~ '^amity_'
                    UNION ALL
                    SELECT indexdef FROM pg_indexes
                    WHERE schemaname = current_schema() AND tablename !~ '^amity_'
                ) AS definitions
                """
            let before = try scene.sql(catalogue).string(0, 0)
            let result = try migrate(scene.name)
            #expect(
                result.output.split(separator: "\n").map(String.init)
                    == ["created table amity_migrations"] + Self.left
                    + [
                        "applied crash attribution", "applied registry and monitor",
                        "applied analyses", "applied dead letters",
                    ]
            )
            #expect(try scene.sql(catalogue).string(0, 0) == before)
        }

        @Test func namesTheColumnsThatAStrangersTableLacks() throws {
            let scene = try Scene(.pythonNaive)
            try scene.sql("ALTER TABLE conversation_events DROP COLUMN agent_tag")
            let result = try migrate(scene.name)
            #expect(result.status == 69)
            #expect(result.error.contains("conversation_events exists but lacks agent_tag"))
        }
    }
}
