import CRabbitMQ
import Consuming
import Foundation
import Messaging
import Testing

@testable import AMQP

struct CopyHeadersTests {
    private func headers(
        _ headers: [String: HeaderValue],
        frameMax: Int
    ) -> [String: HeaderValue] {
        var properties = MessageProperties()
        properties.headers = headers
        for path in [
            \MessageProperties.contentType, \.contentEncoding, \.correlationID, \.messageID,
            \.replyTo, \.appID, \.type,
        ] { properties[keyPath: path] = String(repeating: "p", count: 255) }
        var arena = Arena()
        let encoded = properties.encoded(in: &arena, frameMax: frameMax)
        return [String: HeaderValue](encoded.headers)
    }

    private let ours: [String: HeaderValue] = [
        HeaderName.attempts: .integer(7), HeaderName.code: .string("SOME_CODE"),
        HeaderName.reason: .string(String(repeating: "réason ", count: 4000)),
        HeaderName.firstFailure: .string("2026-01-01T00:00:00Z"),
        HeaderName.lastFailure: .string("2026-01-01T00:00:00Z"),
        HeaderName.worker: .string(String(repeating: "w", count: 64)),
        HeaderName.queue: .string(String(repeating: "q", count: 255)),
        HeaderName.replays: .integer(1), HeaderName.acquittals: .integer(1),
    ]

    /// Fault: a small frame, and our headers are dropped; without a count of attempts retries never
    /// end.
    @Test(arguments: [4096, 8192, 131_072])
    func ourHeadersTravelWhateverTheFrame(frameMax: Int) throws {
        let all = ours.merging([
            "small": .integer(1), "large": .string(String(repeating: "l", count: 130_000)),
        ]) { one, _ in one }
        let kept = headers(all, frameMax: frameMax)
        for name in ours.keys where name != HeaderName.reason {
            #expect(kept[name] == ours[name], "\(name)")
        }
        guard case .string(let reason) = kept[HeaderName.reason] else {
            Issue.record("the reason is gone")
            return
        }
        #expect(reason.hasPrefix("réason "))
        #expect(kept["large"] == nil)
        #expect(kept["small"] == (frameMax < 131_072 ? nil : .integer(1)))
    }

    @Test func headersThatFitGoAsTheyAre() {
        let all: [String: HeaderValue] = ["trace": .string("t"), "amity-attempts": .integer(1)]
        #expect(headers(all, frameMax: 4096) == all)
    }
}

struct QueueDifferenceTests {
    @Test(arguments: [
        ("'x-queue-type' for queue 'q': received none but current is the value 'quorum'", "quorum"),
        ("'x-queue-type': received the value 'quorum' but current is none", "classic"),
        ("'x-queue-type': received 'classic' but current is the value 'stream'", "stream"),
        ("'x-queue-type' for queue 'q': received 'quorum' but current is 'classic'", "classic"),
    ])
    func aRefusalTellsTheType(text: String, type: String) {
        #expect(QueueDifference.queueType(in: "inequivalent arg \(text)") == type)
    }

    @Test func anotherDifferenceTellsNoType() {
        let text = "inequivalent arg 'x-max-length' for queue 'q': current is the value '5' of type"
        #expect(QueueDifference.queueType(in: text) == nil)
    }
}

struct PrefetchRenewalTests {
    private final class Renewal {
        var renewal = PrefetchRenewal()

        func isDue(held: Int, unsettled: Int, busy: Int, waiting: Int = 0) -> Bool {
            renewal.isDue(
                held: held,
                unsettled: unsettled,
                of: 5,
                load: Workload(busy: busy, limit: 4, waiting: waiting)
            )
        }
    }

    /// Fault: the prefetch is full of what cannot be settled, and the consumer starves.
    @Test func aFullPrefetchOfWithheldDeliveriesIsRenewed() {
        let renewal = Renewal()
        #expect(!renewal.isDue(held: 4, unsettled: 4, busy: 0))
        #expect(renewal.isDue(held: 1, unsettled: 5, busy: 0))
        #expect(renewal.isDue(held: 3, unsettled: 5, busy: 1))
        #expect(!renewal.isDue(held: 1, unsettled: 5, busy: 1))
        renewal.renewal.renewed(after: 5, withheld: 3)
        #expect(renewal.renewal.renewedAfter == 5)
        #expect(!renewal.isDue(held: 3, unsettled: 5, busy: 4))
        #expect(renewal.isDue(held: 5, unsettled: 5, busy: 4))
    }

    /// Fault: a backlog at full speed is taken for starvation, and what is in hand grows.
    @Test func workThatWaitsForAThreadRenewsNothing() {
        let renewal = Renewal()
        #expect(!renewal.isDue(held: 5, unsettled: 5, busy: 4, waiting: 1))
        #expect(!renewal.isDue(held: 0, unsettled: 5, busy: 0))
    }
}

/// Fault: one message whose headers the library does not read stops the queue, and nothing says
/// that it is a message.
@Test func bytesThatTheLibraryDoesNotReadAreSaidToBeAMessages() {
    let error = AMQPError.library(status: AMQP_STATUS_BAD_AMQP_DATA.rawValue, during: "consume")
    #expect(error.problem(of: .consumer).remedy?.contains("the worker rejects it") == true)
}
