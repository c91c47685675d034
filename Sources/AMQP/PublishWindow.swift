import DequeModule
import WorkerRuntime

struct PublishRequest: Sendable {
    var message: Message
    var exchange: String
    var routingKey: String
    var completion: @Sendable (Publisher.Result) -> Void
    /// Paces the attempts of one that the broker does not take.
    var backoff = Backoff(first: .milliseconds(500), cap: .seconds(30))
}

/// What waits to be published, and what waits for its confirm. Pure.
///
/// Confirms number the messages of one channel 1, 2, 3 …, so the unconfirmed ones are a queue whose
/// first element has number `firstTag`.
struct PublishWindow: ~Copyable {
    private struct Sent {
        var request: PublishRequest
        var isReturned = false
        var isSettled = false
    }

    /// Chosen: enough to hide a round trip, few enough to publish again after a lost connection.
    private static let limit = 1024

    /// Whether a message that the broker does not take is tried again later, on its own, or reported.
    private let insists: Bool
    private var waiting: Deque<PublishRequest> = []
    private var delayed: [(due: ContinuousClock.Instant, request: PublishRequest)] = []
    private var sent: Deque<Sent> = []
    private var firstTag: UInt64 = 1

    init(insists: Bool) {
        self.insists = insists
    }

    var count: Int { waiting.count + delayed.count + sent.count { !$0.isSettled } }

    /// When there is something to put on the wire, as far as is known now; nil for never, or when there
    /// is no room until a confirm comes.
    var nextDue: ContinuousClock.Instant? {
        sent.count < Self.limit ? delayed.map(\.due).min() : nil
    }

    mutating func add(_ requests: [PublishRequest]) {
        waiting.append(contentsOf: requests)
    }

    /// The next message to put on the wire, while there is room in the window.
    mutating func next(at now: ContinuousClock.Instant) -> PublishRequest? {
        guard sent.count < Self.limit else { return nil }
        if let due = delayed.firstIndex(where: { $0.due <= now }) {
            waiting.append(delayed.remove(at: due).request)
        }
        guard let request = waiting.popFirst() else { return nil }
        sent.append(Sent(request: request))
        return request
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
    /// - Returns: the requests it did not take and that are tried again later, with the reason.
    mutating func confirm(
        tag: UInt64,
        multiple: Bool,
        as result: Publisher.Result,
        at now: ContinuousClock.Instant
    ) -> [(request: PublishRequest, result: Publisher.Result)] {
        guard tag >= firstTag, tag < firstTag + UInt64(sent.count) else { return [] }
        var refused: [(request: PublishRequest, result: Publisher.Result)] = []
        let last = Int(tag - firstTag)
        for index in (multiple ? 0 : last)...last where !sent[index].isSettled {
            sent[index].isSettled = true
            let result = sent[index].isReturned ? .returned : result
            if insists && result != .confirmed {
                var request = sent[index].request
                let delay = request.backoff.next()
                delayed.append((now + delay, request))
                refused.append((request, result))
            } else {
                sent[index].request.completion(result)
            }
        }
        while let first = sent.first, first.isSettled {
            sent.removeFirst()
            firstTag += 1
        }
        return refused
    }

    /// Everything unconfirmed is to be published again, in its old order.
    mutating func connectionLost() {
        waiting = Deque(sent.lazy.filter { !$0.isSettled }.map(\.request)) + waiting
        sent = []
        firstTag = 1
    }

    mutating func abandon() {
        connectionLost()
        for request in Array(waiting) + delayed.map(\.request) { request.completion(.abandoned) }
        waiting = []
        delayed = []
    }
}
