import CRabbitMQ
import Concurrency
import Foundation
import Testing

@testable import AMQP

/// A header as others may send it and Amity never does.
indirect enum NestedHeader: Sendable {
    case text(String)
    case table([String: NestedHeader])
    case array([NestedHeader])
    /// Arrays in arrays, so many levels.
    case arrays(levels: Int)
}

/// Publishes with such headers, and returns when the broker has the message.
func publish(
    _ body: [UInt8],
    to queue: TestQueue,
    headers: [String: NestedHeader]
) throws {
    let done = DispatchSemaphore(value: 0)
    let replied = Locked<amqp_response_type_enum?>(nil)
    // The library's encoder recurses as deep as the headers do.
    startThread(name: "nested-headers", stackBytes: 64 << 20) {
        let connection = amqp_new_connection()
        let socket = amqp_tcp_socket_new(connection)
        let endpoint = queue.endpoint
        amqp_socket_open(socket, endpoint.addresses[0].host, Int32(endpoint.addresses[0].port))
        var none = amqp_table_t()
        _ = amity_login_plain(
            connection,
            endpoint.virtualHost,
            131_072,
            0,
            &none,
            endpoint.username,
            endpoint.password
        )
        amqp_channel_open(connection, 1)
        var arena = Arena()
        var properties = amqp_basic_properties_t()
        properties._flags = amqp_flags_t(AMQP_BASIC_HEADERS_FLAG)
        properties.headers = encoded(headers, in: &arena)
        amqp_basic_publish(
            connection,
            1,
            amqp_bytes_t(),
            arena.bytes(queue.name),
            0,
            0,
            &properties,
            arena.bytes(body)
        )
        // Answered after the message, on the same channel.
        let reply = amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS)
        replied.withLock { $0 = reply.reply_type }
        amqp_destroy_connection(connection)
        done.signal()
    }
    done.wait()
    try #require(replied.withLock(\.self) == AMQP_RESPONSE_NORMAL)
}

private func encoded(_ headers: [String: NestedHeader], in arena: inout Arena) -> amqp_table_t {
    let entries = headers.map { name, value in
        amqp_table_entry_t(key: arena.bytes(name), value: encoded(value, in: &arena))
    }
    return amqp_table_t(num_entries: Int32(entries.count), entries: arena.keep(entries))
}

private func encoded(_ header: NestedHeader, in arena: inout Arena) -> amqp_field_value_t {
    var field = amqp_field_value_t()
    switch header {
    case .text(let text):
        field.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
        field.value.bytes = arena.bytes(text)
    case .table(let entries):
        field.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
        field.value.table = encoded(entries, in: &arena)
    case .array(let elements):
        field = array(elements.map { encoded($0, in: &arena) }, in: &arena)
    case .arrays(let levels):
        field = array([], in: &arena)
        for _ in 1..<levels { field = array([field], in: &arena) }
    }
    return field
}

private func array(_ fields: [amqp_field_value_t], in arena: inout Arena) -> amqp_field_value_t {
    var field = amqp_field_value_t()
    field.kind = UInt8(AMQP_FIELD_KIND_ARRAY.rawValue)
    field.value.array = amqp_array_t(
        num_entries: Int32(fields.count),
        entries: arena.keep(fields)
    )
    return field
}

extension Arena {
    /// Memory for C structures, as `bytes` gives it for text.
    fileprivate mutating func keep<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element>
    {
        let bytes = elements.withUnsafeBytes { self.bytes(Array($0)) }
        return bytes.bytes.assumingMemoryBound(to: Element.self)
    }
}
