import AMQP
import Dispatch
import Foundation
import WorkerRuntime

/// Puts conversations on the queue by their ids, and counts only what the broker has confirmed.
package final class ConversationPublisher: Sendable {
    package struct Counts: Sendable, Equatable {
        package var confirmed = 0
        /// No queue took it, the broker refused it, or the publisher was stopped first.
        package var failed = 0
    }

    private let publisher: Publisher
    private let exchange: String
    private let routingKey: String
    private let counts = Locked(Counts())
    /// Bounds what is handed over and not yet answered.
    private let window = DispatchSemaphore(value: windowSize)
    private static let windowSize = 1000

    /// - Parameter exchange: empty for the default exchange, where the key is a queue's name.
    package init(publisher: Publisher, exchange: String, routingKey: String) {
        self.publisher = publisher
        self.exchange = exchange
        self.routingKey = routingKey
        publisher.start()
    }

    /// Publishes one conversation; blocks while too many are unanswered.
    package func publish(_ conversationID: String) {
        var properties = MessageProperties()
        properties.contentType = "application/json"
        properties.messageID = UUID().uuidString
        properties.timestamp = UInt64(Date().timeIntervalSince1970)
        let body = json(
            Body(conversation_id: conversationID, enqueued_at: Self.enqueuedAt(Date()))
        )
        window.wait()
        publisher.publish(
            Message(properties: properties, body: Array(body.utf8)),
            exchange: exchange,
            routingKey: routingKey
        ) { result in
            self.counts.withLock { counts in
                if result == .confirmed { counts.confirmed += 1 } else { counts.failed += 1 }
            }
            self.window.signal()
        }
    }

    package var soFar: Counts { counts.withLock(\.self) }

    /// Waits until every message is answered or the time is over, then stops.
    package func finish(within timeout: Duration) -> Counts {
        let deadline = DispatchTime.now() + (timeout / .seconds(1))
        // Having the whole window means that nothing is under way.
        var held = 0
        while held < Self.windowSize, window.wait(timeout: deadline) == .success { held += 1 }
        publisher.stop()
        for _ in 0..<held { window.signal() }
        return soFar
    }

    private struct Body: Encodable {
        var conversation_id: String
        var enqueued_at: String
    }

    /// ISO 8601 in UTC without a zone, as the service's own publisher writes it.
    private static func enqueuedAt(_ date: Date) -> String {
        String(date.formatted(.iso8601).dropLast())
    }
}
