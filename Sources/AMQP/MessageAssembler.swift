import Messaging

/// Puts a method, a header and body frames together to one message. Frames of one channel are
/// never interleaved, so one message is under way at a time.
///
/// Doing this here and not in the library keeps a body that trickles in from blocking the thread.
package struct MessageAssembler: ~Copyable {
    package enum Event {
        case delivered(tag: UInt64, redelivered: Bool, Message)
        case returned(routingKey: String, Message)
    }

    private enum Method {
        case delivery(tag: UInt64, redelivered: Bool)
        case returned(routingKey: String)
    }

    private var method: Method?
    private var properties: MessageProperties?
    private var body: [UInt8] = []
    private var bodySize = 0
    /// The tag of the consumer that the last delivery came to.
    package private(set) var consumer = ""

    package init() {}

    /// Whether a message has begun and is not whole.
    package var isInMessage: Bool { method != nil }

    /// The tag of a delivery of which nothing has come but its method, and that has come to a
    /// consumer before.
    package var unreadTwice: UInt64? {
        guard properties == nil, case .delivery(let tag, redelivered: true) = method else {
            return nil
        }
        return tag
    }

    /// - Returns: a message, when this frame was its last.
    package mutating func take(_ frame: Frame) throws(AMQPError) -> Event? {
        switch frame {
        case .delivery(let tag, let redelivered, let consumer):
            try begin(.delivery(tag: tag, redelivered: redelivered))
            self.consumer = consumer
            return nil
        case .returned(let routingKey):
            try begin(.returned(routingKey: routingKey))
            return nil
        case .header(let size, let properties):
            guard method != nil, self.properties == nil else {
                throw .protocolViolation("a header that follows no delivery")
            }
            self.properties = properties
            bodySize = size
            return finishIfWhole()
        case .body(let fragment):
            guard properties != nil, body.count + fragment.count <= bodySize else {
                throw .protocolViolation("more body than its header announced")
            }
            // Most bodies are one frame: keep its buffer instead of copying it once more.
            if body.isEmpty { body = fragment } else { body += fragment }
            return finishIfWhole()
        case .confirm, .blocked, .unblocked, .consumerCancelled, .depth, .closed, .other:
            return nil
        }
    }

    private mutating func begin(_ next: Method) throws(AMQPError) {
        guard method == nil else { throw .protocolViolation("a message inside a message") }
        method = next
    }

    private mutating func finishIfWhole() -> Event? {
        guard let method, let properties, body.count == bodySize else { return nil }
        let message = Message(properties: properties, body: body)
        self.method = nil
        self.properties = nil
        body = []
        switch method {
        case .delivery(let tag, let redelivered):
            return .delivered(tag: tag, redelivered: redelivered, message)
        case .returned(let routingKey):
            return .returned(routingKey: routingKey, message)
        }
    }
}
