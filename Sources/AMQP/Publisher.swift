import Concurrency
import Logging
import Messaging
import WorkerHealth

/// Publishes with confirms, from a connection and a thread of its own: a connection that the
/// broker blocks for want of memory stops settling, too, so the consumer's must never publish.
///
/// A message whose connection is lost before its confirm is published again on the next, so it may
/// arrive twice and is never lost. The connection is opened when the first message comes.
///
/// The broker closes the channel over a message that it does not want, without naming it. What was
/// on the wire then goes on in a second lane, one message after the other: there it shows which one
/// it was. That one is tried again after a pause that grows; the others go their way.
package final class Publisher: Sendable {
    /// What the broker made of a message.
    package enum Result: Sendable, Equatable {
        /// It has it, durably.
        case confirmed
        /// No queue took it.
        case returned
        /// It refused it, e.g. at a length limit with reject-publish, or as too large.
        case refused
        /// The publisher was stopped first, or the message is not wanted any more.
        case abandoned
    }

    /// Messages that the broker has not taken, and that are tried again.
    package struct Withheld: Sendable, Equatable {
        package var count = 0
        /// Of their bodies.
        package var bytes = 0
    }

    private let main: PublisherLane
    private let single: PublisherLane
    private let drain: DrainSignal
    private let isSingleStarted = Locked(false)

    /// - Parameters:
    ///   - topology: its main queue is declared by each new connection where it is missing; nil for
    ///     none.
    ///   - insists: whether a message that the broker does not take is tried again until it does,
    ///     or reported to its sender. One that insists declares no queue: its keeper does.
    ///   - onRefusal: called on the publisher's thread when the broker has not taken a message;
    ///     must not block.
    package init(
        endpoint: Endpoint,
        topology: Topology?,
        insists: Bool,
        health: LinkHealth = LinkHealth(),
        onRefusal: @escaping @Sendable () -> Void = {},
        logger: Logger
    ) {
        let drain = DrainSignal()
        self.drain = drain
        let settings = PublisherLane.Settings(
            endpoint: endpoint,
            topology: topology,
            insists: insists,
            limit: 1
        )
        let single = PublisherLane(
            settings,
            health,
            drain,
            onRefusal: onRefusal,
            onSuspects: { _ in },
            logger
        )
        self.single = single
        var all = settings
        all.limit = PublishWindow.preset
        main = PublisherLane(
            all,
            health,
            drain,
            onRefusal: onRefusal,
            onSuspects: { [isSingleStarted] suspects in
                let isFirst = isSingleStarted.withLock { isStarted in
                    defer { isStarted = true }
                    return !isStarted
                }
                if isFirst { single.start(name: "amity-publish-1") }
                single.add(suspects)
            },
            logger
        )
    }

    /// Stack of a thread on which connections are opened.
    package static let stackBytes = Connection.stackBytes

    package func start() { main.start(name: "amity-publisher") }

    /// What the broker has not taken now; while it takes nothing at all, everything.
    package var withheld: Withheld {
        let (one, other) = (main.withheld, single.withheld)
        return Withheld(count: one.count + other.count, bytes: one.bytes + other.bytes)
    }

    /// Hands a message over; returns at once.
    ///
    /// - Parameters:
    ///   - subject: the id of what it is about, for logs.
    ///   - isWanted: asked before it is sent, and sent again: false drops it as `.abandoned`.
    ///   - completion: called once, on the publisher's thread; must not block.
    package func publish(
        _ message: Message,
        about subject: String? = nil,
        exchange: String = "",
        routingKey: String,
        isWanted: @escaping @Sendable () -> Bool = { true },
        completion: @escaping @Sendable (Result) -> Void
    ) {
        main.add([
            PublishRequest(
                message: message,
                subject: subject,
                exchange: exchange,
                routingKey: routingKey,
                isWanted: isWanted,
                completion: completion
            )
        ])
    }

    /// Stops the threads and waits for them. What is not confirmed by then is `.abandoned`.
    ///
    /// - Parameter limit: the time that a broker is given to take what is being sent. Chosen.
    package func stop(within limit: Duration = .milliseconds(700)) {
        drain.raise()
        main.stop(within: limit)
        if isSingleStarted.withLock(\.self) { single.stop(within: limit) }
    }
}
