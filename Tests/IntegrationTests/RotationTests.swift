import Foundation
import Testing

extension Integration {
    /// Passwords are changed while workers run.
    struct Rotation {
        /// How the settings name the files.
        enum Form: CaseIterable { case parts, urls }

        private let broker: TemporaryFile
        private let database: TemporaryFile

        init() throws {
            broker = try TemporaryFile()
            database = try TemporaryFile()
        }

        private func brokerSetting(_ form: Form) -> String {
            form == .parts ? "RABBITMQ_PASSWORD_FILE" : "RABBITMQ_URL_FILE"
        }

        private func databaseSetting(_ form: Form) -> String {
            form == .parts ? "POSTGRES_PASSWORD_FILE" : "DATABASE_URL_FILE"
        }

        private func settings(_ form: Form, _ scene: Scene) throws -> [String: String] {
            var settings = [
                "RABBITMQ_URL": "", "DATABASE_URL": "", "MAX_ATTEMPTS": "1",
                brokerSetting(form): broker.path, databaseSetting(form): database.path,
            ]
            if form == .urls { return settings }
            settings["RABBITMQ_HOST"] = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))"
            settings["RABBITMQ_USERNAME"] = scene.name
            settings["POSTGRES_HOST"] = "127.0.0.1:\(try Servers.port("DATABASE_URL"))"
            settings["POSTGRES_USERNAME"] = scene.name
            let url = try #require(URLComponents(string: scene.variables["DATABASE_URL"] ?? ""))
            settings["POSTGRES_DATABASE"] = String(url.path.dropFirst())
            return settings
        }

        /// As an operator does, in place.
        private func write(_ password: String, _ form: Form, _ scene: Scene) throws {
            let (rabbitmq, postgres) = (
                try Servers.port("RABBITMQ_URL"), try #require(scene.variables["DATABASE_URL"])
            )
            let texts =
                form == .parts
                ? (password, password)
                : (
                    "amqp://\(scene.name):\(password)@127.0.0.1:\(rabbitmq)/",
                    postgres.replacing("\(scene.name)@", with: "\(scene.name):\(password)@")
                )
            for (text, file) in [(texts.0, broker), (texts.1, database)] {
                try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: file.path))
            }
        }

        /// Fault: a worker keeps the password that it started with, and its log never says why it
        /// is refused.
        @Test(arguments: Form.allCases)
        func aPasswordThatChangesIsReadAgain(form: Form) throws {
            let scene = try Scene()
            try scene.sql("ALTER ROLE \(scene.name) SET search_path = \(scene.name)")
            try Servers.rabbitmqctl("add_user", scene.name, "canary-first")
            try Servers.rabbitmqctl("set_permissions", scene.name, ".*", ".*", ".*")
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", scene.name)
                } catch { Issue.record(error, "a user is left over") }
            }
            let role = try PasswordRole(scene.name, password: "canary-first")
            try write("canary-first", form, scene)
            let worker = try scene.startWorker(try settings(form, scene))
            try scene.addConversation("c1")
            try scene.publish(ids: "c1", "gone")
            try scene.waitUntilScored("c1")
            try eventually("it is buried") { try scene.deadLetters.ready() == 1 }

            try Servers.rabbitmqctl("change_password", scene.name, "canary-second")
            try role.set(password: "canary-second")
            try Servers.rabbitmqctl("close_all_connections", "rotation")
            #expect(try scene.killSessions() > 0)
            let refused = "the password from \(brokerSetting(form)) was refused"
            try eventually("the log says so") { worker.log.contains(refused) }

            try write("canary-second", form, scene)
            try worker.resumes(session: 2)
            try scene.addConversation("c2")
            try scene.publish(ids: "c2", "gone again")
            try scene.waitUntilScored("c2")
            try eventually("it is buried") { try scene.deadLetters.ready() == 2 }

            // Between two passwords a command says which setting is to be looked at.
            try role.set(password: "canary-third")
            let migrate = try scene.amity(["migrate"], try settings(form, scene))
            #expect(migrate.status == 69)
            #expect(
                migrate.error.contains("the password from \(databaseSetting(form)) was sent"),
                "\(migrate.error)"
            )
            unlink(database.path)
            _ = try scene.killSessions()
            try scene.addConversation("c3")
            try scene.publish(ids: "c3")
            let missing = "\(databaseSetting(form)): cannot read the file it names: No such file"
            try eventually("the log says so") { worker.log.contains(missing) }
            try write("canary-third", form, scene)
            try scene.waitUntilScored("c3")
            #expect(!worker.log.contains("canary"))
            withExtendedLifetime(role) {}
        }
    }
}
