import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import AmityCLI

extension Integration {
    /// A reader pastes what the README and the articles print.
    struct DocumentedCommands {
        private static let documents: [Document] = {
            do {
                return try Document.all()
            } catch {
                preconditionFailure("the documents cannot be read: \(error)")
            }
        }()

        /// The arguments of a command line of ours, as a shell splits it; nil for other lines.
        private static func arguments(_ command: String) -> [String]? {
            guard let match = command.prefixMatch(of: /(?:sudo )?(?:amity|amityctl) (?=[a-z])/)
            else { return nil }
            return command[match.range.upperBound...].prefix { !"|>&".contains($0) }
                .split(separator: " ").map(String.init)
        }

        /// `amity publish 8f14e45f …` published "…".
        @Test func noCommandHasWordsThatStandForOthers() {
            for document in Self.documents {
                for command in document.commands() where Self.arguments(command) != nil {
                    let isWhole = !command.contains("…") && !command.contains("<")
                    #expect(isWhole, "\(document.name): \(command)")
                }
            }
        }

        @Test func everyCommandIsUnderstood() throws {
            let all = Self.documents.flatMap { $0.commands() }.compactMap(Self.arguments)
            try #require(all.count > 25)
            for arguments in all {
                #expect(throws: Never.self, "amity \(arguments.joined(separator: " "))") {
                    _ = try AmityCommand.parseAsRoot(arguments)
                }
            }
        }

        @Test func everyScriptIsThere() {
            let scripts = Self.documents.flatMap { $0.commands() }.flatMap {
                $0.matches(of: /(?:^|\s)(deploy\/[a-z\/-]+)(?=\s|$)/).map { String($0.1) }
            }
            #expect(Set(scripts).isSuperset(of: ["deploy/demo", "deploy/test", "deploy/prepare"]))
            for script in Set(scripts) {
                let path = Document.root.appending(path: script).path
                #expect(FileManager.default.isExecutableFile(atPath: path), "\(script)")
            }
        }

        private static let build = [
            "deploy/prepare", "swift build -c release --product amity",
            #"export PATH="$PWD/.build/release:$PATH""#,
        ]

        /// Runs commands in one shell as they are printed, but for the build and the addresses.
        private static func paste(_ commands: [String], in scene: Scene) throws -> Command.Result {
            // Commands of the broker's go to the private one.
            let shims = NSTemporaryDirectory() + scene.name
            try FileManager.default.createDirectory(
                atPath: shims,
                withIntermediateDirectories: true
            )
            let folder = try #require(Servers.environment["AMITY_SERVERS_DIR"])
            try """
            #!/bin/sh
            exec '\(Document.root.path)/deploy/dev/servers' ctl '\(folder)' "$@"
            """.write(toFile: "\(shims)/rabbitmqctl", atomically: true, encoding: .utf8)
            chmod("\(shims)/rabbitmqctl", 0o755)
            defer {
                do {
                    try FileManager.default.removeItem(atPath: shims)
                } catch { Issue.record(error, "a folder is left over") }
            }
            // In the foreground timeout sends its signal once: a second one ends a worker at once.
            let lines = commands.filter { !build.contains($0) && !$0.hasPrefix("export ") }.map {
                $0 == "amity worker" ? "timeout --foreground --preserve-status 5 \($0)" : $0
            }
            let amity = Command.amity.deletingLastPathComponent().path
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                [
                    "bash", "-ec",
                    (["cd '\(Document.root.path)'"] + lines).joined(separator: "\n")
                        .replacing("conversation_events_processing", with: scene.name)
                        .replacing("amity_worker", with: "\(scene.name)_worker"),
                ],
                environment: scene.variables.merging([
                    "PATH": "\(amity):\(shims):\(path)",
                    "DATABASE_URL": scene.asOwner()["DATABASE_URL"] ?? "",
                ]) { _, new in new }
            )
        }

        /// `swift build` and then `amity migrate` was "command not found".
        @Test func theStartWorksAsPrinted() throws {
            let scene = try Scene(.python)
            try scene.addConversation("8f14e45f")
            try scene.addConversation("45c48cce")
            let commands = try Document.readme().commands(under: "On your own broker and database")
            try #require(Array(commands.prefix(3)) == Self.build)
            try #require(commands.last == "amity worker")
            let done = try Self.paste(commands, in: scene)
            #expect(done.status == 0, "\(done.output)\(done.error)")
            #expect(try scene.count("status = 'PROCESSED'") == 2)
        }

        /// Faults: a step of the article fails, or the accounts it makes cannot do a worker's work.
        @Test func gettingStartedWorksAsPrinted() throws {
            let scene = try Scene(.python)
            try scene.addConversation("8f14e45f")
            try scene.addConversation("45c48cce")
            let commands = try Document.article("GettingStarted").commands()
            try #require(Array(commands.prefix(3)) == Self.build)
            let worker = "\(scene.name)_worker"
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", worker)
                    try Servers.psql(["-c", "DROP OWNED BY \(worker)", "-c", "DROP ROLE \(worker)"])
                } catch { Issue.record(error, "the worker's accounts are left over") }
            }
            let done = try Self.paste(commands, in: scene)
            #expect(done.status == 0, "\(done.output)\(done.error)")
            #expect(try scene.count("status = 'PROCESSED'") == 2)
            // With the accounts that the article has made.
            try Servers.psql(["-c", "GRANT USAGE ON SCHEMA \(scene.name) TO \(worker)"])
            let (broker, database) = (
                try Servers.port("RABBITMQ_URL"), try Servers.port("DATABASE_URL")
            )
            let name = try #require(URLComponents(string: scene.variables["DATABASE_URL"] ?? ""))
                .path
            let accounts = [
                "RABBITMQ_URL": "amqp://\(worker):choose-one@127.0.0.1:\(broker)/%2F",
                "DATABASE_URL": "postgresql://\(worker):choose-one@127.0.0.1:\(database)\(name)"
                    + "?options=-csearch_path%3D\(scene.name)",
            ]
            let running = try scene.startWorker(accounts)
            try running.waitUntilConsuming()
            try scene.addConversation("another")
            try scene.publish(ids: "another")
            try scene.waitUntilScored("another")
            #expect(running.events("crash-attribution.off").isEmpty)
        }

        /// Fault: the README promises another row than the one that a reader gets.
        @Test func theExampleOfTheReadmeHappens() throws {
            let readme = try Document.readme()
            let json = readme.blocks.filter { $0.language == "json" }.map {
                $0.lines.joined(separator: "\n")
            }
            try #require(json.count == 2, "the log, and the message")
            let scene = try Scene(settings: ["LLM_ANALYSIS_ENABLED": ""])
            try scene.addConversation("8f14e45f", user: "mia", log: json[0])
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            try scene.publish([Array(json[1].utf8)])
            try scene.waitUntilScored("8f14e45f")
            // Its rows: | `column` | before | after |
            var count = 0
            for line in readme.lines {
                guard let row = line.wholeMatch(of: /\| `(\w+)\.(\w+)` \| .* \| `?([^`|]+)`? \|/)
                else { continue }
                count += 1
                let value = try scene.sql(
                    """
                    SELECT coalesce(to_jsonb(\(row.1)) ->> '\(row.2)', 'NULL') FROM \(row.1)
                    WHERE user_id = 'mia'
                    """
                ).string(0, 0)
                #expect(value == String(row.3), "\(line)")
            }
            try #require(count > 4)
        }
    }
}
