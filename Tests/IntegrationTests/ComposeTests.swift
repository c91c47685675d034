import Foundation
import Testing

extension Integration {
    /// What `deploy/compose.yaml` makes before a worker starts, on the servers of this run.
    struct ComposeTests {
        private static let deploy = Servers.root.appending(path: "deploy")

        private struct Definitions: Decodable {
            struct User: Decodable { var name, tags: String }
            struct Permission: Decodable { var user, configure, write, read: String }
            var users: [User]
            var permissions: [Permission]
        }

        private func copy(_ names: String...) throws -> URL {
            let folder = FileManager.default.temporaryDirectory
                .appending(path: "amity-compose-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for name in names {
                try FileManager.default.copyItem(
                    at: Self.deploy.appending(path: name),
                    to: folder.appending(path: name)
                )
            }
            return folder
        }

        private func mode(_ url: URL) -> mode_t {
            var status = stat()
            return stat(url.path, &status) == 0 ? status.st_mode & 0o777 : 0
        }

        /// Fault: secrets closed to all but the host's user, by hand, as an older doctor advised;
        /// the containers' users cannot read them, and nothing mends it.
        @Test func secretsAreMadeOnceAndTheirModesAlways() throws {
            let folder = try copy("secrets")
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
            let secrets = folder.appending(path: "secrets.d")
            let password = secrets.appending(path: "postgres_worker_password")
            #expect(try Command.run(folder.appending(path: "secrets"), []).status == 0)
            let first = try String(contentsOf: password, encoding: .utf8)
            try #require(chmod(password.path, 0o600) == 0 && chmod(secrets.path, 0o755) == 0)
            #expect(try Command.run(folder.appending(path: "secrets"), []).status == 0)
            #expect(mode(password) == 0o644 && mode(secrets) == 0o700)
            #expect(try String(contentsOf: password, encoding: .utf8) == first)
            #expect(first.count == 48)
        }

        /// Fault: a worker that logs in as the broker's administrator.
        @Test func theBrokersWorkerMayOnlyWork() throws {
            let folder = try copy("secrets")
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
            #expect(try Command.run(folder.appending(path: "secrets"), []).status == 0)
            let file = folder.appending(path: "secrets.d/rabbitmq_definitions.json")
            let made = try JSONDecoder().decode(Definitions.self, from: Data(contentsOf: file))
            #expect(
                made.users.filter { $0.tags.isEmpty }.map(\.name) == [
                    "amity_owner", "amity_worker",
                ]
            )
            let worker = try #require(made.permissions.first { $0.user == "amity_worker" })
            let queue = "conversation_events_processing"
            #expect(worker.configure == "^$")
            #expect(worker.write == #"^amq\.default$|^amity\.events$"#)
            #expect(worker.read == #"^\#(queue)(\.dead)?$|^amity_tasks\."#)
            try runTasks(with: made)
        }

        /// Fault: tasks are accepted, and the worker may not read their queues, and no account may
        /// make them.
        private func runTasks(with made: Definitions) throws {
            let tasks = try TaskWorkerScene()
            let scene = tasks.tasks.scene
            var names: [String] = []
            defer {
                for name in names {
                    #expect(throws: Never.self) { try Servers.rabbitmqctl("delete_user", name) }
                }
            }
            func account(_ user: String, _ own: [String: String]) throws -> [String: String] {
                let permission = try #require(made.permissions.first { $0.user == user })
                let patterns = [permission.configure, permission.write, permission.read].map {
                    $0.replacing("conversation_events_processing", with: scene.name)
                        .replacing("conversation_", with: scene.name)
                }
                let name = "\(scene.name)_\(user)"
                try Servers.rabbitmqctl("add_user", name, "password")
                names.append(name)
                try Servers.rabbitmqctl(["set_permissions", name] + patterns)
                let address = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))/%2F"
                return own.merging([
                    "RABBITMQ_URL": "amqp://\(name):password@\(address)",
                    "TASK_QUEUES": tasks.pool, "EVENTS": "tasks",
                ]) { _, new in new }
            }
            let migrated = try scene.amity(
                ["migrate", "--topology"],
                try account("amity_owner", try scene.asOwner())
            )
            #expect(migrated.status == 0, "\(migrated.error)")
            let worker = try scene.startWorker(try account("amity_worker", [:]))
            let echo = try tasks.tasks.submit {
                ($0.pool, $0.payload) = (tasks.pool, #"{"message": "hello"}"#)
            }
            let nothing = try tasks.tasks.submit("benchmark") {
                ($0.pool, $0.payload) = (tasks.pool, "null")
            }
            for id in [echo, nothing] {
                try tasks.wait(for: id, toBe: .completed, within: .seconds(40))
            }
            let result = try #require(try tasks.store.get(echo)).result
            #expect(result == #"{"message": "hello"}"#)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            #expect(worker.events("events.refused").isEmpty)
        }

        /// Faults: a worker that logs in as the database's superuser; or as a role that may too
        /// little, which shows at the first retry. With tables that an earlier version has made as
        /// the superuser.
        @Test func theDatabasesWorkerMayOnlyWork() throws {
            let scene = try Scene.complete()
            let folder = try copy("secrets")
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
            #expect(try Command.run(folder.appending(path: "secrets"), []).status == 0)
            let database = "compose_\(scene.name)"
            try Servers.psql(["-c", "CREATE DATABASE \(database)"])
            defer {
                do {
                    try Servers.psql([
                        "-c", "DROP DATABASE \(database)", "-c",
                        "DROP ROLE amity_owner, amity_worker",
                    ])
                } catch { Issue.record(error, "the roles of compose.yaml are left over") }
            }
            let admin = try #require(Servers.environment["DATABASE_URL"])
                .replacing(/\/amity$/, with: "/\(database)")
            let owner = admin.replacing("amity@", with: "amity_owner@")
            let worker = ["DATABASE_URL": admin.replacing("amity@", with: "amity_worker@")]
            func psql(_ url: String, _ arguments: String...) throws -> String {
                let done = try Command.run(
                    URL(fileURLWithPath: "/usr/bin/env"),
                    ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1"] + arguments + [url],
                    environment: ["SECRETS": folder.appending(path: "secrets.d").path]
                )
                try #require(done.status == 0, "\(done.error)")
                return done.output
            }
            let roles = Self.deploy.appending(path: "roles.sql").path
            let grants = Self.deploy.appending(path: "grants.sql").path
            #expect(try scene.amity(["migrate"], ["DATABASE_URL": admin]).status == 0)
            for _ in 0..<2 {  // As with each start of the stack.
                _ = try psql(admin, "-f", roles)
                #expect(try scene.amity(["migrate"], ["DATABASE_URL": owner]).status == 0)
                _ = try psql(owner, "-v", "role=amity_worker", "-f", grants)
            }
            #expect(try scene.findings(worker) == [])
            let state = try psql(
                admin,
                "-c",
                """
                SELECT string_agg(DISTINCT tableowner, ','), bool_or(rolsuper)
                FROM pg_tables, pg_roles
                WHERE schemaname = 'public' AND rolname IN ('amity_owner', 'amity_worker')
                """
            )
            #expect(state == "amity_owner|f\n")
        }
    }
}
