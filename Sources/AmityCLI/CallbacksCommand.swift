import ArgumentParser
import Foundation
import SafeText
import TaskTypes
import Tasks

struct CallbacksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "callbacks",
        abstract: "See which URLs of callbacks are disabled, and enable them again.",
        discussion: """
            A receiver that answers 410 is told of nothing more. The callbacks themselves are \
            tasks of the type amity.callback: amity tasks list --type amity.callback.
            """,
        subcommands: [List.self, Enable.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List URLs that are disabled, without their queries."
        )

        @Option(help: "Most URLs to list, from 1 to 10000.")
        var limit = 1000

        func run() async throws {
            let store = try taskStore()
            let found = try await reportingFailure {
                try store.disabledCallbacks(limit: min(max(limit, 1), 10_000))
            }
            let rows = found.map {
                [$0.id, $0.url.printable, $0.task?.text ?? "-", $0.disabledAt.ISO8601Format()]
            }
            for line in TextTable.lines([["id", "url", "callback", "since"]] + rows) { print(line) }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a URL be called again; what has failed meanwhile is not sent again."
        )

        @Argument(help: "The id of the URL, as list shows it.")
        var id: String

        func run() async throws {
            let store = try taskStore()
            let wasDisabled = try await reportingFailure { try store.enableCallback(id) }
            if wasDisabled { return print("\(id.printable) is enabled") }
            complain("no URL with the id \(id) is disabled")
            throw ExitCode.failure
        }
    }
}
