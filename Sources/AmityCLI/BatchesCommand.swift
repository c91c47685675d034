import ArgumentParser
import Foundation
import SafeText
import Tasks

struct BatchesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batches",
        abstract: "List batches of tasks, show how far they are, close and cancel them.",
        subcommands: [List.self, Show.self, Close.self, Cancel.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List batches, newest first.")

        @Option(help: "Only batches of this kb.")
        var kb: String?

        @Option(help: "Only batches older than this one: the last of the list before.")
        var before: TaskID?

        @Option(help: "Most batches to list, from 1 to 1000.")
        var limit = 50

        @Flag(help: "One JSON object a line instead of a table.")
        var json = false

        func validate() throws {
            if !(1...1_000).contains(limit) { throw ValidationError("--limit takes 1 to 1000") }
        }

        func run() async throws {
            let store = try taskStore()
            let found = try await reportingFailure {
                // One more tells whether there are more.
                try store.batches(kbID: kb, before: before, limit: limit + 1)
            }
            let batches = found.prefix(limit)
            if json {
                for batch in batches { print(ShownBatch(batch).json) }
            } else {
                let rows = batches.map { ShownBatch($0).cells }
                for line in TextTable.lines([ShownBatch.head] + rows) { print(line) }
            }
            if found.count > limit, let last = batches.last {
                complain("there are more: --before \(last.id)")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one batch, and which of its tasks needs which.",
            discussion: """
                Each task stands below the first of those that it needs; behind + are the others. \
                In front of it is its state: + completed, x failed, - cancelled, > processing, \
                . not begun.
                """
        )

        @Argument(help: "The batch's id.")
        var id: TaskID

        @Flag(help: "One JSON object instead of lines, without the tasks.")
        var json = false

        @Option(help: "Most tasks to show, from 0 to 10000.")
        var tasks = 200

        func validate() throws {
            if !(0...10_000).contains(tasks) { throw ValidationError("--tasks takes 0 to 10000") }
        }

        func run() async throws {
            let store = try taskStore()
            let (found, members) = try await reportingFailure {
                (try store.batch(id), try store.members(of: id, limit: tasks + 1))
            }
            guard let batch = found else {
                complain("no batch \(id)")
                throw ExitCode.failure
            }
            let shown = ShownBatch(batch)
            if json { return print(shown.json) }
            for line in shown.lines { print(line) }
            if tasks == 0 { return }
            for line in DependencyPicture.lines(Array(members.prefix(tasks))) { print(line) }
            if members.count > tasks { complain("there are more: --tasks \(batch.total)") }
        }
    }

    struct Close: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let an open batch take no more tasks; it ends when those it has have ended."
        )

        @Argument(help: "The batch's id.")
        var id: TaskID

        func run() async throws {
            let store = try taskStore()
            try await showOutcome(of: id) { try store.close(id) }
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close a batch, and cancel its tasks that have not ended."
        )

        @Argument(help: "The batch's id.")
        var id: TaskID

        func run() async throws {
            let store = try taskStore()
            try await showOutcome(of: id) { try store.cancelBatch(id) }
        }
    }
}

private func showOutcome(of id: TaskID, _ body: () throws -> BatchOutcome) async throws {
    switch try await reportingFailure({ try body() }) {
    case .done(let batch): for line in ShownBatch(batch).lines { print(line) }
    case .missing:
        complain("no batch \(id)")
        throw ExitCode.failure
    }
}
