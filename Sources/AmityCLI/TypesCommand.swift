import ArgumentParser
import Foundation
import SafeText
import TaskTypes
import Tasks

struct TypesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types",
        abstract: "Apply a file with types of tasks, and list them.",
        discussion: """
            The API takes tasks of these types and of those that are built in. Runs as a role that \
            may write amity_task_types: the owner of the tables.
            """,
        subcommands: [Apply.self, List.self]
    )

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make or change the types that a file has; others stay as they are."
        )

        @Argument(help: "A JSON file with an array of types.", completion: .file())
        var file: String

        func run() async throws {
            let types = try read()
            let store = try taskStore()
            try await reportingFailure { try store.apply(types) }
            print("\(types.count) \(types.count == 1 ? "type is" : "types are") applied")
        }

        /// A file that does not do is no matter of a server that is away.
        private func read() throws -> [TaskType] {
            let json: Data
            do {
                json = try Data(contentsOf: URL(fileURLWithPath: file))
            } catch {
                complain("\(file) cannot be read")
                throw ExitCode.failure
            }
            do throws(TypesFile.Problems) {
                return try TypesFile.parse(json)
            } catch {
                for problem in error.list { complain("\(problem)") }
                throw ExitCode.failure
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List all types, built-in ones too, with what runs them."
        )

        func run() async throws {
            let store = try taskStore()
            let types = try await reportingFailure { TaskType.all(applying: try store.types()) }
            let rows = types.map { type in
                [
                    type.name, type.pool, type.priority.name, type.handler.text,
                    "\(type.timeout)", "\(type.retryLimit)",
                ]
            }
            let head = ["type", "pool", "priority", "handler", "timeout", "retries"]
            for line in TextTable.lines([head] + rows) { print(line) }
        }
    }
}

extension TaskType.Handler {
    fileprivate var text: String {
        switch self {
        case .swift: "swift"
        case .command: "command"
        case .http(let url, _): "http \(url)"
        }
    }
}
