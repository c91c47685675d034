import CRabbitMQ
import Glibc
import Logging

// A message whose headers librabbitmq does not read: from 0.14 on those that are nested more than
// 100 levels deep.

extension AMQPError {
    /// Whether the library has met bytes that it does not read.
    package var isUnreadable: Bool {
        if case .library(AMQP_STATUS_BAD_AMQP_DATA.rawValue, _) = self { true } else { false }
    }
}

extension Connection {
    /// Rejects a delivery whose headers the library does not read: it cannot go on behind them, so
    /// the queue would stay behind that message for ever. What the broker does with it is the
    /// queue's matter: it is dropped, or dead-lettered. The connection is to be closed then.
    package func rejectUnread(_ tag: UInt64, from queue: String, _ logger: Logger) {
        do throws(AMQPError) { try reject(tag) } catch { return }
        logger.error(
            "message.rejected",
            metadata: [
                "queue": "\(queue)",
                "error": "the library does not read its headers: they are nested too deeply",
                "remedy": "end what publishes it; a conversation or task comes again from its row",
            ]
        )
        // The rest of the message is on its way: a socket that is closed with unread bytes resets
        // the connection, and the broker may never read the rejection.
        shutdown(descriptor, Int32(SHUT_WR))
        let deadline = ContinuousClock.now + .seconds(2)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while ContinuousClock.now < deadline {
            var socket = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&socket, 1, 500) > 0, read(descriptor, &buffer, buffer.count) <= 0 { return }
        }
    }
}
