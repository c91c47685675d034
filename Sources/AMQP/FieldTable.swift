import CRabbitMQ
import Messaging

/// Memory behind C structures that Swift builds, freed when the last of them has been used.
struct Arena: ~Copyable {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    mutating func bytes(_ string: String) -> amqp_bytes_t {
        bytes(Array(string.utf8))
    }

    mutating func bytes(_ content: [UInt8]) -> amqp_bytes_t {
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(1, content.count), alignment: 1)
        block.copyMemory(from: content, byteCount: content.count)
        blocks.append(block)
        return amqp_bytes_t(len: content.count, bytes: block)
    }

    mutating func table(_ entries: [(String, FieldValue)]) -> amqp_table_t {
        let list = UnsafeMutablePointer<amqp_table_entry_t>.allocate(
            capacity: max(1, entries.count)
        )
        blocks.append(UnsafeMutableRawPointer(list))
        for (index, (key, value)) in entries.enumerated() {
            let entry = amqp_table_entry_t(key: bytes(key), value: field(value))
            (list + index).initialize(to: entry)
        }
        return amqp_table_t(num_entries: Int32(entries.count), entries: list)
    }

    private mutating func field(_ value: FieldValue) -> amqp_field_value_t {
        var field = amqp_field_value_t()
        switch value {
        case .scalar(.bool(let bool)):
            field.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
            field.value.boolean = bool ? 1 : 0
        case .scalar(.integer(let integer)):
            field.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
            field.value.i64 = integer
        case .scalar(.double(let double)):
            field.kind = UInt8(AMQP_FIELD_KIND_F64.rawValue)
            field.value.f64 = double
        case .scalar(.string(let string)):
            field.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            field.value.bytes = bytes(string)
        case .scalar(.bytes(let content)):
            field.kind = UInt8(AMQP_FIELD_KIND_BYTES.rawValue)
            field.value.bytes = bytes(content)
        case .scalar(.timestamp(let seconds)):
            field.kind = UInt8(AMQP_FIELD_KIND_TIMESTAMP.rawValue)
            field.value.u64 = seconds
        case .table(let entries):
            field.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
            field.value.table = table(entries)
        }
        return field
    }
}

/// What we put into tables: scalars, and one level of nesting for client capabilities.
enum FieldValue {
    case scalar(HeaderValue)
    case table([(String, FieldValue)])
}

extension [String: HeaderValue] {
    /// Copies the scalars out of a received table; see `HeaderValue` for what is left behind.
    init(_ table: amqp_table_t) {
        self.init()
        for entry in UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries)) {
            guard let name = String(exactly: entry.key), let value = HeaderValue(entry.value)
            else { continue }
            self[name] = value
        }
    }
}

extension HeaderValue {
    fileprivate init?(_ field: amqp_field_value_t) {
        let value = field.value
        switch amqp_field_value_kind_t(UInt32(field.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: self = .bool(value.boolean != 0)
        case AMQP_FIELD_KIND_I8: self = .integer(Int64(value.i8))
        case AMQP_FIELD_KIND_U8: self = .integer(Int64(value.u8))
        case AMQP_FIELD_KIND_I16: self = .integer(Int64(value.i16))
        case AMQP_FIELD_KIND_U16: self = .integer(Int64(value.u16))
        case AMQP_FIELD_KIND_I32: self = .integer(Int64(value.i32))
        case AMQP_FIELD_KIND_U32: self = .integer(Int64(value.u32))
        case AMQP_FIELD_KIND_I64: self = .integer(value.i64)
        case AMQP_FIELD_KIND_U64: self = .integer(Int64(clamping: value.u64))
        case AMQP_FIELD_KIND_TIMESTAMP: self = .timestamp(value.u64)
        case AMQP_FIELD_KIND_F32: self = .double(Double(value.f32))
        case AMQP_FIELD_KIND_F64: self = .double(value.f64)
        case AMQP_FIELD_KIND_UTF8:
            self = String(exactly: value.bytes).map(Self.string) ?? .bytes(Array(value.bytes))
        case AMQP_FIELD_KIND_BYTES: self = .bytes(Array(value.bytes))
        case _: return nil
        }
    }
}

extension String {
    /// Copies; bytes that are not UTF-8 become replacement characters. For people.
    init(_ bytes: amqp_bytes_t) {
        self.init(decoding: bytes.buffer, as: UTF8.self)
    }

    /// Copies; nil for what is not UTF-8.
    init?(exactly bytes: amqp_bytes_t) {
        self.init(validating: bytes.buffer, as: UTF8.self)
    }
}

extension [UInt8] {
    init(_ bytes: amqp_bytes_t) {
        self.init(bytes.buffer)
    }
}

extension amqp_bytes_t {
    fileprivate var buffer: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes, count: len)
    }
}
