import CRabbitMQ
import WorkerRuntime

extension MessageProperties {
    /// Copies a received header frame's properties out of the library's memory.
    init(_ properties: amqp_basic_properties_t) {
        self.init()
        func has(_ flag: Int32) -> Bool { properties._flags & amqp_flags_t(flag) != 0 }
        func string(_ flag: Int32, _ bytes: amqp_bytes_t) -> String? {
            has(flag) ? String(exactly: bytes) : nil
        }
        contentType = string(AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type)
        contentEncoding = string(AMQP_BASIC_CONTENT_ENCODING_FLAG, properties.content_encoding)
        correlationID = string(AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id)
        messageID = string(AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id)
        replyTo = string(AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to)
        appID = string(AMQP_BASIC_APP_ID_FLAG, properties.app_id)
        // Not left out when it is not UTF-8: a message without a type is a conversation. Nor repaired,
        // for then it might outgrow a short string, and a copy would be without.
        if has(AMQP_BASIC_TYPE_FLAG) { type = String(exactly: properties.type) ?? "not UTF-8" }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { timestamp = properties.timestamp }
        if has(AMQP_BASIC_PRIORITY_FLAG) { priority = properties.priority }
        if has(AMQP_BASIC_HEADERS_FLAG) { headers = .init(properties.headers) }
    }

    /// The same for publishing, always persistent. The result points into `arena`.
    ///
    /// - Parameter limit: most bytes of all headers. If they have more, only our own go, the largest
    ///   not even of these: what the library cannot encode would cost the connection and every message
    ///   on it.
    func encoded(in arena: inout Arena, limit: Int) -> amqp_basic_properties_t {
        var encoded = amqp_basic_properties_t()
        encoded._flags = amqp_flags_t(AMQP_BASIC_DELIVERY_MODE_FLAG)
        encoded.delivery_mode = 2
        func set(
            _ flag: Int32,
            _ string: String?,
            _ path: WritableKeyPath<amqp_basic_properties_t, amqp_bytes_t>
        ) {
            // A short string has one byte for its length.
            guard let string, string.utf8.count <= 255 else { return }
            encoded._flags |= amqp_flags_t(flag)
            encoded[keyPath: path] = arena.bytes(string)
        }
        set(AMQP_BASIC_CONTENT_TYPE_FLAG, contentType, \.content_type)
        set(AMQP_BASIC_CONTENT_ENCODING_FLAG, contentEncoding, \.content_encoding)
        set(AMQP_BASIC_CORRELATION_ID_FLAG, correlationID, \.correlation_id)
        set(AMQP_BASIC_MESSAGE_ID_FLAG, messageID, \.message_id)
        set(AMQP_BASIC_REPLY_TO_FLAG, replyTo, \.reply_to)
        set(AMQP_BASIC_APP_ID_FLAG, appID, \.app_id)
        set(AMQP_BASIC_TYPE_FLAG, type, \.type)
        if let timestamp {
            encoded._flags |= amqp_flags_t(AMQP_BASIC_TIMESTAMP_FLAG)
            encoded.timestamp = timestamp
        }
        if let priority {
            encoded._flags |= amqp_flags_t(AMQP_BASIC_PRIORITY_FLAG)
            encoded.priority = priority
        }
        if !headers.isEmpty {
            encoded._flags |= amqp_flags_t(AMQP_BASIC_HEADERS_FLAG)
            encoded.headers = arena.table(fitting(limit).map { ($0, .scalar($1)) })
        }
        return encoded
    }

    private func fitting(_ limit: Int) -> [(String, HeaderValue)] {
        func size(_ header: (key: String, value: HeaderValue)) -> Int {
            header.key.utf8.count + header.value.size
        }
        if headers.reduce(0, { $0 + size($1) }) <= limit { return Array(headers) }
        // Smallest first, so that the count of attempts is among them whatever a stranger wrote.
        var room = limit
        return headers.filter { $0.key.hasPrefix("amity-") }.sorted { size($0) < size($1) }
            .prefix { header in
                room -= size(header)
                return room >= 0
            }
    }
}

extension HeaderValue {
    /// Bytes on the wire, with the overhead of its entry; an upper bound.
    fileprivate var size: Int {
        let overhead = 16
        return switch self {
        case .bool, .integer, .double, .timestamp: overhead
        case .string(let string): overhead + string.utf8.count
        case .bytes(let bytes): overhead + bytes.count
        }
    }
}
