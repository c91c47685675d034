import Foundation
import Testing

extension Integration {
    /// Passwords are changed while workers run.
    struct Rotation {
        /// Fault: a worker keeps the password that it started with, and its log never says why it
        /// is refused.
        @Test(.withoutPooler, arguments: RotatingPasswords.Form.allCases)
        func aPasswordThatChangesIsReadAgain(form: RotatingPasswords.Form) throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1"])
            let passwords = try RotatingPasswords(form, for: scene, password: "canary-first")
            let worker = try scene.startWorker(try passwords.settings())
            try scene.addConversation("c1")
            try scene.publish(ids: "c1", "gone")
            try scene.waitUntilScored("c1")
            try eventually("it is buried") { try scene.deadLetters.ready() == 1 }

            try passwords.change(to: "canary-second")
            try Servers.rabbitmqctl("close_all_connections", "rotation")
            #expect(try scene.killSessions() > 0)
            let refused = "the password from \(passwords.brokerSetting) was refused"
            try eventually("the log says so") { worker.log.contains(refused) }

            try passwords.write("canary-second")
            try worker.resumes(session: 2)
            try scene.addConversation("c2")
            try scene.publish(ids: "c2", "gone again")
            try scene.waitUntilScored("c2")
            try eventually("it is buried") { try scene.deadLetters.ready() == 2 }

            // Between two passwords a command says which setting is to be looked at.
            try passwords.changeDatabase(to: "canary-third")
            let migrate = try scene.amity(["migrate"], try passwords.settings())
            #expect(migrate.status == 69)
            let sent = "the password from \(passwords.databaseSetting) was sent"
            #expect(migrate.error.contains(sent), "\(migrate.error)")
            unlink(passwords.database.path)
            _ = try scene.killSessions()
            try scene.addConversation("c3")
            try scene.publish(ids: "c3")
            let missing =
                "\(passwords.databaseSetting): cannot read the file it names: No such file"
            try eventually("the log says so") { worker.log.contains(missing) }
            try passwords.write("canary-third")
            try scene.waitUntilScored("c3")
            #expect(!worker.log.contains("canary"))
        }
    }
}
