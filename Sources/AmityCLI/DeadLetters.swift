import ArgumentParser
import Conversations
import Daemon
import DeadLetters
import Foundation
import Logging
import SafeText

struct DeadLetters: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List dead letters, put them back to work, or purge them.",
        discussion: """
            Workers write a row for each dead letter, and list and show read those: they touch no \
            message. Retry and purge go through the queue from its head. What they do not take \
            stays, also when the command dies halfway; meanwhile other readers see less of the \
            queue. A dead letter that a quorum queue has delivered before does not go back to its \
            place but, as a confirmed copy, to the end of the queue: so none comes near the \
            queue's delivery limit.
            """,
        subcommands: [List.self, Show.self, Retry.self, Purge.self]
    )
}

/// Which dead letters; all conditions given must hold.
struct Selection: ParsableArguments {
    @Option(help: "Only dead letters with this error code, e.g. INVALID_LOG.")
    var code: String?

    @Option(help: "Only the dead letter of this id; may be given several times.")
    var id: [String] = []

    @Option(help: "Only dead letters of this conversation; may be given several times.")
    var conversation: [String] = []

    @Option(help: "Only dead letters of this user, by the message or by the database.")
    var user: String?

    @Option(
        help: "Only dead letters that last failed longer ago than this, e.g. 90s, 15m, 12h, 30d."
    )
    var olderThan: Age?

    @Option(help: "Only dead letters that last failed within this time.")
    var newerThan: Age?

    func filter(asking lookup: DeadLetterLookup) throws -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.code = code
        filter.ids = Set(id)
        filter.conversationIDs = Set(conversation.map(ExactText.init))
        filter.before = olderThan.map { Date(timeIntervalSinceNow: -$0.seconds) }
        filter.since = newerThan.map { Date(timeIntervalSinceNow: -$0.seconds) }
        if let user { try lookup.limit(&filter, to: user) }
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

private func deadLetterLookup() throws -> DeadLetterLookup {
    let settings = try start()
    return DeadLetterLookup(
        options: settings.deadLetters,
        sessions: settings.session(named: "amity dead-letters"),
        logger: Logger(label: "amity")
    )
}

extension DeadLetters {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters, without their bodies."
        )

        @OptionGroup var selection: Selection

        @Option(help: "Most dead letters to list.")
        var limit = 1000

        @Flag(help: "One JSON object a line instead of a table.")
        var json = false

        @Flag(help: "Also those that were retried, purged or found gone in the last 30 days.")
        var settled = false

        @Flag(
            help: """
                List what is in the queue instead of the rows: for dead letters without a row. On \
                a quorum queue a look costs each dead letter one delivery of its limit, and those \
                that were delivered before move to the end of the queue.
                """
        )
        var lookIntoQueue = false

        func run() async throws {
            let lookup = try deadLetterLookup()
            try await reportingFailure {
                let filter = try selection.filter(asking: lookup)
                let counts = lookIntoQueue ? nil : try lookup.deadLetterQueue.counts()
                let deadLetters =
                    try counts.map { counts in
                        try lookup.list(
                            filter,
                            includesSettled: settled,
                            limit: limit,
                            counts
                        )
                    } ?? look(lookup, filter)
                let widths = [20, 8, 5, 22, 32, 36, 0]
                if !json {
                    let head = [
                        "failed at", "state", "tries", "code", "id", "conversation", "reason",
                    ]
                    print(TextTable.line(head, widths: widths))
                }
                for deadLetter in deadLetters {
                    print(
                        json
                            ? try deadLetter.json : TextTable.line(deadLetter.cells, widths: widths)
                    )
                }
                let count = deadLetters.reduce(0) { $0 + $1.copies }
                if !json { print("\(count) \(count == 1 ? "dead letter" : "dead letters")") }
                if deadLetters.count == limit { complain("there may be more: --limit \(limit)") }
                for remark in counts?.remarks(on: lookup.queue) ?? [] { complain(remark) }
            }
        }

        private func look(_ lookup: DeadLetterLookup, _ filter: DeadLetterFilter) throws
            -> [DeadLetter]
        {
            var deadLetters: [DeadLetter] = []
            try lookup.deadLetterQueue.look(filter) { deadLetter, _ in
                deadLetters.append(deadLetter)
                return deadLetters.count < limit
            }
            return deadLetters
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one dead letter, or those of one conversation, with their headers.",
            discussion: """
                By their rows. The body is only in the queue: --body-because looks for it there, \
                which on a quorum queue costs each dead letter one delivery of its limit; those \
                that were delivered before move to the end of the queue.
                """
        )

        @Argument(help: "The id of a dead letter, as list has it, or of a conversation.")
        var id: String

        @Option(
            help: """
                Also print the body, which may be a child's conversation. Takes the reason why you \
                need it; the reason is logged.
                """
        )
        var bodyBecause: String?

        @Flag(help: "Look for it in the queue, for a dead letter without a row.")
        var lookIntoQueue = false

        func validate() throws {
            if bodyBecause?.trimmingCharacters(in: .whitespaces).isEmpty == true {
                throw ValidationError("--body-because takes a reason")
            }
        }

        func run() async throws {
            let lookup = try deadLetterLookup()
            let shown = try await reportingFailure {
                bodyBecause == nil && !lookIntoQueue
                    ? try showRows(lookup) : try look(lookup)
            }
            if shown == 0 {
                complain("no dead letter \(id), and none of such a conversation")
                try await reportingFailure {
                    for remark in try lookup.deadLetterQueue.counts().remarks(
                        on: lookup.queue
                    ) {
                        complain(remark)
                    }
                }
                throw ExitCode.failure
            }
        }

        private func showRows(_ lookup: DeadLetterLookup) throws -> Int {
            let entries = try lookup.find(id)
            for entry in entries { try print(entry.deadLetter, entry.headers) }
            return entries.count
        }

        private func look(_ lookup: DeadLetterLookup) throws -> Int {
            var shown = 0
            let conversation = ExactText(id)
            try lookup.deadLetterQueue.look(DeadLetterFilter()) { deadLetter, message in
                let isIt = deadLetter.id == id
                guard isIt || deadLetter.conversationID.map(ExactText.init) == conversation else {
                    return true
                }
                shown += 1
                try print(deadLetter, message.properties.headers.mapValues(\.shown))
                if let bodyBecause {
                    Logger(label: "amity").notice(
                        "dead-letter.body-shown",
                        metadata: ["letter": "\(id)", "because": "\(bodyBecause)"]
                    )
                    Swift.print(String(decoding: message.body, as: UTF8.self).printableJSON)
                }
                // There may be more of a conversation, but not of a dead letter.
                return !isIt
            }
            return shown
        }

        private func print(_ deadLetter: DeadLetter, _ headers: [String: String]) throws {
            Swift.print(try deadLetter.json)
            for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
                Swift.print("  \(name.printable): \(value.printable)")
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put dead letters back on their queue, with a fresh budget of attempts.",
            discussion: """
                A dead letter is removed when the broker has confirmed its copy, so one may come \
                twice and none is lost. Retrying is harmless for scores: a conversation counts once.
                """
        )

        @OptionGroup var selection: Selection

        @Flag(help: "Retry every dead letter there is. Needed when nothing else selects.")
        var all = false

        @Option(help: "Most dead letters to retry.")
        var limit = Int.max

        @Option(help: "Most dead letters a second.")
        var rate: Double?

        @Flag(help: "Only say how many there are, by their rows.")
        var dryRun = false

        func validate() throws {
            if let rate, !(rate > 0) { throw ValidationError("--rate takes more than 0") }
        }

        func run() async throws {
            let lookup = try deadLetterLookup()
            try await reportingFailure {
                let filter = try selection.filter(asking: lookup)
                try requireChoice(filter, all: all)
                if dryRun {
                    let count = try lookup.count(filter)
                    return print("would retry \(min(limit, count.recorded))\(others(count.others))")
                }
                let queue = lookup.deadLetterQueue
                print("retried \(try queue.retry(filter, limit: limit, perSecond: rate))")
            }
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove dead letters for good; asks first.",
            discussion: """
                --user erases one user's dead letters, by the message or by the database, and \
                their rows.
                """
        )

        @OptionGroup var selection: Selection

        @Flag(help: "Purge every dead letter there is. Needed when nothing else selects.")
        var all = false

        @Flag(help: "Only say how many there are, by their rows.")
        var dryRun = false

        @Flag(help: "Do not ask.")
        var yes = false

        func run() async throws {
            let lookup = try deadLetterLookup()
            try await reportingFailure {
                let filter = try selection.filter(asking: lookup)
                try requireChoice(filter, all: all)
                if dryRun || !yes {
                    let count = try lookup.count(filter)
                    let what = "\(count.recorded)\(others(count.others))"
                    if dryRun { return print("would purge \(what)") }
                    if count.recorded + count.others > 0, !confirmed(what) {
                        complain("nothing was purged")
                        throw ExitCode.failure
                    }
                }
                print("purged \(try lookup.deadLetterQueue.purge(filter))")
            }
        }

        private func confirmed(_ what: String) -> Bool {
            print("Remove \(what) dead letters for good? Type yes: ", terminator: "")
            fflush(nil)
            return readLine() == "yes"
        }
    }
}

extension DeadLetter {
    fileprivate var cells: [String] {
        [
            lastFailureAt, state.rawValue, "\(attempts)", code, id, conversationID ?? "-",
            copies > 1 ? "\(reason) (\(copies) copies)" : reason,
        ]
    }
}

private func others(_ count: Int) -> String {
    count == 0 ? "" : ", and what matches of \(count) without a row,"
}

private func requireChoice(_ filter: DeadLetterFilter, all: Bool) throws {
    if filter.isEmpty && !all {
        complain("say which dead letters (see --help), or --all")
        throw ExitCode(64)
    }
}
