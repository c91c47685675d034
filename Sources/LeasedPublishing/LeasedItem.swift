import AMQP
import Messaging

/// What a `LeasedPublisher` publishes: the message of a row that a process has leased.
package protocol LeasedItem: Sendable {
    associatedtype Key: Hashable, Sendable

    /// Tells it from every other item in hand.
    var key: Key { get }
    var exchange: String { get }
    var routingKey: String { get }
    /// 0 for the most urgent ones, at most 3.
    var lane: Int { get }
    /// The id of what it is about, for logs.
    var subject: String { get }
    /// Made when it is handed over.
    var message: Message { get }
}

/// The rows behind a `LeasedPublisher`. All but `answered` is called on its thread, and may block.
package protocol LeasedRows: Sendable {
    associatedtype Item: LeasedItem

    /// Notes in the database that the broker has these messages.
    ///
    /// - Returns: false where it could not: they come again.
    func settle(_ items: [Item]) -> Bool

    /// On the thread of AMQP's publisher; must not block.
    func answered(_ item: Item, _ result: Publisher.Result)

    /// Makes a queue that has returned messages.
    ///
    /// - Returns: whether they may be sent there again.
    func declare(_ queue: String) -> Bool

    /// What else is done at an interval.
    ///
    /// - Returns: until the next time, at most a second.
    func turn(_ publisher: LeasedPublisher<Self>) -> Duration
}
