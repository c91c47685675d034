import Foundation
import Testing

extension Integration {
    /// What makes something up asks before it does so on servers of others.
    struct Consent {
        /// Names that lead nowhere, as RFC 2606 has it.
        private static let production = [
            "RABBITMQ_URL": "amqp://u:canary@rabbit.invalid:5673/live",
            "DATABASE_URL": "postgresql://u:canary@db.invalid/live",
        ]
        private static let commands = [
            ["bench", "--conversations", "1"], ["tune", "--conversations", "1"],
            ["publish", "--generate", "1"],
        ]

        private func run(
            _ arguments: [String],
            _ extra: [String: String] = [:]
        ) throws -> Command.Result {
            try Command.run(
                Command.amity,
                arguments,
                environment: Self.production.merging(extra) { $1 }
            )
        }

        /// Fault: production's URLs are exported in the shell where a benchmark is tried.
        @Test(arguments: commands)
        func withoutATerminalNothingIsDone(arguments: [String]) throws {
            let result = try run(arguments)
            #expect(result.status == 64, "\(result.error)")
            #expect(result.error.contains("broker rabbit.invalid:5673, vhost live"))
            #expect(result.error.contains("database live at db.invalid"))
            #expect(result.error.contains("--yes"))
            #expect(!result.error.contains("canary"))
            // One of them elsewhere is enough.
            let local = ["RABBITMQ_URL": try #require(Servers.environment["RABBITMQ_URL"])]
            #expect(try run(arguments, local).status == 64)
        }

        @Test(arguments: commands)
        func withYesItGoesOn(arguments: [String]) throws {
            let result = try run(arguments + ["--yes"])
            // There it fails: nothing is there.
            #expect(result.status == 69, "\(result.error)")
            #expect(result.error.contains("rabbit.invalid") && !result.error.contains("canary"))
        }

        @Test(arguments: [("no", 1), ("yes", 69)] as [(String, Int32)])
        func onATerminalItAsks(answer: String, status: Int32) throws {
            let terminal = try PseudoTerminal()
            let process = Process()
            process.executableURL = Command.amity
            process.arguments = ["publish", "--generate", "1"]
            process.environment = Command.inherited.merging(Self.production) { $1 }
            process.standardInput = terminal.handle
            process.standardOutput = terminal.handle
            process.standardError = terminal.handle
            try process.run()
            defer { kill(process.processIdentifier, SIGKILL) }
            try eventually("it asks") { terminal.output.contains("Type yes to go on:") }
            #expect(process.isRunning)
            terminal.type(answer)
            try eventually("it ends") { !process.isRunning }
            #expect(process.terminationStatus == status, "\(terminal.output)")
        }
    }
}
