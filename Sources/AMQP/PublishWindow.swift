import DequeModule
import WorkerRuntime

struct PublishRequest: Sendable {
    var message: Message
    var exchange: String
    var routingKey: String
    var completion: @Sendable (Publisher.Result) -> Void
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

    private var waiting: Deque<PublishRequest> = []
    private var sent: Deque<Sent> = []
    private var firstTag: UInt64 = 1

    var count: Int { waiting.count + sent.count { !$0.isSettled } }
    var isEmpty: Bool { count == 0 }

    mutating func add(_ requests: [PublishRequest]) {
        waiting.append(contentsOf: requests)
    }

    /// The next message to put on the wire, while there is room in the window.
    mutating func next() -> PublishRequest? {
        guard sent.count < Self.limit, let request = waiting.popFirst() else { return nil }
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

    mutating func confirm(tag: UInt64, multiple: Bool, as result: Publisher.Result) {
        guard tag >= firstTag, tag < firstTag + UInt64(sent.count) else { return }
        let last = Int(tag - firstTag)
        for index in (multiple ? 0 : last)...last where !sent[index].isSettled {
            sent[index].isSettled = true
            sent[index].request.completion(sent[index].isReturned ? .returned : result)
        }
        while let first = sent.first, first.isSettled {
            sent.removeFirst()
            firstTag += 1
        }
    }

    /// Everything unconfirmed is to be published again, in its old order.
    mutating func connectionLost() {
        waiting = Deque(sent.lazy.filter { !$0.isSettled }.map(\.request)) + waiting
        sent = []
        firstTag = 1
    }

    mutating func abandon() {
        connectionLost()
        for request in waiting { request.completion(.abandoned) }
        waiting = []
    }
}
