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

        /// Faults: the tables cannot take what Amity writes, or hide it, and the doctor says that
        /// all is well.
        @Test(arguments: [
            ("ALTER TABLE friendship_status ADD COLUMN tenant_id int NOT NULL", "error writes"),
            ("ALTER TABLE conversation_events ADD COLUMN tenant_id int NOT NULL", "note writes"),
            (
                """
                ALTER TABLE friendship_status
                ADD COLUMN half float8 GENERATED ALWAYS AS (friendship_score / 2) STORED
                """,
                "note writes"
            ),
            (
                """
                ALTER TABLE friendship_status DROP COLUMN friendship_level, ADD COLUMN
                friendship_level text GENERATED ALWAYS AS (user_id || '!') STORED
                """,
                "error writes"
            ),
            ("ALTER TABLE friendship_status ADD CHECK (friendship_score < 99)", "note writes"),
            (
                """
                ALTER TABLE conversation_events DROP CONSTRAINT conversation_events_status_check,
                ADD CHECK (status IN ('PENDING', 'PROCESSED'))
                """,
                "error writes"
            ),
            (
                """
                CREATE TRIGGER suppress BEFORE UPDATE ON friendship_status
                FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
                """,
                "note writes"
            ),
            (
                "ALTER TABLE conversation_events ALTER COLUMN error_code TYPE varchar(8)",
                "error writes"
            ),
            (
                "ALTER TABLE conversation_events ALTER COLUMN error_details SET NOT NULL",
                "error writes"
            ),
            (
                "ALTER TABLE friendship_status ALTER COLUMN user_id TYPE varchar(40)",
                "warning writes"
            ),
            ("ALTER TABLE conversation_events ENABLE ROW LEVEL SECURITY", "error row-security"),
            (
                """
                ALTER TABLE conversation_events ENABLE ROW LEVEL SECURITY;
                CREATE POLICY all_of_them ON conversation_events FOR SELECT USING (true)
                """,
                "error row-security"
            ),
            (
                """
                ALTER TABLE conversation_events ENABLE ROW LEVEL SECURITY;
                CREATE POLICY all_of_them ON conversation_events USING (true)
                """,
                "note row-security"
            ),
            (
                "ALTER TABLE friendship_status DROP CONSTRAINT friendship_status_pkey",
                "error keys"
            ),
            (
                """
                ALTER TABLE conversation_events
                DROP CONSTRAINT conversation_events_conversation_id_key
                """,
                "warning keys"
            ),
            (
                """
                CREATE COLLATION lax
                    (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                ALTER TABLE conversation_events
                    ALTER COLUMN conversation_id TYPE varchar(255) COLLATE lax
                """,
                "error keys"
            ),
        ])
        func aTableThatCannotTakeAScoreIsNamed(change: String, found: String) throws {
            let scene = try Scene.complete()
            for statement in change.split(separator: ";") { try scene.sql(String(statement)) }
            #expect(try scene.findings() == [found])
        }

        /// Faults: rows that no worker can score, and the doctor does not report them.
        @Test func oddRowsAreNamed() throws {
            let scene = try Scene.complete()
            try scene.addConversation("c1")
            #expect(try scene.findings() == [])
            try scene.sql("UPDATE conversation_events SET created_at = now() + interval '7 hours'")
            let future = try scene.report([:]).findings.filter { $0.check == "rows" }
            #expect(future.map(\.level) == ["warning"])
            #expect(future.first?.text.contains("7 h 0 min") == true, "\(future)")
            try scene.sql("DELETE FROM conversation_events")
            try scene.sql(
                """
                ALTER TABLE conversation_events ALTER COLUMN status DROP NOT NULL,
                    ALTER COLUMN user_id DROP NOT NULL,
                    DROP CONSTRAINT conversation_events_conversation_id_key
                """
            )
            for _ in 0..<2 { try scene.addConversation("twice") }
            try scene.sql("UPDATE conversation_events SET status = NULL")
            try scene.addConversation("no user's")
            try scene.sql(
                "UPDATE conversation_events SET user_id = NULL WHERE conversation_id = 'no user''s'"
            )
            try scene.sql("INSERT INTO friendship_status VALUES ('user', 'NaN')")
            let odd = try scene.report([:]).findings.filter { $0.check == "rows" }.map(\.text)
            for text in ["status NULL", "user_id NULL", "more than one row", "no number"] {
                #expect(odd.contains { $0.contains(text) }, "\(text): \(odd)")
            }
        }

        /// Fault: what is lost of Amity's own stays lost: the doctor says migrate, migrate says
        /// left as it is.
        @Test(arguments: [
            ("DROP TABLE amity_analyses", "warning schema", "made table amity_analyses again"),
            (
                "ALTER TABLE amity_workers DROP COLUMN failures", "warning schema",
                "made column amity_workers.failures again"
            ),
            (
                "ALTER TABLE amity_crashes DROP COLUMN crashes", "warning schema",
                "made column amity_crashes.crashes again"
            ),
            (
                "ALTER TABLE amity_analyses DROP CONSTRAINT amity_analyses_pkey", "warning schema",
                "made primary key of amity_analyses again"
            ),
            ("DROP TABLE amity_migrations", "note schema", "recorded crash attribution"),
        ])
        func whatIsLostOfOurOwnIsMadeAgain(change: String, found: String, line: String) throws {
            let scene = try Scene.complete()
            try scene.sql("INSERT INTO amity_crashes (key, crashes) VALUES ('k', 1)")
            try scene.sql(change)
            try scene.reconnect()
            #expect(try scene.findings() == [found])
            let migrated = try scene.amity(["migrate"], try scene.asOwner())
            #expect(migrated.status == 0 && migrated.output.contains(line), "\(migrated)")
            try scene.grantAgain()
            #expect(try scene.findings() == [])
            #expect(try scene.sql("SELECT key FROM amity_crashes").string(0, 0) == "k")
        }

        /// Fault: a session of another isolation level reads what it has locked as it was before.
        @Test func anotherIsolationLevelIsNamed() throws {
            let scene = try Scene.complete()
            try scene.sql(
                "ALTER ROLE \(scene.name) SET default_transaction_isolation = 'repeatable read'"
            )
            let found = try scene.findings()
            #expect(found.count == 1 && found[0].hasSuffix("session-settings"), "\(found)")
        }

        // MARK: Standbys

        /// Faults: a standby is found out by a table that it does not have, or not at all; and of
        /// two hosts the doctor says "workers use the other addresses".
        @Test(.withoutPooler) func aStandbyIsNamed() throws {
            let scene = try Scene.complete()
            let standby = try Standby()
            let port = try Servers.port("DATABASE_URL")
            let url = try #require(scene.variables["DATABASE_URL"])
            let alone = url.replacing(":\(port)/", with: ":\(standby.port)/")
            let found = try scene.findings(["DATABASE_URL": alone])
            #expect(found == ["error database-writable", "note database-unseen"])
            let both = url.replacing(
                "@127.0.0.1:\(port)/",
                with: "@127.0.0.1:\(standby.port),127.0.0.1:\(port)/"
            )
            let safe = ["DATABASE_URL": "\(both)&target_session_attrs=read-write"]
            #expect(try scene.findings(safe) == [])
            let shown = try scene.amity(["doctor", "--all"], safe).output
            #expect(
                shown.contains(
                    "127.0.0.1:\(port) is the primary, 127.0.0.1:\(standby.port) a standby"
                ),
                "\(shown)"
            )
            let migrated = try scene.amity(["migrate"], ["DATABASE_URL": alone])
            #expect(migrated.status == 69 && migrated.error.contains("is a standby"))
        }

        /// A team may run on the Python service's tables as they are.
        @Test func thePythonServicesTablesAreUsable() throws {
            let scene = try Scene.complete(.python)
            let found = ["warning schema", "note indexes", "note indexes"]
            #expect(try scene.findings() == found)
            // What each of its indexes costs.
            let shown = try scene.amity(["doctor", "--all"]).output
            let names = try scene.sql(
                """
                SELECT indexrelid::regclass::text FROM pg_index
                WHERE indrelid = ANY ('{conversation_events,friendship_status}'::regclass[])
                    AND NOT indisunique
                """
            )
            #expect(names.count > 8)
            #expect(shown.contains("1 to 3 µs") == false, "\(shown)")
            for row in 0..<names.count {
                let name = try #require(names.string(row, 0)).split(separator: ".").last ?? ""
                let isOfLogs = name.contains("log")
                let line = shown.split(separator: "\n").first { $0.contains("\(name) (") }
                #expect(line?.contains(isOfLogs ? "55 µs" : "µs for \(name) (") == true, "\(name)")
            }
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
            ("session", "", 20, ["error database"], "a pooler that drops"),
            ("session", "options", 20, ["error pooler"], "do not reach the server"),
            (
                "session", "options", 3, ["error pooler", "error pooler"],
                "has given 3 sessions a server"
            ),
            (
                "session", "options", 1, ["error pooler", "error pooler"],
                "has given 1 sessions a server"
            ),
            (
                "transaction", "options", 20,
                [Pooler.keepsStatements ? "warning pooler" : "error pooler"],
                Pooler.keepsStatements
                    ? "and drops the limits" : "gives each transaction another server"
            ),
            (
                "statement", "options", 20, ["error pooler"],
                Pooler.keepsStatements
                    ? "gives each statement another server"
                    : "gives each transaction another server"
            ),
        ])
        func aPoolerInBetweenIsNamed(
            mode: String,
            ignoring: String,
            places: Int,
            found: [String],
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
            let pooler = try Pooler(mode, ignoring: ignoring, places: places)
            let url = try pooler.rerouted(try #require(Servers.environment["DATABASE_URL"]))
            #expect(try scene.findings(["DATABASE_URL": url]) == found)
            let texts = try scene.report(["DATABASE_URL": url]).findings.map(\.text)
            #expect(texts.contains { $0.contains(text) }, "\(texts)")
            withExtendedLifetime(pooler) {}
        }

        /// Fault: a worker without messages said nothing of a pooler that no session of it can work
        /// with.
        @Test(.enabled(if: !Pooler.keepsStatements, "a newer PgBouncer keeps them"))
        func aWorkerWithoutMessagesNamesThePooler() throws {
            let scene = try Scene.complete()
            try scene.sql("ALTER ROLE amity IN DATABASE amity SET search_path = \(scene.name)")
            defer {
                do {
                    try Servers.psql(["-c", "ALTER ROLE amity IN DATABASE amity RESET search_path"])
                } catch { Issue.record(error, "the role keeps its search_path") }
            }
            let pooler = try Pooler("transaction", ignoring: "options")
            let url = try pooler.rerouted(try #require(Servers.environment["DATABASE_URL"]))
            let worker = try scene.startWorker(["DATABASE_URL": url])
            try eventually("it names the pooler") {
                worker.events("database.unavailable").contains {
                    ($0["error"] as? String)?.contains("a pooler in transaction mode") ?? false
                }
            }
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

        /// Fault: the files in a folder that is closed to others are open to the containers' users,
        /// and the doctor would have them closed to those.
        @Test func aSecretThatOthersCannotGetToIsNone() throws {
            let scene = try Scene.complete()
            let file = try TemporaryFile(try #require(Servers.environment["RABBITMQ_URL"]))
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "\(scene.name)-secrets"
            )
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
            let path = folder.appending(path: "url").path
            try FileManager.default.copyItem(atPath: file.path, toPath: path)
            try #require(chmod(path, 0o644) == 0)
            let extra = ["RABBITMQ_URL": "", "RABBITMQ_URL_FILE": path]
            for (mode, found) in [(0o755, ["warning secret-files"]), (0o700, [])] {
                try #require(chmod(folder.path, mode_t(mode)) == 0)
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
