import Foundation
import FriendshipScoring
import Logging
import MetricsTestKit
import TestSupport
import Testing
import WorkerHealth

@testable import AnalysisServices
@testable import Concurrency

/// Keeps what is logged, for tests that look for text that must not be logged.
final class LogBook: Sendable {
    private let lines = Locked<[String]>([])
    private let warned = Locked<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    /// The names of the warnings, in order.
    var warnings: [String] { warned.withLock { $0 } }

    func line(_ event: String) -> String? { lines.withLock { $0.first { $0.hasPrefix(event) } } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(book: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let book: LogBook
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = "\(event.message) \(event.metadata ?? [:])"
            book.lines.withLock { $0.append(line) }
            if event.level >= .warning { book.warned.withLock { $0.append("\(event.message)") } }
        }
    }
}

/// Services whose two addresses are one stub, and what they log.
final class Bench: Sendable {
    static let key = "canary-key-4711"
    static let words = "canary-words-4712"

    let stub: StubServer
    let services: AnalysisServices
    let book = LogBook()
    let health = LinkHealth()
    let metrics = TestMetrics()

    init(
        timeout: Double = 60,
        concurrency: Int = 8,
        perSecond: Double? = nil,
        _ answer: @escaping @Sendable (StubServer.Request) -> StubServer.Answer
    ) throws {
        let stub = try StubServer(answer)
        self.stub = stub
        func settings(_ path: String, _ key: String?) -> ServiceSettings {
            ServiceSettings(
                url: stub.url + path,
                key: key,
                timeout: .seconds(timeout),
                concurrency: concurrency,
                requestsPerSecond: perSecond
            )
        }
        services = AnalysisServices(
            chat: settings("/v1/chat/completions", Self.key),
            model: "model",
            memory: settings("/extract_facts", nil),
            health: health,
            metrics: metrics,
            logger: book.logger
        )
    }

    /// Requests to the model with that outcome.
    func count(_ outcome: String) throws -> Int64 {
        let labels = [("service", "chat-model"), ("outcome", outcome)]
        return try metrics.expectCounter("amity_service_requests_total", labels).totalValue
    }

    /// Whether the model's circuit is open.
    func isCircuitOpen() throws -> Bool {
        let labels = [("service", "chat-model")]
        return try metrics.expectRecorder("amity_service_circuit_open", labels).lastValue == 1
    }

    private static let talk = Talk(
        conversationID: "c1",
        userID: "u1",
        log: ConversationLog(items: [
            .init(speaker: .pika, text: "Hi"), .init(speaker: .user, text: words),
            .init(speaker: .other, text: "…"), .init(speaker: .user, text: "Why?"),
        ])
    )

    func ask(chat: Bool = true, memories: Bool = true) async -> ServiceAnswers {
        await withCheckedContinuation { continuation in
            _ = services.ask(about: Self.talk, chat: chat, memories: memories) {
                continuation.resume(returning: $0)
            }
        }
    }

    func chat() async -> Result<ChatAnswer, ServiceError>? { await ask(memories: false).chat }

    /// Asks again and again until something holds, longer than a circuit pauses.
    func waitUntil(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () -> Bool
    ) async {
        let deadline = ContinuousClock.now + .seconds(40)
        while !condition(), ContinuousClock.now < deadline {
            _ = await chat()
            // An open circuit answers at once.
            await withCheckedContinuation { done in
                DispatchQueue.global().asyncAfter(deadline: .now() + 0.05) { done.resume() }
            }
        }
        #expect(condition(), sourceLocation: sourceLocation)
    }

    /// Why the model gave no answer; nil where it did.
    func failure() async -> ServiceError? {
        if case .failure(let error) = await chat() { error } else { nil }
    }

    /// Ends the services, and looks whether anything was said that must not be.
    func close(sourceLocation: SourceLocation = #_sourceLocation) {
        services.stop()
        #expect(!book.text.contains(Self.key), sourceLocation: sourceLocation)
        #expect(!book.text.contains(Self.words), sourceLocation: sourceLocation)
    }
}

let good = StubServer.Answer.chat(questions: 1, emotion: "happy")
let found = ChatAnswer(questions: 1, emotion: "happy")

extension StubServer.Request {
    var isChat: Bool { path == "/v1/chat/completions" }
}

/// Answers in turn; the last one for ever.
func script(
    _ answers: StubServer.Answer...
) -> @Sendable (StubServer.Request) -> StubServer.Answer {
    let left = Locked(answers)
    return { _ in
        left.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }
}
