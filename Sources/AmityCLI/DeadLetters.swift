import Amity
import ArgumentParser
import Foundation
import Logging
import SafeText
import WorkerRuntime

struct DeadLetters: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Look into the dead-letter queue, put letters back to work, or purge them.",
        discussion: """
            Letters are looked through from the oldest. What a command does not retry or purge stays, \
            in its place, also when the command dies halfway. Meanwhile other readers see the queue \
            as empty.
            """,
        subcommands: [List.self, Show.self, Retry.self, Purge.self]
    )
}

/// Which letters; all conditions given must hold.
struct Selection: ParsableArguments {
    @Option(help: "Only letters with this error code, e.g. INVALID_LOG.")
    var code: String?

    @Option(help: "Only the letter of this id, as the JSON has it; may be given several times.")
    var id: [String] = []

    @Option(help: "Only letters of this conversation; may be given several times.")
    var conversation: [String] = []

    @Option(help: "Only letters of this user, by the message or by the database.")
    var user: String?

    @Option(help: "Only letters that last failed longer ago than this, e.g. 90s, 15m, 12h, 30d.")
    var olderThan: Age?

    @Option(help: "Only letters that last failed within this time.")
    var newerThan: Age?

    func filter(asking office: DeadLetterOffice) throws -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.code = code
        filter.ids = Set(id)
        filter.conversationIDs = Set(conversation.map(ExactText.init))
        filter.before = olderThan.map { Date(timeIntervalSinceNow: -$0.seconds) }
        filter.since = newerThan.map { Date(timeIntervalSinceNow: -$0.seconds) }
        if let user {
            filter.user = ExactText(user)
            filter.conversationsOfUser = try office.conversations(of: user)
        }
        return filter
    }
}

/// A length of time with its unit.
struct Age: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }),
            let count = Int(argument.dropLast()), (0...1_000_000).contains(count)
        else { return nil }
        seconds = Double(count) * unit
    }
}

private func office() throws -> DeadLetterOffice {
    let settings = try start()
    return DeadLetterOffice(settings: settings, logger: Logger(label: "amity"))
}

extension DeadLetters {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List letters, without their bodies."
        )

        @OptionGroup var selection: Selection

        @Option(help: "Most letters to list.")
        var limit = 1000

        @Flag(help: "One JSON object a line instead of a table.")
        var json = false

        func run() async throws {
            let office = try office()
            var listed = 0
            try await reportingFailure {
                if !json {
                    print(Self.row(["failed at", "tries", "code", "conversation", "reason"]))
                }
                try office.visit(try selection.filter(asking: office)) { letter, _ in
                    listed += 1
                    print(json ? try letter.json : Self.row(letter))
                    return listed < limit
                }
            }
            if !json { print("\(listed) \(listed == 1 ? "letter" : "letters")") }
        }

        private static func row(_ letter: DeadLetter) -> String {
            row([
                letter.lastFailureAt, "\(letter.attempts)", letter.code,
                letter.conversationID ?? "-", letter.reason,
            ])
        }

        /// Columns wide enough for what they usually hold; the last takes the rest.
        private static func row(_ cells: [String]) -> String {
            TextTable.line(cells, widths: [20, 5, 22, 36, 0])
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the letters of one conversation with all their headers."
        )

        @Argument(help: "The conversation's id.")
        var conversation: String

        @Option(
            help: """
                Also print the body, which may be a child's conversation. Takes the reason why you need \
                it; the reason is logged.
                """
        )
        var bodyBecause: String?

        func validate() throws {
            if bodyBecause?.trimmingCharacters(in: .whitespaces).isEmpty == true {
                throw ValidationError("--body-because takes a reason")
            }
        }

        func run() async throws {
            let office = try office()
            var filter = DeadLetterFilter()
            filter.conversationIDs = [ExactText(conversation)]
            var shown = 0
            try await reportingFailure {
                try office.visit(filter) { letter, message in
                    shown += 1
                    print(try letter.json)
                    for (name, value) in message.properties.headers.sorted(by: { $0.key < $1.key })
                    {
                        print("  \(name.printable): \(value.shown.printable)")
                    }
                    if let bodyBecause {
                        Logger(label: "amity").notice(
                            "dead-letter.body-shown",
                            metadata: [
                                "conversation": "\(conversation)", "because": "\(bodyBecause)",
                            ]
                        )
                        print(String(decoding: message.body, as: UTF8.self).printableJSON)
                    }
                    return true
                }
            }
            if shown == 0 {
                complain("no letter of conversation \(conversation)")
                throw ExitCode.failure
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put letters back on their queue, with a fresh budget of attempts.",
            discussion: """
                A letter is removed when the broker has confirmed its copy, so one may come twice and \
                none is lost. Retrying is harmless for scores: a conversation counts once.
                """
        )

        @OptionGroup var selection: Selection

        @Flag(help: "Retry every letter there is. Needed when nothing else selects.")
        var all = false

        @Option(help: "Most letters to retry.")
        var limit = Int.max

        @Option(help: "Most letters a second.")
        var rate: Double?

        @Flag(help: "Only say how many there are.")
        var dryRun = false

        func validate() throws {
            if let rate, !(rate > 0) { throw ValidationError("--rate takes more than 0") }
        }

        func run() async throws {
            let office = try office()
            try await reportingFailure {
                let filter = try selection.filter(asking: office)
                try requireChoice(filter, all: all)
                if dryRun {
                    print("would retry \(min(limit, try office.count(filter)))")
                } else {
                    let count = try office.retry(filter, limit: limit, perSecond: rate)
                    print("retried \(count)")
                }
            }
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove letters for good; asks first.",
            discussion: "--user erases one user's letters, by the message or by the database."
        )

        @OptionGroup var selection: Selection

        @Flag(help: "Purge every letter there is. Needed when nothing else selects.")
        var all = false

        @Flag(help: "Only say how many there are.")
        var dryRun = false

        @Flag(help: "Do not ask.")
        var yes = false

        func run() async throws {
            let office = try office()
            try await reportingFailure {
                let filter = try selection.filter(asking: office)
                try requireChoice(filter, all: all)
                let count = try office.count(filter)
                if dryRun { return print("would purge \(count)") }
                if count > 0, !yes, !confirmed(count) {
                    complain("nothing was purged")
                    throw ExitCode.failure
                }
                print("purged \(try office.purge(filter))")
            }
        }

        private func confirmed(_ count: Int) -> Bool {
            print("Remove \(count) letters for good? Type yes: ", terminator: "")
            fflush(nil)
            return readLine() == "yes"
        }
    }
}

private func requireChoice(_ filter: DeadLetterFilter, all: Bool) throws {
    if filter.isEmpty && !all {
        complain("say which letters (see --help), or --all")
        throw ExitCode(64)
    }
}
