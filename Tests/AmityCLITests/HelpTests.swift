import ArgumentParser
import Foundation
import Testing

@testable import AmityCLI

/// What `amity help` says of a command: the argument parser's own description.
private struct Description: Decodable {
    struct Argument: Decodable {
        struct Name: Decodable { var kind, name: String }
        var names: [Name]?
        var abstract: String?
        var valueName: String?

        /// `--file`, or `<ids>` for what stands without a name.
        var shown: String {
            let long = names?.first { $0.kind == "long" }
            return long.map { "--\($0.name)" } ?? "<\(valueName ?? "")>"
        }
    }

    var commandName: String
    var abstract: String?
    var arguments: [Argument]?
    var subcommands: [Description]?

    /// Without those that the parser adds.
    var own: [Argument] {
        (arguments ?? []).filter { !["--help", "--version", "<subcommands>"].contains($0.shown) }
    }

    /// This one and all below it, each with its whole name.
    func all(below path: [String] = []) -> [([String], Description)] {
        let name = path + [commandName]
        let below = (subcommands ?? []).filter { $0.commandName != "help" }
        return [(name, self)] + below.flatMap { $0.all(below: name) }
    }

    static let all: [([String], Description)] = {
        struct Dump: Decodable { var command: Description }
        do {
            _ = try AmityCommand.parseAsRoot(["--experimental-dump-help"])
        } catch {
            let text = Data(AmityCommand.fullMessage(for: error).utf8)
            do {
                return try JSONDecoder().decode(Dump.self, from: text).command.all()
            } catch {
                preconditionFailure("the description is not read: \(error)")
            }
        }
        preconditionFailure("the parser does not describe itself")
    }()
}

struct HelpTests {
    /// Fault: a script names an option that an update has renamed.
    @Test(arguments: Self.options)
    func optionsKeepTheirNames(command: String, options: [String]) throws {
        let found = Description.all.first { $0.0.dropFirst().joined(separator: " ") == command }
        let description = try #require(found?.1)
        #expect(description.own.map(\.shown) == options)
    }

    private static let options: [String: [String]] = [
        "worker": ["--api"], "api": [], "migrate": ["--topology", "--separate"],
        "publish": [
            "<ids>", "--file", "--generate", "--yes", "--users", "--seed", "--copies",
            "--via-exchange", "--timeout",
        ],
        "explain": ["<conversation>", "--json"], "status": ["--json", "--watch"],
        "health": ["--live", "--api", "--timeout"], "doctor": ["--json", "--all"],
        "settings": ["--env", "--markdown", "--metrics"],
        "tokens create": ["<name>", "--scope", "--kb"], "tokens list": [],
        "tokens revoke": ["<id>"], "types apply": ["<file>"], "types list": [],
        "tasks list": taskSelection + ["--before", "--limit", "--json"],
        "tasks show": ["<id>", "--json", "--payload"],
        "tasks submit": ["<type>", "--payload", "--priority", "--kb", "--delay"],
        "tasks cancel": ["<ids>"] + taskSelection + ["--dry-run", "--yes"],
        "tasks retry": ["<ids>"] + taskSelection + ["--dry-run", "--yes"],
        "batches list": ["--kb", "--before", "--limit", "--json"],
        "batches show": ["<id>", "--json", "--tasks"], "batches close": ["<id>"],
        "batches cancel": ["<id>"], "limits pause": ["<subject>", "--pool"],
        "limits resume": ["<subject>", "--pool"], "callbacks list": ["--limit"],
        "callbacks enable": ["<id>"], "locks list": ["--kb", "--limit"],
        "locks release": ["<name>", "--kb"],
        "dead-letters list": selection + ["--limit", "--json", "--settled", "--look-into-queue"],
        "dead-letters show": ["<id>", "--body-because", "--look-into-queue"],
        "dead-letters retry": selection + ["--all", "--limit", "--rate", "--dry-run"],
        "dead-letters purge": selection + ["--all", "--dry-run", "--yes"],
        "bench": [
            "--tasks", "--conversations", "--workload", "--users", "--threads", "--auto", "--batch",
            "--analyser-seconds", "--replicas", "--repeat", "--calm-rate", "--json", "--yes",
        ],
        "tune": [
            "--conversations", "--workload", "--users", "--analyser-seconds", "--replicas",
            "--threads", "--batch", "--repeat", "--seconds", "--json", "--yes", "--svg",
        ],
    ]

    private static let taskSelection = [
        "--state", "--type", "--kb", "--batch", "--code", "--newer-than",
    ]

    private static let selection = [
        "--code", "--id", "--conversation", "--user", "--older-than", "--newer-than",
    ]

    /// Fault: a reader of `--help` finds a name and no word on what it does.
    @Test func everyCommandAndOptionSaysInASentenceWhatItIsFor() throws {
        try #require(Description.all.count > 12)
        for (name, command) in Description.all {
            let isSaid = command.abstract?.hasSuffix(".") == true
            #expect(isSaid, "\(name)")
            for argument in command.own {
                let isSaid = argument.abstract?.contains(".") == true
                #expect(isSaid, "\(name) \(argument.shown)")
            }
        }
    }
}

/// What a command line that does not run leads to.
func message(_ arguments: [String]) -> (text: String, status: Int32) {
    do {
        _ = try AmityCommand.parseAsRoot(arguments)
        return ("", 0)
    } catch {
        return (AmityCommand.fullMessage(for: error), AmityCommand.exitCode(for: error).rawValue)
    }
}
