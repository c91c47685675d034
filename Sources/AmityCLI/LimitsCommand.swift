import ArgumentParser
import Foundation
import SafeText
import TaskTypes
import Tasks

struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "See what waits for limits, and pause types, keys and pools.",
        discussion: "Limits stand in the file of types: see amity types apply.",
        subcommands: [List.self, Pause.self, Resume.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List keys with their limits, by name."
        )

        @Option(help: "Of this type.")
        var type: String?

        @Option(help: "The most keys.")
        var limit = 100

        func run() async throws {
            let store = try taskStore()
            let (views, pauses) = try await reportingFailure {
                (
                    try store.limits(of: type, atMost: min(max(limit, 1), 10_000)),
                    try store.pauses()
                )
            }
            let rows = views.map { view in
                [
                    view.key, view.limit?.text ?? "none any more",
                    view.tokens.map { String(format: "%.1f", $0) } ?? "-", "\(view.waiting)",
                    "\(view.queued)", "\(view.running)",
                    view.pausedBy.map { "by \($0)" } ?? "-",
                    view.pausedAt?.ISO8601Format() ?? "-",
                ]
            }
            let head = [
                "key", "limit", "tokens", "waiting", "queued", "running", "paused", "since",
            ]
            for line in TextTable.lines([head] + rows) { print(line) }
            for pause in pauses where type == nil || pause.subject.type == type {
                let since = pause.since.ISO8601Format()
                print("\(pause.subject.shown.printable) is paused by \(pause.by), since \(since)")
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let no more tasks of a type, a key or a pool begin; what runs goes on."
        )

        @OptionGroup var subject: Subject

        func run() async throws {
            let store = try taskStore()
            let subject = subject.value
            try await reportingFailure {
                if let type = subject.type, type != TaskCallback.type,
                    !TaskType.all(applying: try store.types()).contains(where: { $0.name == type })
                {
                    complain("there is no type \(type)")
                    throw ExitCode.failure
                }
                try store.pause(subject, by: NSUserName())
            }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let tasks of a type, a key or a pool begin again."
        )

        @OptionGroup var subject: Subject

        func run() async throws {
            let store = try taskStore()
            let subject = subject.value
            let wasPaused = try await reportingFailure { try store.resume(subject) }
            if wasPaused { return }
            complain("\(subject.shown) was not paused")
            throw ExitCode.failure
        }
    }

    /// What is paused.
    struct Subject: ParsableArguments {
        @Argument(help: "A type, or a key as list shows it.")
        var subject: String?

        @Option(help: "A pool, instead: its workers take nothing of it.")
        var pool: String?

        func validate() throws {
            if (subject == nil) == (pool == nil) {
                throw ValidationError("name a type or a key, or give --pool")
            }
            if let pool, !TaskType.isPool(pool) {
                throw ValidationError("a pool is 1 to 40 of a to z, digits and hyphens")
            }
        }

        var value: PauseSubject { pool.map(PauseSubject.pool) ?? PauseSubject(subject ?? "") }
    }
}

extension PauseSubject {
    /// For people.
    var shown: String {
        switch self {
        case .type(let name), .key(let name): name
        case .pool(let name): "pool \(name)"
        }
    }
}

extension TaskLimit {
    /// For people.
    var text: String {
        let parts = [
            rate.map { "\($0)/s, burst \(burst ?? 1)" }, cap.map { "\($0) at a time" },
            isStrict ? "in order" : nil,
        ]
        return parts.compactMap(\.self).joined(separator: ", ")
    }
}
