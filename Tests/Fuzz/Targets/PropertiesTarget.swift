import CRabbitMQ
import DeadLetters
import Foundation
import Messaging
import WorkerRuntime

@testable import AMQP

/// The payload of a header frame, decoded by the library and copied by us.
func fuzzProperties(_ bytes: UnsafeRawBufferPointer) {
    if let properties = decoded(bytes) {
        fuzz(Message(properties: properties, body: Array(#"{"conversation_id":"a"}"#.utf8)))
    }
}

/// Takes a message the ways it can take: to a delay queue, to the dead letters, in their list, and
/// back to work. Whatever a stranger put into its headers, each copy must go out.
func fuzz(_ message: Message) {
    let policy = RetryPolicy(
        names: QueueNames(main: "q"),
        maxAttempts: 3,
        maxCrashes: 3,
        backoffSeconds: [1, 5],
        worker: "worker"
    )
    var random = SystemRandomNumberGenerator()
    for isPermanent in [false, true] {
        let disposition = policy.disposition(
            of: message,
            after: Failure(code: "CODE", reason: "a reason"),
            isPermanent: isPermanent,
            at: Date(timeIntervalSince1970: 0),
            using: &random
        )
        expect(disposition.attempts >= 1, "\(disposition.attempts) attempts")
        expect(["q.dead", "q.retry.1", "q.retry.5"].contains(disposition.queue), disposition.queue)
        for name in disposition.message.properties.headers.keys.map({ $0.lowercased() }) {
            expect(!name.hasPrefix("x-") && name != "cc" && name != "bcc", "\(name) travels on")
        }
        publish(disposition.message)
        let deadLetter = DeadLetter(disposition.message)
        expect(
            deadLetter.code == "CODE" && deadLetter.attempts == disposition.attempts,
            "\(deadLetter)"
        )
        do {
            expect(!(try deadLetter.json).isEmpty, "a dead letter that cannot be listed")
        } catch {
            expect(false, "a dead letter that cannot be listed: \(error)")
        }
    }
    publish(RetryPolicy.replayed(message))
}

/// The smallest that AMQP allows, so that headers outgrow it.
private let frameSize = 4096

private func publish(_ message: Message) {
    let sent = message.properties
    var arena = Arena()
    var properties = sent.encoded(in: &arena, frameMax: frameSize)
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: frameSize, alignment: 1)
    defer { frame.deallocate() }
    let space = amqp_bytes_t(len: frame.count, bytes: frame.baseAddress)
    let count = amqp_encode_properties(UInt16(AMQP_BASIC_CLASS), &properties, space)
    expect(count >= 0, "properties outgrow their frame: \(count)")
    guard count >= 0, let received = decoded(UnsafeRawBufferPointer(rebasing: frame[..<Int(count)]))
    else { return expect(false, "properties of ours cannot be read") }
    var (others, othersSent) = (received, sent)
    (others.headers, othersSent.headers) = ([:], [:])
    expect(others == othersSent, "other properties")
    for (name, value) in received.headers {
        // As text, for what is no number does not equal itself.
        let original = sent.headers[name]
        let isCut =
            if case (.string(let cut), .string(let text)) = (value, original) {
                name.hasPrefix("amity-") && text.hasPrefix(cut)
            } else {
                false
            }
        expect(isCut || "\(value)" == original.map { "\($0)" }, "another header")
    }
    expect(received.headers[attempts] != nil || sent.headers[attempts] == nil, "no attempts")
}

private let attempts = HeaderName.attempts

/// nil when the library cannot decode them, which costs a consumer its connection.
private func decoded(_ bytes: UnsafeRawBufferPointer) -> MessageProperties? {
    var pool = amqp_pool_t()
    init_amqp_pool(&pool, 4096)
    defer { empty_amqp_pool(&pool) }
    var decoded: UnsafeMutableRawPointer?
    let encoded = amqp_bytes_t(
        len: bytes.count,
        bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress)
    )
    let status = amqp_decode_properties(UInt16(AMQP_BASIC_CLASS), &pool, encoded, &decoded)
    guard status >= 0, let decoded else { return nil }
    return MessageProperties(decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee)
}
