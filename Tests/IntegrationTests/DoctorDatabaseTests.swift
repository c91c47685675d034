import Foundation
import Testing

extension Integration {
    /// The same for the database, what stands before it, and the host.
    struct DoctorDatabaseTests {
        @Test func aDatabaseThatIsAwayIsNamed() throws {
            let scene = try Scene.complete()
            let port = try Servers.port("DATABASE_URL")
            let url = try #require(try scene.asOwner()["DATABASE_URL"])
            let both = url.replacing("@127.0.0.1:\(port)/", with: "@127.0.0.1:\(port),127.0.0.1:1/")
            #expect(try scene.findings(["DATABASE_URL": both]) == ["warning database"])
            let none = url.replacing(":\(port)/", with: ":1/")
            #expect(try scene.findings(["DATABASE_URL": none]) == ["error database"])
        }

        @Test func aTableThatIsNotAsItShouldBeIsNamed() throws {
            for (change, found) in [
                ("ALTER TABLE friendship_status DROP COLUMN updated_at", ["error schema"]),
                (
                    "ALTER TABLE friendship_status ALTER COLUMN friendship_score TYPE real",
                    ["error schema"]
                ),
                ("DROP TABLE agenda_agent_prompting", ["error schema"]),
                ("DROP TABLE amity_crashes", ["warning schema"]),
            ] {
                let scene = try Scene.complete()
                try scene.sql(change)
                #expect(try scene.findings() == found, "\(change)")
            }
        }

        /// A team may run on the Python service's tables as they are.
        @Test func thePythonServicesTablesAreUsable() throws {
            let scene = try Scene.complete(.python)
            let found = ["warning schema", "note indexes", "note indexes"]
            #expect(try scene.findings() == found)
        }

        @Test(arguments: [
            ("REVOKE UPDATE ON conversation_events FROM", ["error grants"]),
            ("REVOKE ALL ON agenda_agent_prompting FROM", ["error grants"]),
            ("REVOKE DELETE ON amity_in_hand FROM", ["warning grants"]),
            (
                "ALTER ROLE {} SET default_transaction_read_only = on --",
                ["error database-writable"]
            ),
            ("ALTER ROLE {} CONNECTION LIMIT 5 --", ["error max-connections"]),
        ])
        func aRoleThatMayNotIsNamed(change: String, found: [String]) throws {
            let scene = try Scene.complete()
            try scene.sql("\(change.replacing("{}", with: scene.name)) \(scene.name)")
            #expect(try scene.findings() == found)
        }

        @Test func tooManyReplicasAreNamed() throws {
            let scene = try Scene.complete()
            #expect(try scene.findings(["WORKER_REPLICAS": "29"]) == [])
            #expect(try scene.findings(["WORKER_REPLICAS": "30"]) == ["error max-connections"])
        }

        // MARK: Poolers

        @Test(arguments: [
            ("session", "", "error database", "a pooler that drops"),
            ("session", "options", "error pooler", "do not reach the server"),
            ("transaction", "options", "error pooler", "gives each transaction another server"),
            ("statement", "options", "error pooler", "gives each transaction another server"),
        ])
        func aPoolerInBetweenIsNamed(
            mode: String,
            ignoring: String,
            found: String,
            text: String
        ) throws {
            let scene = try Scene.complete()
            // A pooler drops the search_path that a test's sessions ask for, so it is the role's.
            try scene.sql("ALTER ROLE amity IN DATABASE amity SET search_path = \(scene.name)")
            defer {
                do {
                    try Servers.psql(["-c", "ALTER ROLE amity IN DATABASE amity RESET search_path"])
                } catch { Issue.record(error, "the role keeps its search_path") }
            }
            let pooler = try Pooler(mode, ignoring: ignoring)
            let url = try pooler.rerouted(try #require(Servers.environment["DATABASE_URL"]))
            #expect(try scene.findings(["DATABASE_URL": url]) == [found])
            let texts = try scene.report(["DATABASE_URL": url]).findings.map(\.text)
            #expect(texts.contains { $0.contains(text) }, "\(texts)")
            withExtendedLifetime(pooler) {}
        }

        // MARK: Host

        @Test func aSecretThatOthersMayReadIsNamed() throws {
            let scene = try Scene.complete()
            let file = try TemporaryFile(try #require(Servers.environment["RABBITMQ_URL"]))
            let extra = ["RABBITMQ_URL": "", "RABBITMQ_URL_FILE": file.path]
            for (mode, found) in [(0o644, ["warning secret-files"]), (0o600, [])] {
                try #require(chmod(file.path, mode_t(mode)) == 0)
                #expect(try scene.findings(extra) == found)
            }
        }

        @Test func limitsOfTheHostAreNamed() throws {
            let scene = try Scene.complete()
            let large = ["MESSAGE_MAX_BYTES": "536870912", "PREFETCH_COUNT": "65535"]
            #expect(try scene.findings(large) == ["warning memory"])
            let many = ["DATABASE_SESSIONS_MAX": "200"]
            let limited = try scene.amity(["doctor", "--json"], many, openFiles: 100)
            #expect(limited.status == 1)
            #expect(limited.output.contains("only 100 files may be open and 264 may be needed"))
        }
    }
}
