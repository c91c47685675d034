import ArgumentParser
import Foundation
import SafeText
import TaskTypes
import Tasks

struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "See what waits for the limits of types, and pause and resume them.",
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
            let views = try await reportingFailure {
                try store.limits(of: type, atMost: min(max(limit, 1), 10_000))
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
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let no more tasks of a type or a key begin; what is queued goes on."
        )

        @Argument(help: "A type, or a key as list shows it.")
        var subject: String

        func run() async throws {
            let store = try taskStore()
            let isLimited = try await reportingFailure {
                try store.pause(subject, by: NSUserName())
            }
            if isLimited { return }
            complain("only a type that has a limit can be paused: see amity types apply")
            throw ExitCode.failure
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let tasks of a type or a key begin again."
        )

        @Argument(help: "A type, or a key as list shows it.")
        var subject: String

        func run() async throws {
            let store = try taskStore()
            let wasPaused = try await reportingFailure { try store.resume(subject) }
            if wasPaused { return }
            complain("\(subject) was not paused")
            throw ExitCode.failure
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
