import CRabbitMQ
import Messaging

/// One frame, copied out of the library's memory, reduced to what a consumer or publisher acts on.
package enum Frame {
    /// - Parameter consumer: the tag of the consumer that it comes to.
    case delivery(tag: UInt64, redelivered: Bool, consumer: String = "")
    case returned(routingKey: String)
    case header(bodySize: Int, MessageProperties)
    case body([UInt8])
    /// A publisher confirm: `isAck` false means that the broker refused the message.
    case confirm(tag: UInt64, multiple: Bool, isAck: Bool)
    /// The broker is short of memory or disk and reads nothing more from this connection.
    case blocked(reason: String)
    case unblocked
    case consumerCancelled
    /// The answer to `askDepth`.
    case depth(QueueDepth)
    case closed(AMQPError)
    /// Replies and housekeeping that need no action.
    case other

    init(copying frame: amqp_frame_t, during operation: String = "consume") throws(AMQPError) {
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            self.init(method: frame.payload.method, during: operation)
        case AMQP_FRAME_HEADER:
            let header = frame.payload.properties
            guard let decoded = header.decoded, let size = Int(exactly: header.body_size) else {
                throw .protocolViolation("a header frame without properties")
            }
            // The library decodes those of other classes into smaller structures.
            guard header.class_id == UInt16(AMQP_BASIC_CLASS) else {
                throw .protocolViolation("a header frame of class \(header.class_id)")
            }
            let properties = decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee
            self = .header(bodySize: size, MessageProperties(properties))
        case AMQP_FRAME_BODY:
            let fragment = frame.payload.body_fragment
            self = .body(
                Array(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
            )
        case _:
            self = .other
        }
    }

    private init(method: amqp_method_t, during operation: String) {
        func decoded<Method>(_: Method.Type) -> Method {
            method.decoded.assumingMemoryBound(to: Method.self).pointee
        }
        switch method.id {
        case amity_basic_deliver:
            let deliver = decoded(amqp_basic_deliver_t.self)
            self = .delivery(
                tag: deliver.delivery_tag,
                redelivered: deliver.redelivered != 0,
                consumer: String(deliver.consumer_tag)
            )
        case amity_basic_return:
            self = .returned(routingKey: String(decoded(amqp_basic_return_t.self).routing_key))
        case amity_basic_ack:
            let ack = decoded(amqp_basic_ack_t.self)
            self = .confirm(tag: ack.delivery_tag, multiple: ack.multiple != 0, isAck: true)
        case amity_basic_nack:
            let nack = decoded(amqp_basic_nack_t.self)
            self = .confirm(tag: nack.delivery_tag, multiple: nack.multiple != 0, isAck: false)
        case amity_basic_cancel:
            self = .consumerCancelled
        case amity_connection_blocked:
            self = .blocked(reason: String(decoded(amqp_connection_blocked_t.self).reason))
        case amity_connection_unblocked:
            self = .unblocked
        case amity_queue_declare_ok:
            let found = decoded(amqp_queue_declare_ok_t.self)
            self = .depth(
                QueueDepth(ready: Int(found.message_count), consumers: Int(found.consumer_count))
            )
        case _:
            self = Self.closed(by: method, during: operation).map(Frame.closed) ?? .other
        }
    }

    /// The error in a connection.close or channel.close, nil for any other method.
    static func closed(by method: amqp_method_t, during operation: String) -> AMQPError? {
        let (code, text): (UInt16, amqp_bytes_t)
        switch method.id {
        case amity_connection_close:
            let close = method.decoded.assumingMemoryBound(to: amqp_connection_close_t.self)
            (code, text) = (close.pointee.reply_code, close.pointee.reply_text)
        case amity_channel_close:
            let close = method.decoded.assumingMemoryBound(to: amqp_channel_close_t.self)
            (code, text) = (close.pointee.reply_code, close.pointee.reply_text)
        case _:
            return nil
        }
        return .closedByBroker(code: code, text: String(text), during: operation)
    }
}
