import CRabbitMQ
import Messaging

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
        // Not left out when it is not UTF-8: a message without a type is a conversation. Nor
        // repaired, for then it might outgrow a short string, and a copy would be without.
        if has(AMQP_BASIC_TYPE_FLAG) { type = String(exactly: properties.type) ?? "not UTF-8" }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { timestamp = properties.timestamp }
        if has(AMQP_BASIC_PRIORITY_FLAG) { priority = properties.priority }
        if has(AMQP_BASIC_HEADERS_FLAG) { headers = .init(properties.headers) }
    }

    /// The same for publishing, always persistent. The result points into `arena`.
    ///
    /// - Parameter frameMax: most bytes of a frame. If the headers have more, a publisher's give
    ///   way to ours, and the texts of ours are cut: what the library cannot encode would cost the
    ///   connection and every message on it, and without ours attempts would have no bound.
    func encoded(in arena: inout Arena, frameMax: Int) -> amqp_basic_properties_t {
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
            encoded.headers = arena.table(
                headers(within: frameMax - sizeWithoutHeaders).map { ($0, .scalar($1)) }
            )
        }
        return encoded
    }

    /// Room for what the broker adds when it dead-letters a message (x-death and the like: names of
    /// at most 255 bytes, and some words): it could not deliver a header larger than a frame.
    private static let brokersShare = 1200

    /// Bytes of a header frame besides those of the headers; an upper bound.
    private var sizeWithoutHeaders: Int {
        // The frame's own, the content header's, flags, delivery mode, timestamp, priority, the
        // table's length, and a length for each text, rounded up.
        let fixed = 64 + Self.brokersShare
        let texts = [
            contentType, contentEncoding, correlationID, messageID, replyTo, appID, type,
        ]
        return texts.reduce(fixed) { $0 + min(255, $1?.utf8.count ?? 0) }
    }

    /// All headers where they fit. Else ours, the longest texts cut, and of the others those that
    /// still fit, the smallest first.
    private func headers(within limit: Int) -> [(String, HeaderValue)] {
        func size(_ headers: [(key: String, value: HeaderValue)]) -> Int {
            headers.reduce(0) { $0 + $1.key.utf8.count + $1.value.size }
        }
        let all = headers.map { (key: $0.key, value: $0.value) }
        if size(all) <= limit { return all.map { ($0.key, $0.value) } }
        func smallestFirst(_ headers: [(key: String, value: HeaderValue)])
            -> [(key: String, value: HeaderValue)]
        {
            headers.sorted { (size([$0]), $0.key) < (size([$1]), $1.key) }
        }
        var kept: [(key: String, value: HeaderValue)] = []
        // Smallest first, so that the count of attempts is among them whatever the others are.
        for var header in smallestFirst(all.filter { $0.key.hasPrefix(HeaderName.prefix) }) {
            let room = limit - size(kept) - header.key.utf8.count
            header.value = header.value.cut(to: room)
            if header.value.size <= room { kept.append(header) }
        }
        for header in smallestFirst(all.filter { !$0.key.hasPrefix(HeaderName.prefix) })
        where size(kept) + size([header]) <= limit {
            kept.append(header)
        }
        return kept.map { ($0.key, $0.value) }
    }
}

extension HeaderValue {
    private static let overhead = 16

    /// Bytes on the wire, with the overhead of its entry; an upper bound.
    fileprivate var size: Int {
        switch self {
        case .bool, .integer, .double, .timestamp: Self.overhead
        case .string(let string): Self.overhead + string.utf8.count
        case .bytes(let bytes): Self.overhead + bytes.count
        }
    }

    /// A text cut so that it has at most so many bytes on the wire, at the end of a character;
    /// anything else as it is.
    fileprivate func cut(to size: Int) -> HeaderValue {
        guard case .string(let text) = self, self.size > size else { return self }
        var end = text.startIndex
        var room = size - Self.overhead
        for index in text.indices {
            room -= text[index].utf8.count
            if room < 0 { break }
            end = text.index(after: index)
        }
        return .string(String(text[..<end]))
    }
}
