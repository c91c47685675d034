import Foundation
import Settings
import Testing

@testable import Storage

extension Integration {
    struct Migration {
        private static let left = [
            "found table conversation_events: left as it is",
            "found table friendship_status: left as it is",
            "found table agenda_agent_prompting: left as it is",
        ]

        /// Other tests have tables of these names in schemas of their own.
        private func migrate(
            _ name: String,
            _ options: [String] = ["--separate"]
        ) throws -> Command.Result {
            let url = try #require(Servers.environment["DATABASE_URL"])
            return try Command.run(
                Command.amity,
                ["migrate"] + options,
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
                    "applied causes in the registry",
                    "applied dead letters", "applied outbox", "applied tasks", "applied documents",
                    "applied needs and batches", "applied limits", "applied schedules",
                    "applied callbacks and locks",
                    "applied events",
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
                        "applied analyses", "applied causes in the registry",
                        "applied dead letters", "applied outbox", "applied tasks",
                        "applied documents", "applied needs and batches",
                        "applied limits", "applied schedules", "applied callbacks and locks",
                        "applied events",
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

        // MARK: What stops it

        /// Fault: the service's tables are in another schema, and a second, empty set is made:
        /// nothing is ever scored, and all tools say that the tables are there.
        @Test func makesNoSecondSetOfTables() throws {
            let scene = try Scene(.python)
            let schema = "migrate_\(UInt32.random(in: 0 ... .max))"
            try Servers.psql(["-c", "CREATE SCHEMA \(schema)"])
            let result = try migrate(schema, [])
            #expect(result.status == 69)
            #expect(result.error.contains("table conversation_events is in schema"))
            #expect(result.error.contains("search_path"))
            let made = try scene.sql(
                "SELECT count(*) FROM pg_tables WHERE schemaname = '\(schema)'"
            )
            #expect(made.integer(0, 0) == 0)
            #expect(try migrate(schema).status == 0)
            try Servers.psql(["-c", "DROP SCHEMA \(schema) CASCADE"])
        }

        /// Fault: migrate reports a raw SQLSTATE, or takes another program's table for Amity's.
        @Test(arguments: [
            (
                "CREATE TABLE amity_workers (id int, name text)",
                "there is a table amity_workers that Amity has not made: it lacks boot_id"
            ),
            (
                "CREATE TABLE amity_crashes (key text PRIMARY KEY, value text)",
                "there is a table amity_crashes that Amity has not made: it lacks"
            ),
            (
                "CREATE TABLE amity_migrations (id int)",
                "there is a table amity_migrations that Amity has not made"
            ),
        ])
        func refusesATableOfAnotherProgram(table: String, text: String) throws {
            let scene = try Scene(.python)
            try scene.sql(table)
            let result = try migrate(scene.name)
            #expect(result.status == 69)
            #expect(result.error.contains(text), "\(result.error)")
            // Nothing was made beside it.
            let made = try scene.sql(
                """
                SELECT count(*) FROM pg_tables
                WHERE schemaname = current_schema() AND tablename LIKE 'amity%'
                """
            )
            #expect(made.integer(0, 0) == 1)
        }

        @Test func saysWhatStopsIt() throws {
            let nowhere = try migrate("nowhere_\(UInt32.random(in: 0 ... .max))")
            #expect(nowhere.status == 69)
            #expect(nowhere.error.contains("no schema of the search_path"), "\(nowhere.error)")
            // A worker's role is no owner.
            let scene = try Scene(.python)
            let worker = try scene.amity(["migrate"])
            #expect(worker.status == 69)
            #expect(worker.error.contains("as the owner of the tables"), "\(worker.error)")
        }

        /// Fault: a backup holds a lock, and after a minute there is "SQLSTATE 55P03".
        @Test func namesALockThatItWaitedFor() throws {
            let scene = try Scene()
            try scene.sql("ALTER TABLE amity_crashes DROP COLUMN charged_at")
            try scene.lock("LOCK TABLE amity_crashes IN ACCESS SHARE MODE")
            let migrator = Migrator(
                target: scene.owner,
                version: amityVersion,
                lockTimeout: .milliseconds(100)
            )
            let error = #expect(throws: MigrationError.self) { try migrator.run() }
            #expect(error?.description.contains("other sessions used a table") == true)
            try scene.sql("COMMIT")
            #expect(try migrator.run().contains { $0.contains("amity_crashes.charged_at") })
        }
    }
}
