import Foundation
import Messaging
import TestSupport
import Testing

@testable import Concurrency
@testable import WorkerRuntime

struct RetryPolicyTests {
    private let policy = RetryPolicy(
        names: QueueNames(main: "q"),
        maxAttempts: 4,
        maxCrashes: 3,
        backoffSeconds: [1, 5],
        worker: "host:1"
    )
    private let failure = Failure(code: "CODE", reason: "a reason")
    private let now = Date(timeIntervalSince1970: 0)

    private func disposition(_ message: Message, permanent: Bool = false)
        -> RetryPolicy.Disposition
    {
        var random = LowestNumbers()
        return policy.disposition(
            of: message,
            after: failure,
            isPermanent: permanent,
            at: now,
            using: &random
        )
    }

    /// Fault: a message that only ever waits for others uses up its attempts, or waits for ever.
    @Test func whatIsPutOffSpendsNoAttemptAndIsBounded() throws {
        var random = LowestNumbers()
        var message = disposition(Message(body: [1])).message
        for count in 1...20 {
            let next = policy.postponement(of: message, isBounded: true, using: &random)
            message = try #require(next?.message)
            #expect(next?.queue == (count == 1 ? "q.retry.1" : "q.retry.5"))
            #expect(message.properties.headers[HeaderName.attempts] == .integer(1))
        }
        #expect(policy.postponement(of: message, isBounded: true, using: &random) == nil)
        #expect(policy.postponement(of: message, isBounded: false, using: &random) != nil)
        let retried = disposition(message).message
        #expect(retried.properties.headers[HeaderName.attempts] == .integer(2))
        #expect(policy.postponement(of: retried, isBounded: true, using: &random) == nil)
    }

    /// Fault: a thousand messages that failed together come back together, and fail again.
    @Test func theDelayIsChosenBetweenAStepAndTheNext() {
        var random = SeededGenerator(seed: 1)
        let queues = (0..<100).map { _ in
            policy.disposition(
                of: Message(body: []),
                after: failure,
                isPermanent: false,
                at: now,
                using: &random
            ).queue
        }
        #expect(Set(queues) == ["q.retry.1", "q.retry.5"])
        #expect((25...75).contains(queues.count { $0 == "q.retry.1" }))
    }

    /// Faults: the same message, dead-lettered twice because its worker died in between, makes two
    /// dead letters; a dead letter that was replayed and fails again is taken for the old one; one
    /// without a message id cannot be named.
    @Test func aDeadLetterIsNamedByItsOriginal() {
        let first = disposition(Message(body: [1]), permanent: true).message
        let id = first.deadLetterID
        #expect(id?.count == 32 && first.properties.messageID == id)
        #expect(disposition(Message(body: [1]), permanent: true).message.deadLetterID == id)
        #expect(disposition(Message(body: [2]), permanent: true).message.deadLetterID != id)
        let replayed = RetryPolicy.replayed(first)
        #expect(replayed.properties.messageID == nil)
        #expect(disposition(replayed, permanent: true).message.deadLetterID != id)
        #expect(
            disposition(Message(body: [1])).message.deadLetterID == nil,
            "a retry is no dead letter"
        )
        var named = Message(body: [1])
        named.properties.messageID = "theirs"
        let deadLetter = disposition(named, permanent: true).message
        #expect(deadLetter.properties.messageID == "theirs" && deadLetter.deadLetterID != id)
        #expect(RetryPolicy.replayed(deadLetter).properties.messageID == "theirs")
    }

    @Test func climbsTheStepsThenGoesToTheDeadLetters() {
        var message = Message(body: [1, 2])
        var queues: [String] = []
        repeat {
            let next = disposition(message)
            queues.append(next.queue)
            message = next.message
        } while queues.last != "q.dead"
        #expect(queues == ["q.retry.1", "q.retry.5", "q.retry.5", "q.dead"])
        #expect(message.body == [1, 2])
        #expect(message.properties.headers[HeaderName.attempts] == .integer(4))
    }

    @Test func aPermanentFailureIsDeadAtOnceWithItsReason() {
        let next = disposition(Message(body: []), permanent: true)
        #expect(next.queue == "q.dead")
        #expect(next.isDead)
        #expect(
            next.message.properties.headers == [
                HeaderName.attempts: .integer(1), HeaderName.code: .string("CODE"),
                HeaderName.reason: .string("a reason"), HeaderName.worker: .string("host:1"),
                HeaderName.queue: .string("q"),
                HeaderName.firstFailure: .string("1970-01-01T00:00:00Z"),
                HeaderName.lastFailure: .string("1970-01-01T00:00:00Z"),
                HeaderName.deadLetterID: .string("44b1685b3fd1009bd507972c44b42d78"),
                // Of nothing.
                HeaderName.bodyDigest: .string("e3b0c44298fc1c14"),
            ]
        )
    }

    /// Fault: CC and BCC would route the copy to more queues, x-death would count for the broker.
    @Test func theCopyCarriesNothingThatRoutesOrCountsForTheBroker() {
        var message = Message(body: [])
        message.properties.headers = [
            "CC": .string("elsewhere"), "bcc": .string("elsewhere"), "x-death": .integer(9),
            "X-Delay": .integer(9), "traceparent": .string("kept"),
            HeaderName.firstFailure: .string("earlier"),
        ]
        let headers = disposition(message).message.properties.headers
        #expect(headers["CC"] == nil && headers["bcc"] == nil)
        #expect(headers["x-death"] == nil && headers["X-Delay"] == nil)
        #expect(headers["traceparent"] == .string("kept"))
        #expect(headers[HeaderName.firstFailure] == .string("earlier"))
    }

    @Test(arguments: [
        (HeaderValue.integer(.max), "q.dead"), (.integer(.min), "q.retry.1"),
        (.string("3"), "q.retry.1"), (.double(.nan), "q.retry.1"),
    ])
    func aForgedCountDoesNoHarm(forged: HeaderValue, queue: String) {
        var message = Message(body: [])
        message.properties.headers[HeaderName.attempts] = forged
        #expect(disposition(message).queue == queue)
    }

    /// Fault: headers that pass for ours outgrow a frame, and keep out those that are.
    @Test func aStrangersHeaderUnderANameOfOursDoesNotTravelOn() {
        var message = Message(body: [])
        message.properties.headers = [
            "amity-1": .bool(true), "Amity-2": .bool(true), HeaderName.replays: .integer(2),
            HeaderName.firstFailure: .string("then"), "other": .bool(true),
        ]
        let headers = disposition(message).message.properties.headers
        #expect(headers["amity-1"] == nil && headers["Amity-2"] == nil)
        #expect(headers[HeaderName.replays] == .integer(2))
        #expect(headers[HeaderName.firstFailure] == .string("then"))
        #expect(headers["other"] == .bool(true))
    }
}

struct BackoffTests {
    @Test func doublesUpToItsCapWithJitter() {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
        var random = SystemRandomNumberGenerator()
        for whole in [100, 200, 400, 800, 1000, 1000] {
            let delay = backoff.next(using: &random)
            #expect(delay >= .milliseconds(whole) / 2 && delay <= .milliseconds(whole))
        }
        backoff.reset()
        let first = backoff.next()
        #expect(first <= .milliseconds(100))
    }
}

/// Always draws the lowest number of a range.
private struct LowestNumbers: RandomNumberGenerator {
    mutating func next() -> UInt64 { 0 }
}
