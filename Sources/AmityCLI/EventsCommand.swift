import AMQP
import ArgumentParser
import Concurrency
import Events
import Foundation
import JSON
import Logging
import Messaging
import SafeText
import Settings

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "See what is told of tasks and scores.",
        discussion: "Processes write events where EVENTS says so.",
        subcommands: [Tail.self]
    )

    struct Tail: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print events as they come, until it is interrupted.",
            discussion: """
                A queue of its own takes them, which ends with the command. What is published \
                while the broker is away from it is not shown.
                """
        )

        @Option(
            help: """
                Only events whose routing key matches, such as 'task.failed.#', with * for one \
                word and # for any number; several may be given.
                """
        )
        var pattern: [String] = []

        @Flag(help: "Print each as a CloudEvent in JSON, on a line of its own.")
        var json = false

        func run() throws {
            let endpoint = try start().endpoint.named("amity events tail")
            let patterns = pattern.isEmpty ? ["#"] : pattern
            let isEnded = MonotonicSemaphore(value: 0)
            startThread(name: "amity-tail", stackBytes: Publisher.stackBytes) {
                follow(endpoint, patterns)
                isEnded.signal()
            }
            isEnded.wait()
            throw ExitStatus.unavailable
        }

        /// Returns when there is no connection to begin with.
        private func follow(_ endpoint: Endpoint, _ patterns: [String]) {
            var hasBegun = false
            while true {
                do throws(AMQPError) {
                    var tail = try ExchangeTail(
                        of: EventTopics.exchange,
                        matching: patterns,
                        at: endpoint,
                        logger: Logger(label: "amity")
                    )
                    complain(hasBegun ? "connected again" : "waiting for events")
                    hasBegun = true
                    while true {
                        guard let message = try tail.next(within: .seconds(1)) else { continue }
                        show(message)
                    }
                } catch {
                    complain("\(error)")
                    if !hasBegun { return }
                    sleep(1)
                }
            }
        }

        private func show(_ message: Message) {
            let event = ShownEvent(message)
            // A line at a time, also into a pipe.
            FileHandle.standardOutput.write(Data(((json ? event.json : event.line) + "\n").utf8))
        }
    }
}

/// An event for people and for programs.
struct ShownEvent {
    private let attributes: [(name: String, value: String)]
    private let body: String

    private static let names = ["id", "source", "specversion", "type", "subject", "time"]

    init(_ message: Message) {
        attributes = Self.names.compactMap { name in
            guard case .string(let value) = message.properties.headers["cloudEvents:\(name)"]
            else { return nil }
            return (name, value)
        }
        body = String(decoding: message.body, as: UTF8.self)
    }

    private var isJSON: Bool {
        do {
            _ = try JSONSerialization.jsonObject(with: Data(body.utf8), options: .fragmentsAllowed)
            return true
        } catch {
            return false
        }
    }

    private func attribute(_ name: String) -> String {
        attributes.first { $0.name == name }?.value ?? "-"
    }

    var line: String {
        let words = [attribute("time"), attribute("type"), attribute("subject"), body]
        return words.joined(separator: "  ").printable
    }

    /// As the CloudEvents specification's JSON format has it.
    var json: String {
        let members = attributes.map { "\"\($0.name)\":\(JSONValue.string($0.value))" }
        // A line break stands between the parts of a JSON text, if anywhere.
        let data = isJSON ? body.replacing("\n", with: " ") : JSONValue.string(body)
        let type = isJSON ? "application/json" : "text/plain"
        let rest = ["\"datacontenttype\":\"\(type)\"", "\"data\":\(data)"]
        return "{\((members + rest).joined(separator: ","))}"
    }
}
