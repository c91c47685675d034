import AMQP
import Amity
import Foundation
import Postgres
import Testing
import WorkerRuntime

extension Integration {
    /// Each test seeds one mistake on real servers, and expects that finding and no other.
    struct DoctorTests {
        /// Runs the doctor.
        ///
        /// - Returns: all that is not fine, as `level check`. That nobody consumes, as in most tests, is
        ///   left out, and unless it is asked for, that there is no management plugin.
        private func findings(
            _ scene: Scene,
            _ extra: [String: String] = [:],
            leavingOut expected: [String] = ["note consumers", "note management"],
            status: Int32? = nil
        ) throws -> [String] {
            let (found, exit) = try report(scene, extra)
            let worst: Int32 = found.contains { $0.level == "error" } ? 1 : 0
            #expect(exit == status ?? worst)
            return found.map { "\($0.level) \($0.check)" }.filter { !expected.contains($0) }
        }

        private func report(
            _ scene: Scene,
            _ extra: [String: String]
        ) throws -> (findings: [Report.Entry], status: Int32) {
            let done = try scene.amity(["doctor", "--json"], extra)
            let report = try JSONDecoder().decode(Report.self, from: Data(done.output.utf8))
            return (report.findings.filter { $0.level != "ok" }, done.status)
        }

        private struct Report: Decodable {
            struct Entry: Decodable { var level, check, text, source: String }
            var findings: [Entry]
        }

        /// A scene with everything in its place.
        private func scene(
            _ tables: Scene.Tables = .fresh,
            _ extra: [String: String] = [:]
        ) throws -> Scene {
            let scene = try Scene(tables, settings: extra)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            return scene
        }

        /// The plugin's user has what the README gives it.
        @Test func aHealthySetUpHasNoFinding() throws {
            let plugin = try ManagementPlugin()
            let scene = try scene()
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", scene.name)
                } catch { Issue.record(error, "a user is left over") }
            }
            try Servers.rabbitmqctl("set_user_tags", scene.name, "monitoring")
            try Servers.rabbitmqctl("set_permissions", scene.name, "^$", "^$", "^$")
            let url = plugin.url.replacing(/\/\/.*@/, with: "//\(scene.name):password@")
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            let extra = ["RABBITMQ_MANAGEMENT_URL": url]
            // The plugin gathers every few seconds.
            try eventually("nothing is found") {
                try findings(scene, extra, leavingOut: []).isEmpty
            }
            let shown = try scene.amity(["doctor", "--all"], extra)
            #expect(shown.output.contains("ok       rival-writer: nobody else was seen to write"))
            #expect(worker.events("consumer.connection-lost").isEmpty)
        }

        /// Fault: the doctor takes or leaves a message, or makes what it should only look for.
        @Test func nothingIsChanged() throws {
            let scene = try Scene()
            #expect(try findings(scene) == ["error topology", "warning topology"])
            #expect(try scene.queue.unsettled() == nil)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try scene.publish(ids: "c1")
            #expect(try findings(scene) == [])
            #expect(try scene.queue.ready() == 1)
            #expect(try !scene.queue.isFirstRedelivered())
        }

        @Test func settingsAreNamedAllAtOnce() throws {
            let scene = try scene()
            let found = try findings(
                scene,
                ["BATCH_MAX": "0", "LOG_LEVEL": "loud"],
                status: 78
            )
            #expect(found == ["error settings", "error settings"])
        }

        // MARK: Broker

        @Test func anAddressThatIsAwayIsNamed() throws {
            let scene = try scene()
            let url = try #require(Servers.environment["RABBITMQ_URL"])
            let dead = url.replacing(/:\d+\//, with: ":1/")
            let some = try findings(scene, ["RABBITMQ_URL": "\(dead),\(url)"])
            #expect(some == ["warning broker"])
            #expect(try findings(scene, ["RABBITMQ_URL": dead]) == ["error broker"])
            let other = url.replacing(/amity:\w+@/, with: "amity:wrong@")
            #expect(try findings(scene, ["RABBITMQ_URL": other]) == ["error broker"])
        }

        @Test(arguments: [
            ("^$", "^{queue}$", "error broker-permissions"),
            ("^amq\\.default$", "^$", "error broker-permissions"),
            ("^(amq\\.default|{queue}\\..*)$", "^{queue}$", "note dead-letter-wiring"),
        ])
        func aPermissionThatLacksIsNamed(write: String, read: String, found: String) throws {
            let scene = try scene()
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            try Servers.rabbitmqctl(
                "set_permissions",
                scene.name,
                "^$",
                write.replacing("{queue}", with: scene.name),
                read.replacing("{queue}", with: scene.name)
            )
            let address = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))/%2F"
            let seen = try findings(
                scene,
                ["RABBITMQ_URL": "amqp://\(scene.name):password@\(address)"]
            )
            try Servers.rabbitmqctl("delete_user", scene.name)
            // Who may not declare cannot compare either.
            #expect(Set(seen) == [found, "note dead-letter-wiring"])
        }

        @Test func anExchangeThatLeadsNowhereIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try scene()
            let found = try findings(
                scene,
                ["RABBITMQ_MANAGEMENT_URL": plugin.url, "RABBITMQ_ROUTING_KEY": "other"]
            )
            #expect(found == ["warning topology"])
        }

        /// The first is what the Python publisher declares.
        @Test func aQueueThatThrowsAwayIsNamed() throws {
            let plugin = try ManagementPlugin()
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            for arguments in [
                [("x-message-ttl", 86_400_000), ("x-max-length", 100_000)],
                [("x-expires", 9_000_000)],
            ] {
                let scene = try Scene()
                try scene.queue.declare(arguments.map { ($0, .integer(Int64($1))) })
                try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
                #expect(try findings(scene, management) == ["warning queue-limits"])
                #expect(try findings(scene) == ["warning queue-limits"])
            }
            let scene = try scene()
            try Servers.rabbitmqctl(
                "set_policy",
                scene.name,
                "^\(scene.name)$",
                #"{"max-length": 5}"#
            )
            try eventually("the policy shows") {
                try findings(scene, management) == ["warning queue-limits"]
            }
            try Servers.rabbitmqctl("clear_policy", scene.name)
        }

        @Test func aDelayQueueThatGivesNothingBackIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene()
            let delay = TestQueue(
                name: "\(scene.name).retry.1",
                endpoint: scene.settings.endpoint
            )
            try delay.declare([("x-message-ttl", .integer(1000))])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            for extra in [[:], ["RABBITMQ_MANAGEMENT_URL": plugin.url]] {
                #expect(try findings(scene, extra) == ["error dead-letter-wiring"])
            }
        }

        @Test func aQuorumQueueThatGivesUpIsNamed() throws {
            let plugin = try ManagementPlugin()
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            let type: [(String, HeaderValue)] = [("x-queue-type", .string("quorum"))]
            for (arguments, found) in [
                (type, []),
                (type + [("x-delivery-limit", .integer(3))], ["warning delivery-limit"]),
            ] {
                let scene = try Scene()
                try scene.queue.declare(arguments)
                try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
                try eventually("the plugin knows its type") {
                    try findings(scene, management) == found
                }
                #expect(try findings(scene) == ["note queue-limits"])
            }
        }

        @Test func aQueueThatWaitsForLessIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene()
            try scene.queue.declare([("x-consumer-timeout", .integer(60_000))])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            #expect(try findings(scene, management) == ["warning consumer-timeout"])
            let longer = management.merging(["TASK_TIMEOUT_SECONDS": "90"]) { $1 }
            #expect(try findings(scene, longer) == ["error consumer-timeout"])
            let agreed = management.merging(["CONSUMER_TIMEOUT_SECONDS": "60"]) { $1 }
            #expect(try findings(scene, agreed) == [])
        }

        @Test func deadLettersAndIdleQueuesAreNoted() throws {
            let scene = try scene()
            try scene.bury(Array("{}".utf8), .init())
            let found = try findings(scene, leavingOut: ["note management"])
            #expect(found == ["note consumers", "note dead-letters"])
        }

        @Test func aPluginThatCannotBeAskedIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try scene()
            let wrong = plugin.url.replacing(/amity:\w+@/, with: "amity:wrong@")
            for url in [wrong, "http://127.0.0.1:1"] {
                let found = try findings(scene, ["RABBITMQ_MANAGEMENT_URL": url])
                #expect(found == ["warning management"])
            }
            #expect(try findings(scene, leavingOut: ["note consumers"]) == ["note management"])
        }

        @Test func aBrokerThatIsFullIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try scene()
            try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.000001")
            defer {
                do {
                    try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
                } catch { Issue.record(error, "the broker stays blocked") }
            }
            var found: [String] = []
            try eventually("the alarm shows: \(found)") {
                found = try findings(scene, ["RABBITMQ_MANAGEMENT_URL": plugin.url])
                return found == ["note broker-permissions", "error management"]
            }
        }

        // MARK: Rivals

        @Test func anotherConsumerIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try scene()
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            try eventually("the worker alone is fine") { try findings(scene, management) == [] }
            try scene.queue.whileConsuming {
                try eventually("the other shows") {
                    try findings(scene, management) == ["error rival-writer"]
                }
            }
        }

        @Test func anotherWriterIsNamed() throws {
            let scene = try scene()
            var other = try Session(to: scene.owner, applicationName: "uvicorn")
            _ = try other.flight([
                (Statement("add", "UPDATE friendship_status SET friendship_score = 1"), [])
            ])
            #expect(try findings(scene, try scene.asOwner()) == ["error rival-writer"])
            _ = consume other
            try eventually("it has gone") { try findings(scene, try scene.asOwner()) == [] }
        }

        /// As the Python worker does with every change.
        @Test func doubledScoresAreNamed() throws {
            let scene = try scene()
            for user in ["a", "b", "c"] {
                try scene.addConversation("c-\(user)", user: user)
            }
            try scene.sql(
                "UPDATE conversation_events SET status = 'PROCESSED', friendship_score_change = 4"
            )
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score)
                VALUES ('a', 4), ('b', 4), ('c', 4)
                """
            )
            #expect(try findings(scene) == [])
            try scene.sql("UPDATE friendship_status SET friendship_score = 8")
            try scene.reconnect()
            #expect(try findings(scene) == ["warning rival-writer"])
        }

        // MARK: Database

        @Test func aDatabaseThatIsAwayIsNamed() throws {
            let scene = try scene()
            let port = try Servers.port("DATABASE_URL")
            let url = try #require(try scene.asOwner()["DATABASE_URL"])
            let both = url.replacing("@127.0.0.1:\(port)/", with: "@127.0.0.1:\(port),127.0.0.1:1/")
            #expect(try findings(scene, ["DATABASE_URL": both]) == ["warning database"])
            let none = url.replacing(":\(port)/", with: ":1/")
            #expect(try findings(scene, ["DATABASE_URL": none]) == ["error database"])
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
                let scene = try scene()
                try scene.sql(change)
                #expect(try findings(scene) == found, "\(change)")
            }
        }

        /// A team may run on the Python service's tables as they are.
        @Test func thePythonServicesTablesAreUsable() throws {
            let scene = try scene(.python)
            let found = ["warning schema", "note indexes", "note indexes"]
            #expect(try findings(scene) == found)
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
            let scene = try scene()
            try scene.sql("\(change.replacing("{}", with: scene.name)) \(scene.name)")
            #expect(try findings(scene) == found)
        }

        @Test func tooManyReplicasAreNamed() throws {
            let scene = try scene()
            #expect(try findings(scene, ["WORKER_REPLICAS": "29"]) == [])
            #expect(try findings(scene, ["WORKER_REPLICAS": "30"]) == ["error max-connections"])
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
            let scene = try scene()
            // A pooler drops the search_path that a test's sessions ask for, so it is the role's.
            try scene.sql("ALTER ROLE amity IN DATABASE amity SET search_path = \(scene.name)")
            defer {
                do {
                    try Servers.psql(["-c", "ALTER ROLE amity IN DATABASE amity RESET search_path"])
                } catch { Issue.record(error, "the role keeps its search_path") }
            }
            let pooler = try Pooler(mode, ignoring: ignoring)
            let url = try pooler.rerouted(try #require(Servers.environment["DATABASE_URL"]))
            #expect(try findings(scene, ["DATABASE_URL": url]) == [found])
            let texts = try report(scene, ["DATABASE_URL": url]).findings.map(\.text)
            #expect(texts.contains { $0.contains(text) }, "\(texts)")
            withExtendedLifetime(pooler) {}
        }

        // MARK: Host

        @Test func aSecretThatOthersMayReadIsNamed() throws {
            let scene = try scene()
            let file = try TemporaryFile(try #require(Servers.environment["RABBITMQ_URL"]))
            let extra = ["RABBITMQ_URL": "", "RABBITMQ_URL_FILE": file.path]
            for (mode, found) in [(0o644, ["warning secret-files"]), (0o600, [])] {
                try #require(chmod(file.path, mode_t(mode)) == 0)
                #expect(try findings(scene, extra) == found)
            }
        }

        @Test func limitsOfTheHostAreNamed() throws {
            let scene = try scene()
            let large = ["MESSAGE_MAX_BYTES": "536870912", "PREFETCH_COUNT": "65535"]
            #expect(try findings(scene, large) == ["warning memory"])
            let many = ["DATABASE_SESSIONS_MAX": "200"]
            let limited = try scene.amity(["doctor", "--json"], many, openFiles: 100)
            #expect(limited.status == 1)
            #expect(limited.output.contains("only 100 files may be open and 264 may be needed"))
        }
    }
}
