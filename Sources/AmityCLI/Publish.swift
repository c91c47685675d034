import AMQP
import ArgumentParser
import ConversationPublishing
import Foundation
import Logging
import SampleConversations
import Settings

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put conversations on the queue, by id.",
        discussion: """
            Counts only what the broker has confirmed; exits with 69 when anything was not. \
            Publishing a conversation again is harmless: it counts once.
            """
    )

    @Argument(help: "Conversation ids. Use - to read them from standard input, one a line.")
    var ids: [String] = []

    @Option(help: "Read conversation ids from a file, one a line.")
    var file: String?

    @Option(help: "Make up this many conversations in the database and publish those.")
    var generate: Int?

    @Flag(help: "Do not ask before generating on servers that are not this machine's.")
    var yes = false

    @Option(help: "Spread generated conversations over this many users.")
    var users = 100

    @Option(help: "Seed of the generated conversations; the same seed makes the same ones.")
    var seed: UInt64 = UInt64(Date().timeIntervalSince1970)

    @Option(help: "Publish each conversation this many times.")
    var copies = 1

    @Flag(help: "Publish to the exchange with the routing key instead of straight to the queue.")
    var viaExchange = false

    @Option(help: "Give up when the broker has confirmed nothing for this many seconds.")
    var timeout = 60

    func validate() throws {
        if let generate, generate < 1 { throw ValidationError("--generate takes 1 or more") }
        if users < 1 { throw ValidationError("--users takes 1 or more") }
        if copies < 1 { throw ValidationError("--copies takes 1 or more") }
        if timeout < 1 { throw ValidationError("--timeout takes 1 second or more") }
        if ids.isEmpty && file == nil && generate == nil {
            throw ValidationError("name conversation ids, --file, - or --generate")
        }
    }

    func run() async throws {
        let settings = try start()
        if let generate {
            let environment = ProcessInfo.processInfo.environment
            try askForConsent(
                "makes up \(generate) conversations and scores them",
                on: ServerNames(of: settings, environment: { environment[$0] }),
                isGiven: yes
            )
        }
        let endpoint = settings.endpoint.named("amity publish")
        let logger = Logger(label: "amity")
        let ids = try namedIDs()
        let (confirmed, missing) = try await reportingFailure {
            try settings.topology.ensureMain(at: endpoint, logger: logger)
            let publisher = ConversationPublisher(
                publisher: Publisher(
                    endpoint: endpoint,
                    topology: settings.topology,
                    insists: false,
                    logger: logger
                ),
                exchange: viaExchange ? settings.topology.exchange : "",
                routingKey: viaExchange
                    ? settings.topology.routingKey : settings.topology.names.main,
                patience: .seconds(timeout)
            )
            var progress = Progress()
            var missing = publish(ids, with: publisher, &progress)
            if let generate {
                var generator = ConversationGenerator(seed: seed, userCount: users)
                try generator.insert(generate, into: settings.database) { ids in
                    missing += publish(ids, with: publisher, &progress)
                }
            }
            missing = publisher.finish() + missing
            progress.clear()
            return (publisher.confirmed, missing)
        }
        print("published \(confirmed), confirmed by the broker")
        if !missing.isEmpty {
            complain("\(missing.count) not confirmed: no queue took them, or the broker was away:")
            for id in missing { complain("not confirmed: \(id)") }
            throw ExitStatus.unavailable
        }
    }

    /// - Returns: the ids that were not even handed over, because the broker confirms nothing more.
    private func publish(
        _ ids: [String],
        with publisher: ConversationPublisher,
        _ progress: inout Progress
    ) -> [String] {
        let messages = ids.flatMap { Array(repeating: $0, count: copies) }
        for (index, id) in messages.enumerated() {
            if !publisher.publish(id) { return Array(messages[index...]) }
            progress.show(publisher.confirmed)
        }
        return []
    }

    private func namedIDs() throws -> [String] {
        var named = ids.filter { $0 != "-" }
        if ids.contains("-") {
            while let line = readLine() { named.append(line) }
        }
        if let file {
            guard let data = FileManager.default.contents(atPath: file),
                let text = String(validating: data, as: UTF8.self)
            else { throw ValidationError("--file: cannot read \(file) as UTF-8 text") }
            named += text.split(whereSeparator: \.isNewline).map(String.init)
        }
        return named.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}

/// A count on the terminal, a few times a second; silent elsewhere.
private struct Progress {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shownAt = ContinuousClock.now

    mutating func show(_ count: Int) {
        guard isTerminal, shownAt.duration(to: .now) > .milliseconds(200) else { return }
        shownAt = .now
        writeToStandardError("\r\(count) confirmed")
    }

    func clear() {
        if isTerminal { writeToStandardError("\r\u{1B}[K") }
    }
}
