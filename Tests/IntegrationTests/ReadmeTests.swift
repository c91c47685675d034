import ArgumentParser
import Foundation
import Testing

@testable import AmityCLI

extension Integration {
    /// A reader pastes what the README prints.
    struct Readme {
        private static let lines: [Substring] = {
            do {
                let file = Servers.root.appending(path: "README.md")
                return try String(contentsOf: file, encoding: .utf8)
                    .split(separator: "\n", omittingEmptySubsequences: false)
            } catch {
                preconditionFailure("README.md cannot be read: \(error)")
            }
        }()

        /// The commands of indented blocks, without their comments; of one section, or of all.
        private static func commands(under heading: String? = nil) -> [String] {
            var isInside = heading == nil
            return lines.compactMap { line in
                if let heading, line.hasPrefix("#") { isInside = line == heading }
                guard isInside, line.hasPrefix("    "), !line.hasPrefix("     ") else { return nil }
                let command = line.replacing(/(^|\s)#.*/, with: "")
                    .trimmingCharacters(in: .whitespaces)
                return command.isEmpty ? nil : command
            }
        }

        /// The arguments of a command line of ours, as a shell splits it; nil for other lines.
        private static func arguments(_ command: String) -> [String]? {
            guard let match = command.prefixMatch(of: /(?:sudo )?(?:amity|amityctl) (?=[a-z])/)
            else { return nil }
            // One line of shown output begins with the name, too.
            let words = command[match.range.upperBound...].split(separator: " ").map(String.init)
            return command == "amity doctor looks for the cause" ? nil : words
        }

        /// `amity publish 8f14e45f …` published "…".
        @Test func noCommandHasWordsThatStandForOthers() {
            for command in Self.commands() where Self.arguments(command) != nil {
                #expect(!command.contains("…") && !command.contains("<"), "\(command)")
            }
        }

        @Test func everyCommandIsUnderstood() throws {
            let all = Self.commands().compactMap(Self.arguments)
            try #require(all.count > 15)
            for arguments in all {
                #expect(throws: Never.self, "amity \(arguments.joined(separator: " "))") {
                    _ = try AmityCommand.parseAsRoot(arguments)
                }
            }
        }

        @Test func everyScriptIsThere() {
            let scripts = Self.commands().flatMap {
                $0.matches(of: /(?:^|\s)(deploy\/[a-z-]+)(?=\s|$)/).map { String($0.1) }
            }
            #expect(Set(scripts).isSuperset(of: ["deploy/demo", "deploy/test", "deploy/prepare"]))
            for script in Set(scripts) {
                let path = Servers.root.appending(path: script).path
                #expect(FileManager.default.isExecutableFile(atPath: path), "\(script)")
            }
        }

        /// `swift build` and then `amity migrate` was "command not found".
        @Test func theStartWorksAsPrinted() throws {
            let scene = try Scene(.python)
            try scene.addConversation("8f14e45f")
            try scene.addConversation("45c48cce")
            let commands = Self.commands(under: "## Running it")
            let expected = [
                "deploy/prepare", "swift build -c release --product amity",
                #"export PATH="$PWD/.build/release:$PATH""#,
            ]
            try #require(Array(commands.prefix(3)) == expected)
            let folder = Command.amity.deletingLastPathComponent()
            // In the foreground timeout sends its signal once: a second one ends a worker at once.
            let lines = commands.dropFirst(3).filter { !$0.hasPrefix("export ") }.map { line in
                line == "amity worker" ? "timeout --foreground --preserve-status 5 \(line)" : line
            }
            try #require(lines.last?.hasSuffix("amity worker") == true)
            let owner = try #require(Servers.environment["DATABASE_URL"])
            let done = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["bash", "-e", "-c", lines.joined(separator: "\n")],
                environment: scene.variables.merging([
                    "PATH": "\(folder.path):\(ProcessInfo.processInfo.environment["PATH"] ?? "")",
                    "DATABASE_URL": "\(owner)?options=-csearch_path%3D\(scene.name)",
                ]) { _, new in new }
            )
            #expect(done.status == 0, "\(done.output)\(done.error)")
            #expect(try scene.count("status = 'PROCESSED'") == 2)
        }
    }
}
