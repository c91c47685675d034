// HandlerProbe: a worker of a package of its own, as far as the compiler knows: it sees nothing of
// Amity but what is public. Its handlers do what the payloads of tests say.
import AmityWorker
import Foundation

/// Waits until a file is there, and stops where the run is to stop.
func wait(for gate: String?, in context: TaskContext) throws {
    while let gate, !FileManager.default.fileExists(atPath: gate) {
        try context.checkStop()
        usleep(10_000)
    }
}

/// Adds a line to a file.
func append(_ word: String, to path: String?) {
    guard let path, let file = fopen(path, "a") else { return }
    fputs("\(word)\n", file)
    fclose(file)
}

/// Adds a statement to its end, and then ends as it is told.
struct Effect: TaskHandler {
    struct Payload: Decodable {
        /// Its values are a text and the run.
        var sql: String
        /// `<NUL>` stands for what JSON of PostgreSQL's does not hold; nil for the task's id.
        var text: String?
        /// A file to wait for.
        var gate: String?
        /// What is thrown; nil for nothing.
        var thrown: String?
    }
    struct Odd: Error { var text: String }
    static let type = "effect"

    func run(_ payload: Payload, in context: TaskContext) throws -> [String: Int] {
        let text = payload.text?.replacing("<NUL>", with: "\0") ?? context.id
        context.inFinalTransaction(payload.sql, .text(text), .integer(context.run))
        do {
            try wait(for: payload.gate, in: context)
        } catch {
            // As a handler does that does not look why it is to stop.
            return ["run": context.run]
        }
        if let thrown = payload.thrown { throw Odd(text: thrown) }
        return ["run": context.run]
    }
}

/// Fails as it is told, in its first run; then says how it was called.
struct Failing: TaskHandler {
    struct Payload: Decodable {
        var code: String
        var message: String?
        var retries: Bool?
        var after: Double?
    }
    struct Told: Encodable {
        var run: Int
        var attempt: Int
        var kb: String?
    }
    static let type = "failing"

    func run(_ payload: Payload, in context: TaskContext) throws -> Told {
        if context.attempt > 1 {
            return Told(run: context.run, attempt: context.attempt, kb: context.kbID)
        }
        throw TaskFailure(
            code: payload.code,
            message: payload.message ?? "",
            retries: payload.retries ?? true,
            after: payload.after
        )
    }
}

/// Reports how far it is, waits, and writes to a file what happens to the run meanwhile.
struct Waiting: TaskHandler {
    struct Payload: Decodable {
        var gate: String
        /// A file.
        var log: String?
        var note: String?
    }
    static let type = "waiting"

    func run(_ payload: Payload, in context: TaskContext) throws -> String {
        context.onStop { append("stop", to: payload.log) }
        Task {
            for await event in context.events { append("\(event)", to: payload.log) }
            append("end", to: payload.log)
        }
        context.report(40, payload.note)
        try wait(for: payload.gate, in: context)
        return "done"
    }
}

/// Ends its worker as a fault of memory would.
struct Deadly: TaskHandler {
    struct Payload: Decodable { var gate: String }
    static let type = "deadly"

    func run(_ payload: Payload, in context: TaskContext) throws -> String? {
        try wait(for: payload.gate, in: context)
        kill(getpid(), SIGKILL)
        return nil
    }
}

/// Is no handler: its type has a blank.
struct Nameless: TaskHandler {
    static let type = "no name"
    func run(_ payload: String, in context: TaskContext) -> String { payload }
}

switch CommandLine.arguments.dropFirst().first {
case "nameless": await AmityWorker.run(Nameless())
case "double": await AmityWorker.run(handlers: [Effect(), Effect()])
case _: await AmityWorker.run(Effect(), Failing(), Waiting(), Deadly())
}
