import Concurrency
import DequeModule
import Messaging

struct PublishRequest: Sendable {
    var message: Message
    /// The id of what the message is about, for logs.
    var subject: String?
    var exchange: String
    var routingKey: String
    /// Asked before it is sent again: false when its original has gone back to its queue, and
    /// another copy will be made.
    var isWanted: @Sendable () -> Bool = { true }
    var completion: @Sendable (Publisher.Result) -> Void
    /// Paces the attempts of one that the broker does not take.
    var backoff = Backoff(first: .milliseconds(500), cap: .seconds(30))
    /// How often the broker has not taken it.
    var refusals = 0
}

/// What waits to be published, and what waits for its confirm. Pure.
///
/// Confirms number the messages of one channel 1, 2, 3 …, so the unconfirmed ones are a queue whose
/// first element has number `firstTag`.
struct PublishWindow: ~Copyable {
    private struct Sent {
        var request: PublishRequest
        var at: ContinuousClock.Instant
        var isReturned = false
        var isSettled = false
    }

    /// What the broker did not take, and why.
    struct Refusal {
        var request: PublishRequest
        var reason: Reason

        enum Reason: Equatable, CustomStringConvertible {
            case result(Publisher.Result)
            /// It closed the channel over this message.
            case closed(AMQPError)

            var description: String {
                switch self {
                case .result(let result): "\(result)"
                case .closed(let error): "\(error)"
                }
            }
        }
    }

    /// Chosen: enough to hide a round trip, few enough to publish again after a lost connection.
    static let preset = 1024

    /// Most messages on the wire without a confirm.
    private let limit: Int
    /// Whether a message that the broker does not take is tried again later, on its own, or
    /// reported.
    private let insists: Bool
    private var waiting: Deque<PublishRequest> = []
    private var delayed: [(due: ContinuousClock.Instant, request: PublishRequest)] = []
    private var sent: Deque<Sent> = []
    private var firstTag: UInt64 = 1
    /// What the broker has not taken, until it does.
    private(set) var refused = Publisher.Withheld()
    /// How many those are of each queue.
    private var refusedOfQueue: [String: Int] = [:]

    init(insists: Bool, limit: Int = preset) {
        self.insists = insists
        self.limit = limit
    }

    var count: Int { waiting.count + delayed.count + sent.count { !$0.isSettled } }

    /// Everything that is not confirmed.
    var all: Publisher.Withheld {
        let requests =
            delayed.map(\.request) + waiting + sent.filter { !$0.isSettled }.map(\.request)
        return requests.reduce(into: .init()) { sum, request in
            sum.count += 1
            sum.bytes += request.message.body.count
        }
    }

    /// When there is something to put on the wire, as far as is known now; nil for never, or when
    /// there is no room until a confirm comes.
    var nextDue: ContinuousClock.Instant? {
        sent.count < limit ? delayed.map(\.due).min() : nil
    }

    /// Whether nothing waits for a confirm.
    var isIdle: Bool { sent.isEmpty }

    /// When the oldest message without a confirm was sent; nil when there is none.
    var unconfirmedSince: ContinuousClock.Instant? { sent.first?.at }

    /// Queues whose messages the broker has not taken.
    var troubled: Set<String> { Set(refusedOfQueue.keys) }

    mutating func add(_ requests: [PublishRequest]) {
        for request in requests where request.refusals > 0 { count(request, by: 1) }
        waiting.append(contentsOf: requests)
    }

    /// Takes one that the broker has not taken into account, or out of it.
    private mutating func count(_ request: PublishRequest, by step: Int) {
        refused.count += step
        refused.bytes += step * request.message.body.count
        let left = refusedOfQueue[request.routingKey, default: 0] + step
        refusedOfQueue[request.routingKey] = left > 0 ? left : nil
    }

    /// The next message to put on the wire, while there is room in the window.
    mutating func next(at now: ContinuousClock.Instant) -> PublishRequest? {
        guard sent.count < limit else { return nil }
        if let due = delayed.firstIndex(where: { $0.due <= now }) {
            waiting.append(delayed.remove(at: due).request)
        }
        while let request = waiting.popFirst() {
            guard request.isWanted() else {
                if request.refusals > 0 { count(request, by: -1) }
                request.completion(.abandoned)
                continue
            }
            sent.append(Sent(request: request, at: now))
            return request
        }
        return nil
    }

    /// A return comes before its message's confirm, and names the message only by what it carries.
    mutating func returned(_ message: Message) {
        let match = sent.firstIndex {
            !$0.isReturned && !$0.isSettled
                && $0.request.message.properties.messageID == message.properties.messageID
                && $0.request.message.body == message.body
        }
        if let match { sent[match].isReturned = true }
    }

    /// Settles what the broker confirms or refuses.
    ///
    /// - Returns: what it did not take and is tried again later.
    mutating func confirm(
        tag: UInt64,
        multiple: Bool,
        as result: Publisher.Result,
        at now: ContinuousClock.Instant
    ) -> [Refusal] {
        guard tag >= firstTag, tag < firstTag + UInt64(sent.count) else { return [] }
        var refused: [Refusal] = []
        let last = Int(tag - firstTag)
        for index in (multiple ? 0 : last)...last where !sent[index].isSettled {
            sent[index].isSettled = true
            let result = sent[index].isReturned ? .returned : result
            if insists && result != .confirmed {
                refused.append(delay(sent[index].request, because: .result(result), at: now))
            } else {
                if sent[index].request.refusals > 0 { count(sent[index].request, by: -1) }
                sent[index].request.completion(result)
            }
        }
        while let first = sent.first, first.isSettled {
            sent.removeFirst()
            firstTag += 1
        }
        return refused
    }

    private mutating func delay(
        _ request: PublishRequest,
        because reason: Refusal.Reason,
        at now: ContinuousClock.Instant
    ) -> Refusal {
        var request = request
        if request.refusals == 0 { count(request, by: 1) }
        request.refusals += 1
        delayed.append((now + request.backoff.next(), request))
        return Refusal(request: request, reason: reason)
    }

    /// Everything unconfirmed is to be published again, in its old order.
    mutating func connectionLost() {
        waiting = Deque(takeUnconfirmed()) + waiting
    }

    /// The broker closed the channel over the only message on the wire.
    ///
    /// - Returns: it, when it is tried again later.
    mutating func channelClosed(
        by error: AMQPError,
        at now: ContinuousClock.Instant
    ) -> Refusal? {
        precondition(limit == 1, "with more than one on the wire it is not known which it was")
        guard let request = takeUnconfirmed().first else { return nil }
        if insists { return delay(request, because: .closed(error), at: now) }
        request.completion(.refused)
        return nil
    }

    /// What is on the wire without a confirm, in its order. A new channel counts from 1 again.
    private mutating func takeUnconfirmed() -> [PublishRequest] {
        defer {
            sent = []
            firstTag = 1
        }
        return sent.filter { !$0.isSettled }.map(\.request)
    }

    /// The same, to be sent by another window.
    mutating func giveAway() -> [PublishRequest] {
        let requests = takeUnconfirmed()
        for request in requests where request.refusals > 0 { count(request, by: -1) }
        return requests
    }

    mutating func abandon() {
        connectionLost()
        for request in Array(waiting) + delayed.map(\.request) { request.completion(.abandoned) }
        waiting = []
        delayed = []
    }
}
