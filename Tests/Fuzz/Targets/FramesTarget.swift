import CRabbitMQ
import Messaging

@testable import AMQP

/// Frames in any order, two bytes each: what it is, and how large.
func fuzzFrames(_ bytes: UnsafeRawBufferPointer) {
    var checked = CheckedAssembler { _ in }
    for index in stride(from: 0, to: bytes.count - 1, by: 2) {
        let size = Int(bytes[index + 1])
        let frame: Frame =
            switch bytes[index] % 6 {
            case 0: .delivery(tag: UInt64(size), redelivered: size % 2 == 1)
            case 1: .returned(routingKey: "\(size)")
            case 2: .header(bodySize: size, .init())
            case 3: .header(bodySize: Int.max - size, .init())
            case 4: .body(Array(repeating: bytes[index], count: size))
            case _: .other
            }
        guard checked.take(frame) else { return }
    }
}

/// Bytes as they might come from a broker, read by the library and copied by us.
func fuzzWire(_ bytes: UnsafeRawBufferPointer) {
    guard let connection = amqp_new_connection() else { return }
    defer { amqp_destroy_connection(connection) }
    // The library writes into what it reads.
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { input.deallocate() }
    input.copyMemory(from: bytes)
    var checked = CheckedAssembler(use: fuzz)
    var offset = 0
    while offset < bytes.count {
        var frame = amqp_frame_t()
        let rest = amqp_bytes_t(
            len: bytes.count - offset,
            bytes: input.baseAddress.map { $0 + offset }
        )
        let consumed = amqp_handle_input(connection, rest, &frame)
        guard consumed > 0 else { return }
        offset += Int(consumed)
        guard frame.frame_type != 0 else { continue }
        do throws(AMQPError) {
            guard checked.take(try Frame(copying: frame)) else { return }
        } catch {
            return
        }
        amqp_maybe_release_buffers(connection)
    }
}

/// An assembler next to the simplest account of what it should do.
private struct CheckedAssembler: ~Copyable {
    private let use: (Message) -> Void
    private var assembler = MessageAssembler()
    private var hasMethod = false
    /// Of the header there was; nil before it.
    private var size: Int?
    private var body: [UInt8] = []

    init(use: @escaping (Message) -> Void) {
        self.use = use
    }

    /// - Returns: false when the frame was refused, as it should have been: the connection is over.
    mutating func take(_ frame: Frame) -> Bool {
        let isLegal = account(for: frame)
        let event: MessageAssembler.Event?
        do throws(AMQPError) {
            event = try assembler.take(frame)
        } catch {
            expect(!isLegal, "a legal frame is refused")
            return false
        }
        expect(isLegal, "an illegal frame is taken")
        guard size == body.count else {
            expect(event == nil, "a message before its last byte")
            return true
        }
        switch event {
        case .delivered(_, _, let message), .returned(_, let message):
            expect(message.body == body, "a body other than its frames'")
            use(message)
        case nil: expect(false, "no message behind its last byte")
        }
        (hasMethod, size, body) = (false, nil, [])
        return true
    }

    private mutating func account(for frame: Frame) -> Bool {
        switch frame {
        case .delivery, .returned:
            defer { hasMethod = true }
            return !hasMethod
        case .header(let announced, _):
            guard hasMethod, size == nil else { return false }
            size = announced
            return true
        case .body(let fragment):
            body += fragment
            return size.map { body.count <= $0 } ?? false
        case .confirm, .blocked, .unblocked, .consumerCancelled, .depth, .closed, .other:
            return true
        }
    }
}
