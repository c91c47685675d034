import ArgumentParser
import Foundation
import JSON
import TaskTypes
import Tasks

extension TasksCommand {
    /// Tasks by their ids, or by conditions: one or the other.
    struct Choice: ParsableArguments {
        @Argument(help: "The tasks' ids.")
        var ids: [TaskID] = []

        @OptionGroup var selection: Selection

        @Flag(help: "Only say how many a condition names.")
        var dryRun = false

        @Flag(help: "Do not ask before all that a condition names are changed.")
        var yes = false

        func validate() throws {
            if ids.isEmpty == selection.isEmpty {
                throw ValidationError("name tasks by their ids, or by --state, --type and the like")
            }
            if dryRun && !ids.isEmpty { throw ValidationError("--dry-run takes no ids") }
        }

        /// - Parameter found: as many as are changed at once, or fewer.
        /// - Returns: whether they are to be changed.
        func isWanted(_ what: String, _ found: [MovedTask]) throws -> Bool {
            let count = counted(found.count)
            if dryRun {
                print("would \(what) \(count)")
                return false
            }
            if found.isEmpty { return true }
            if !yes { complain("this is to \(what) \(count)") }
            try requireYes(isGiven: yes, else: "add --yes if these are the tasks that you mean")
            return true
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End tasks; a worker that runs one is told to stop.",
            discussion: """
                At most 1000 by one command. What has ended stays as it is.
                """
        )

        @OptionGroup var choice: Choice

        func run() async throws {
            let store = try taskStore()
            try await reportingFailure {
                if choice.ids.isEmpty {
                    let filter = choice.selection.filter
                    let found = try store.cancelAll(filter, isDry: true)
                    guard try choice.isWanted("cancel", found) else { return }
                    return report("cancelled", try store.cancelAll(filter, isDry: false))
                }
                try move(choice.ids, store.cancel) { task in
                    "\(task.id) is \(task.state.name) already"
                }
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Begin failed and cancelled tasks anew, with a fresh budget of attempts.",
            discussion: """
                At most 1000 by one command. A task whose unique key another one has by now stays \
                as it is.
                """
        )

        @OptionGroup var choice: Choice

        func run() async throws {
            let store = try taskStore()
            try await reportingFailure {
                if choice.ids.isEmpty {
                    let filter = choice.selection.filter
                    let found = try store.retryable(filter)
                    guard try choice.isWanted("retry", found) else { return }
                    return report("retried", try store.retryAll(filter))
                }
                try move(choice.ids, store.retry) { task in
                    "\(task.id) is \(task.state.name): only what failed or was cancelled is retried"
                }
            }
        }
    }

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make one task, and print its id.",
            discussion: """
                Its row is made, and no message: an API, or a worker with TASK_QUEUES, publishes \
                it after five seconds, or when its time has come. Without either it waits.
                """
        )

        @Argument(help: "The task's type; amity types list shows all.")
        var type: String

        @Option(help: "What its handler is given: JSON, or @ and the name of a file with it.")
        var payload = "{}"

        @Option(help: "How urgent it is, instead of as its type says.")
        var priority: Priority?

        @Option(help: "The kb that it belongs to.")
        var kb: String?

        @Option(help: "Run it so much later, e.g. 90s, 15m, 12h, 30d.")
        var delay: Age?

        func validate() throws {
            if let kb, !(1...255).contains(kb.count) {
                throw ValidationError("--kb takes 1 to 255 signs")
            }
        }

        func run() async throws {
            let json = try readPayload()
            let store = try taskStore()
            try await reportingFailure {
                let types = TaskType.all(applying: try store.types())
                guard let type = types.first(where: { $0.name == type }) else {
                    complain(
                        "no type \(type); there are \(types.map(\.name).joined(separator: ", "))"
                    )
                    throw ExitCode.failure
                }
                var task = NewTask(type, payload: json)
                task.priority = priority ?? task.priority
                (task.kbID, task.delay) = (kb, delay?.seconds)
                switch try store.submit([SubmitRequest([task])])[0] {
                case .success(.accepted(let made, _)): for task in made.tasks { print(task.id) }
                // One without a key and without needs has no other.
                case .success: throw ExitCode.failure
                case .failure(let error) where error.kind == .permanent:
                    complain("the database cannot store this payload")
                    throw ExitCode.failure
                case .failure(let error): throw error
                }
            }
        }

        /// No word of it stands in what is said of it.
        private func readPayload() throws -> String {
            var bytes = Array(payload.utf8)
            if payload.first == "@" {
                let file = String(payload.dropFirst())
                guard let data = FileManager.default.contents(atPath: file) else {
                    throw ValidationError("--payload: cannot read \(file)")
                }
                bytes = Array(data)
            }
            if bytes.count > NewTask.largestPayload {
                throw ValidationError("--payload takes 256 KB at most")
            }
            do throws(JSONReader.Malformed) {
                try JSONReader.read(bytes) { json throws(JSONReader.Malformed) in
                    try json.skip()
                }
            } catch {
                throw ValidationError("--payload is no JSON")
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

private func counted(_ count: Int) -> String {
    let more = count == TaskStore.mostAtOnce ? " (there may be more)" : ""
    return "\(count) \(count == 1 ? "task" : "tasks")\(more)"
}

private func report(_ what: String, _ moved: [MovedTask]) {
    let running = moved.count { $0.state == .processing }
    print("\(what) \(counted(moved.count))")
    if running > 0 { print("\(running) of them run; their workers are told to stop") }
}

/// One by one.
///
/// - Parameter unchanged: what is said of a task whose state does not let it.
/// - Throws: an exit code where one was not moved; the others are.
private func move(
    _ ids: [TaskID],
    _ body: (TaskID, String?) throws -> MoveOutcome,
    unchanged: (MovedTask) -> String
) throws {
    var areAllMoved = true
    func refuse(_ why: String) {
        areAllMoved = false
        complain(why)
    }
    for id in ids {
        switch try body(id, nil) {
        case .moved(let task):
            print("\(id) \(task.state.status(isCancelAsked: true))")
        case .unchanged(let task): refuse(unchanged(task))
        case .twinLives: refuse("\(id) has the unique key of a task that lives")
        case .missing: refuse("no task \(id)")
        }
    }
    if !areAllMoved { throw ExitCode.failure }
}
