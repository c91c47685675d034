import CRabbitMQ
import Concurrency
import Messaging
import Testing

@testable import AMQP

struct MessageAssemblerTests {
    private func assemble(_ frames: [Frame]) throws -> [[UInt8]] {
        var assembler = MessageAssembler()
        var bodies: [[UInt8]] = []
        for frame in frames {
            if case .delivered(_, _, let message) = try assembler.take(frame) {
                bodies.append(message.body)
            }
        }
        return bodies
    }

    private let delivery = Frame.delivery(tag: 1, redelivered: false)

    @Test func putsBodiesOfAnyNumberOfFramesTogether() throws {
        let frames: [Frame] = [
            delivery, .header(bodySize: 3, .init()), .body([1]), .other, .body([2, 3]),
            delivery, .header(bodySize: 0, .init()),
            delivery, .header(bodySize: 1, .init()), .body([4]),
        ]
        #expect(try assemble(frames) == [[1, 2, 3], [], [4]])
    }

    @Test(arguments: [
        [Frame.body([1])], [.header(bodySize: 1, .init())],
        [.delivery(tag: 1, redelivered: false), .delivery(tag: 2, redelivered: false)],
        [.delivery(tag: 1, redelivered: false), .body([1])],
        [
            .delivery(tag: 1, redelivered: false), .header(bodySize: 1, .init()),
            .header(bodySize: 1, .init()),
        ],
        [.delivery(tag: 1, redelivered: false), .header(bodySize: 1, .init()), .body([1, 2])],
    ])
    func refusesFramesOutOfOrder(frames: [Frame]) {
        #expect(throws: AMQPError.self) { try assemble(frames) }
    }
}

struct FrameTests {
    /// Fault: what is no basic properties is read as if it were, beyond its end.
    @Test func aHeaderOfAnotherClassIsRefused() throws {
        func header(ofClass number: Int32) throws -> Frame {
            try withUnsafeTemporaryAllocation(of: amqp_basic_properties_t.self, capacity: 1) {
                $0.initialize(repeating: .init())
                var frame = amqp_frame_t()
                frame.frame_type = UInt8(AMQP_FRAME_HEADER)
                frame.payload.properties.class_id = UInt16(number)
                frame.payload.properties.decoded = UnsafeMutableRawPointer($0.baseAddress)
                return try Frame(copying: frame)
            }
        }
        guard case .header = try header(ofClass: AMQP_BASIC_CLASS) else {
            Issue.record("not a header")
            return
        }
        #expect(throws: AMQPError.self) { try header(ofClass: AMQP_EXCHANGE_CLASS) }
    }
}

struct PropertiesTests {
    private func roundTrip(
        _ properties: MessageProperties,
        frameMax: Int = 100_000
    ) -> MessageProperties {
        var arena = Arena()
        return MessageProperties(properties.encoded(in: &arena, frameMax: frameMax))
    }

    @Test func everythingThatIsKeptComesBackUnaltered() {
        var properties = MessageProperties()
        properties.contentType = "application/json"
        properties.contentEncoding = "gzip"
        properties.correlationID = "mẹ"
        properties.messageID = ""
        properties.replyTo = "r"
        properties.appID = "a"
        properties.type = "t"
        properties.timestamp = .max
        properties.priority = 9
        properties.headers = [
            "bool": .bool(true), "integer": .integer(.min), "double": .double(0.1),
            "string": .string("🙂"), "bytes": .bytes([0, 0xFF]), "time": .timestamp(7),
            "": .bool(false),
        ]
        #expect(roundTrip(properties) == properties)
        #expect(roundTrip(.init()) == .init())
    }

    @Test func whatTheLibraryCouldNotEncodeIsLeftOut() {
        var properties = MessageProperties()
        properties.correlationID = String(repeating: "x", count: 256)
        properties.headers = [
            "amity-attempts": .integer(1), "large": .bytes(Array(repeating: 0, count: 1000)),
        ]
        let sent = roundTrip(properties, frameMax: 2200)
        #expect(sent.correlationID == nil)
        #expect(sent.headers == ["amity-attempts": .integer(1)])
    }

    /// Fault: a header of ours, forged to be larger than a frame, is sent as ours. The library
    /// fails, the connection goes, and the message comes again: for ever.
    @Test func aForgedHeaderOfOursIsLeftOutBeforeItOutgrowsTheFrame() {
        var properties = MessageProperties()
        properties.headers = [
            "amity-attempts": .integer(1), "amity-error-reason": .string("none"),
            "amity-first-failure-at": .bytes(Array(repeating: 0, count: 1000)),
        ]
        let sent = roundTrip(properties, frameMax: 2200)
        #expect(Set(sent.headers.keys) == ["amity-attempts", "amity-error-reason"])
    }

    /// Fault: repaired, 255 bytes that are not UTF-8 become 765, too many for a copy; without a
    /// type it is a conversation.
    @Test func aTypeThatIsNotUTF8StaysAType() {
        var arena = Arena()
        var received = amqp_basic_properties_t()
        received._flags = amqp_flags_t(AMQP_BASIC_TYPE_FLAG)
        received.type = arena.bytes(Array(repeating: 0xFF, count: 255))
        let properties = MessageProperties(received)
        #expect(properties.type == "not UTF-8")
        #expect(roundTrip(properties) == properties)
    }
}

struct EventBellTests {
    private func isReadable(_ bell: EventBell) -> Bool {
        var watched = pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, 0) == 1
    }

    /// Fault: a ring that no thread silences keeps poll from sleeping, and its thread uses a core.
    @Test func aDrainedMailboxLeavesItsBellSilentAfterAnyRing() {
        let bell = EventBell()
        let mailbox = Mailbox<Int>(bell: bell)
        #expect(!isReadable(bell))
        bell.ring()
        #expect(isReadable(bell))
        #expect(mailbox.drain() == [])
        #expect(!isReadable(bell))
        mailbox.post(1)
        bell.ring()
        #expect(mailbox.drain() == [1])
        #expect(!isReadable(bell))
    }
}
