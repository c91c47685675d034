import ArgumentParser
import FlowOperations
import Foundation
import JSON
import SafeText
import TaskTypes
import Tasks

struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "See what waits for limits, and pause types, keys and pools.",
        discussion: "Limits stand in the file of types: see amity types apply.",
        subcommands: [List.self, Show.self, Pause.self, Resume.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List keys with their limits, by name, and what is paused."
        )

        @Option(help: "Of this type.")
        var type: String?

        @Flag(help: "Only keys that keep tasks waiting, or are paused.")
        var waiting = false

        @Option(help: "Only keys behind this one: the last of the list before.")
        var after: String?

        @Option(help: "The most keys.")
        var limit = 100

        @Flag(help: "One JSON object a line instead of a table; pauses after the keys.")
        var json = false

        func validate() throws {
            if !(1...10_000).contains(limit) { throw ValidationError("--limit takes 1 to 10000") }
            if waiting, type != nil { throw ValidationError("give --type or --waiting") }
        }

        func run() async throws {
            let store = try taskStore()
            let (found, pauses) = try await reportingFailure {
                // One more tells whether there are more.
                (
                    waiting
                        ? try store.holdingLimits(after: after, atMost: limit + 1)
                        : try store.limits(of: type, after: after, atMost: limit + 1),
                    try store.pauses().filter { type == nil || $0.subject.type == type }
                )
            }
            let views = found.prefix(limit)
            if json {
                for view in views { print(Self.json(LimitRecord(view))) }
                for pause in pauses { print(Self.json(PauseRecord(pause))) }
            } else {
                let head = [
                    "key", "limit", "tokens", "waiting", "queued", "running", "paused", "since",
                ]
                for line in TextTable.lines([head] + views.map(\.cells)) { print(line) }
                for pause in pauses {
                    let since = pause.since.ISO8601Format()
                    let name = pause.subject.shown.printable
                    print("\(name) is paused by \(pause.by), since \(since)")
                }
            }
            if found.count > limit, let last = views.last {
                complain("there are more: --after \(last.key.printable)")
            }
        }

        static func json(_ record: some Encodable) -> String {
            JSONEncoder.api.certainText(record).printableJSON
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one key, or a type, with its limit and what waits for it."
        )

        @Argument(help: "A type, or a key as list shows it.")
        var key: String

        @Flag(help: "One JSON object instead of lines.")
        var json = false

        func run() async throws {
            let store = try taskStore()
            guard let view = try await reportingFailure({ try store.limit(of: key) }) else {
                complain("\(key.printable) has no limit, waits for none and is not paused")
                throw ExitCode.failure
            }
            if json { return print(List.json(LimitRecord(view))) }
            for line in TextTable.lines(view.facts) { print(line) }
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

extension LimitView {
    private var shownTokens: String { tokens.map { String(format: "%.1f", $0) } ?? "-" }

    fileprivate var cells: [String] {
        [
            key, limit?.text ?? "none any more", shownTokens, "\(waiting)", "\(queued)",
            "\(running)", pausedBy.map { "by \($0)" } ?? "-", pausedAt?.ISO8601Format() ?? "-",
        ]
    }

    /// One a line.
    fileprivate var facts: [[String]] {
        let facts: [[String]?] = [
            ["key", key], ["type", type], ["limit", limit?.text ?? "none"],
            limit.map { ["by", $0.key.text] },
            limit != nil && limit?.key != .type && key == type
                ? ["keys", "each has its own: amity limits list --type \(type)"] : nil,
            tokens.map { _ in ["tokens", shownTokens] },
            ["waiting", "\(waiting)"], ["queued", "\(queued)"], ["running", "\(running)"],
            pausedBy.map { ["paused by", $0] },
            pausedAt.map { ["paused at", $0.ISO8601Format()] },
        ]
        return facts.compactMap(\.self)
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
