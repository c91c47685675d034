import DequeModule
import Messaging

/// What the channel must still settle, and the fewest frames that settle what is ready.
///
/// The broker works for each frame, not for each message: batches that overtake one another would
/// cost it a frame a message, so an ack waits a moment for those before it.
///
/// Pure: no socket, no lock; time is handed in. Tags of one channel are 1, 2, 3 …, so the window of
/// unsettled deliveries is a queue whose first element has tag `firstTag`.
package struct SettlementLedger: Sendable {
    /// A frame to send, in this order.
    package enum Frame: Sendable, Equatable {
        case ack(tag: UInt64, multiple: Bool)
        case requeue(tag: UInt64)
    }

    private enum State {
        case running
        case acked
        case requeued
        case sent
    }

    package let session: UInt64
    private var firstTag: UInt64 = 1
    private var window: Deque<State> = []
    /// Tags decided, but not in a frame yet.
    private var decided: [UInt64] = []
    /// When what is held back goes on its own; nil while nothing is.
    package private(set) var holdsUntil: ContinuousClock.Instant?
    /// The first unsettled delivery when that began.
    private var holdBeganAt: UInt64 = 0
    /// The delivery for which acks waited in vain: no other waits for it.
    private var slowTag: UInt64?
    /// Deliveries the broker still counts against the prefetch limit.
    package private(set) var unsettled = 0

    package init(session: UInt64) {
        self.session = session
    }

    /// The last delivery, 0 before the first.
    package var lastTag: UInt64 { firstTag + UInt64(window.count) - 1 }

    /// Deliveries after that one which the broker still counts.
    package func unsettled(after tag: UInt64) -> Int {
        let skipped = tag >= firstTag ? Int(min(tag - firstTag + 1, UInt64(window.count))) : 0
        return window.dropFirst(skipped).count { $0 != .sent }
    }

    /// Records the next delivery of the channel.
    package mutating func delivered(tag: UInt64) {
        precondition(tag == firstTag + UInt64(window.count), "delivery tags of a channel skip none")
        window.append(.running)
        unsettled += 1
    }

    /// Records a decision, and answers whether it counts. A completion of an earlier session is
    /// stale: its tag may name a different live message. An unknown or repeated tag would be a
    /// 406 that closes the channel.
    package mutating func settle(_ completion: Completion) -> Bool {
        let (id, settlement) = (completion.id, completion.settlement)
        guard id.session == session, id.tag >= firstTag,
            id.tag < firstTag + UInt64(window.count)
        else { return false }
        let index = Int(id.tag - firstTag)
        guard case .running = window[index] else { return false }
        window[index] = settlement == .ack ? .acked : .requeued
        decided.append(id.tag)
        return true
    }

    /// How long an ack waits for those before it. Chosen: longer than two batches take, and
    /// measured: with batches of 64 the broker's work falls by two fifths.
    static let hold = Duration.milliseconds(50)

    /// Takes the frames to send now: requeues, one multiple ack for the settled prefix, and single
    /// acks for what has waited for the prefix in vain, or would.
    ///
    /// - Parameter most: how many acks to hold back: see `Workload.acksToSpare`.
    package mutating func frames(
        at now: ContinuousClock.Instant,
        holding most: Int
    ) -> [Frame] {
        if decided.isEmpty { return [] }
        var frames: [Frame] = []
        var prefixAck: (tag: UInt64, acks: Int)?
        // Requeues go first: a multiple ack also covers every lower tag still outstanding.
        for tag in decided where state(of: tag) == .requeued {
            frames.append(.requeue(tag: tag))
            mark(tag)
        }
        while let first = window.first, first != .running {
            // A multiple ack must name a tag that is outstanding, so not one sent before.
            if first == .acked { prefixAck = (firstTag, (prefixAck?.acks ?? 0) + 1) }
            window.removeFirst()
            firstTag += 1
        }
        if let prefixAck {
            frames.append(.ack(tag: prefixAck.tag, multiple: prefixAck.acks > 1))
            unsettled -= prefixAck.acks
        }
        decided = decided.filter { $0 >= firstTag && state(of: $0) == .acked }
        if holdsUntil == nil { holdBeganAt = firstTag }
        let end = holdsUntil ?? now + Self.hold
        if decided.isEmpty {
            holdsUntil = nil
        } else if decided.count <= most, now < end, firstTag != slowTag {
            holdsUntil = end
        } else {
            if now >= end, holdBeganAt == firstTag { slowTag = firstTag }
            for tag in decided {
                frames.append(.ack(tag: tag, multiple: false))
                mark(tag)
            }
            decided.removeAll(keepingCapacity: true)
            holdsUntil = nil
        }
        return frames
    }

    private func state(of tag: UInt64) -> State {
        window[Int(tag - firstTag)]
    }

    private mutating func mark(_ tag: UInt64) {
        window[Int(tag - firstTag)] = .sent
        unsettled -= 1
    }
}
