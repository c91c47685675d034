import ArgumentParser
import Foundation
import SafeText
import Tasks

struct TasksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "List tasks, show, make, cancel and retry them.",
        discussion: """
            Reads and writes rows of the database, and no message: what is made or retried here is \
            published by an API, or by a worker with TASK_QUEUES. What a client gave and a handler \
            answered is users' data, and shown only where it is asked for.
            """,
        subcommands: [List.self, Show.self, Submit.self, Cancel.self, Retry.self]
    )

    /// Which tasks; all conditions given must hold.
    struct Selection: ParsableArguments {
        @Option(help: "Only tasks in this state.")
        var state: TaskState?

        @Option(help: "Only tasks of this type.")
        var type: String?

        @Option(help: "Only tasks of this kb.")
        var kb: String?

        @Option(help: "Only tasks of this batch.")
        var batch: TaskID?

        @Option(help: "Only tasks whose last failure has this code, e.g. TIMEOUT.")
        var code: String?

        @Option(help: "Only tasks that were made within this time, e.g. 90s, 15m, 12h, 30d.")
        var newerThan: Age?

        var isEmpty: Bool {
            state == nil && type == nil && kb == nil && batch == nil && code == nil
                && newerThan == nil
        }

        var filter: TaskFilter {
            var filter = TaskFilter()
            (filter.state, filter.type, filter.kbID) = (state, type, kb)
            (filter.batchID, filter.code) = (batch, code)
            filter.createdAfter = newerThan.map {
                Int(Date(timeIntervalSinceNow: -$0.seconds).timeIntervalSince1970 * 1000)
            }
            return filter
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List tasks, newest first.")

        @OptionGroup var selection: Selection

        @Option(help: "Only tasks older than this one: the last of the list before.")
        var before: TaskID?

        @Option(help: "Most tasks to list, from 1 to 10000.")
        var limit = 50

        @Flag(help: "One JSON object a line instead of a table.")
        var json = false

        func validate() throws {
            if !(1...10_000).contains(limit) {
                throw ValidationError("--limit takes 1 to 10000")
            }
        }

        func run() async throws {
            var filter = selection.filter
            filter.before = before
            let store = try taskStore()
            let found = try await reportingFailure { [filter] in
                // One more tells whether there are more.
                try store.list(filter, limit: limit + 1)
            }
            let tasks = found.prefix(limit)
            if json {
                for task in tasks { print(ShownTask(task).json) }
            } else {
                let rows = tasks.map { ShownTask($0).cells }
                for line in TextTable.lines([ShownTask.head] + rows) { print(line) }
            }
            if found.count > limit, let last = tasks.last {
                complain("there are more: --before \(last.id)")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one task, with what it needs and its failures by code."
        )

        @Argument(help: "The task's id.")
        var id: TaskID

        @Flag(help: "One JSON object instead of lines.")
        var json = false

        @Flag(
            help: """
                Also what its client gave, what its handler answered and the words of its \
                failures, which may be users' data.
                """
        )
        var payload = false

        func run() async throws {
            let store = try taskStore()
            let (found, needs) = try await reportingFailure {
                (try store.get(id), try store.needs(of: id))
            }
            guard let task = found else {
                complain("no task \(id)")
                throw ExitCode.failure
            }
            let shown = ShownTask(task, needs: needs, withPayload: payload)
            if json { return print(shown.json) }
            for line in shown.lines { print(line) }
        }
    }
}

extension TaskID: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension TaskState: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }

    public var defaultValueDescription: String { name }

    public static var allValueStrings: [String] { allCases.map(\.name) }
}

extension Priority: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }

    public var defaultValueDescription: String { name }

    public static var allValueStrings: [String] { allCases.map(\.name) }
}
