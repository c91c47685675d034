import AMQP
import Concurrency
import Foundation

/// Puts conversations on the queue by their ids, and counts only what the broker has confirmed.
package final class ConversationPublisher: Sendable {
    private struct State {
        var published = 0
        var confirmed = 0
        /// By number of publication: handed over and not confirmed, or never to be.
        var unconfirmed: [Int: String] = [:]
        var hasGivenUp = false
    }

    private let publisher: Publisher
    private let exchange: String
    private let routingKey: String
    private let patience: Duration
    private let state = Locked(State())
    /// Bounds what is handed over and not yet answered.
    private let window = MonotonicSemaphore(value: windowSize)
    private static let windowSize = 1000

    /// - Parameters:
    ///   - exchange: empty for the default exchange, where the key is a queue's name.
    ///   - patience: how long the broker may go without confirming anything.
    package init(
        publisher: Publisher,
        exchange: String,
        routingKey: String,
        patience: Duration
    ) {
        self.publisher = publisher
        self.exchange = exchange
        self.routingKey = routingKey
        self.patience = patience
        publisher.start()
    }

    package var confirmed: Int { state.withLock(\.confirmed) }

    /// Publishes one conversation; blocks while too many are unanswered.
    ///
    /// - Parameters:
    ///   - user: lets workers keep those of one user apart.
    ///   - attempts: runs it has had before; the more, the fewer are left.
    ///   - isDated: whether the body says when it was enqueued. Two that do not are the same, so
    ///     that one that kills its worker is known again.
    /// - Returns: false when the broker has confirmed nothing for too long. It was not published.
    package func publish(
        _ conversationID: String,
        of user: String? = nil,
        attempts: Int = 0,
        isDated: Bool = true
    ) -> Bool {
        if state.withLock(\.hasGivenUp) { return false }
        guard window.wait(atMost: patience) else {
            state.withLock { $0.hasGivenUp = true }
            return false
        }
        let enqueuedAt = isDated ? Date() : nil
        let number = state.withLock { state in
            state.published += 1
            state.unconfirmed[state.published] = conversationID
            return state.published
        }
        publisher.publish(
            .naming(conversationID, user: user, enqueuedAt: enqueuedAt, attempts: attempts),
            exchange: exchange,
            routingKey: routingKey
        ) { result in
            if result == .confirmed {
                self.state.withLock { state in
                    state.confirmed += 1
                    state.unconfirmed[number] = nil
                }
            }
            self.window.signal()
        }
        return true
    }

    /// Waits until every message is answered, or none has been for too long, then stops.
    ///
    /// - Returns: the ids that were not confirmed, in order.
    package func finish() -> [String] {
        // Having the whole window means that nothing is under way.
        var held = 0
        while held < Self.windowSize,
            window.wait(atMost: patience)
        {
            held += 1
        }
        publisher.stop()
        for _ in 0..<held { window.signal() }
        return state.withLock { state in
            state.unconfirmed.sorted { $0.key < $1.key }.map(\.value)
        }
    }
}
