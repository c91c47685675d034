import Concurrency
import DequeModule

/// Requests that wait for the next group.
final class IntakeQueue: Sendable {
    struct Request: Sendable {
        var event: ConversationEnd
        var answer: CheckedContinuation<IntakeAnswer, Never>
    }

    private struct State {
        var waiting: Deque<Request> = []
        var isClosed = true
    }

    private let state = Locked(State())
    private let condition = MonotonicCondition()
    /// Chosen: a second or less of work; more only adds to the wait of each.
    private static let mostWaiting = 2000

    /// - Returns: false where it takes no more: it is closed, or full.
    func add(_ request: Request) -> Bool {
        let isTaken = state.withLock { state in
            if state.isClosed || state.waiting.count >= Self.mostWaiting { return false }
            state.waiting.append(request)
            return true
        }
        if isTaken { condition.change {} }
        return isTaken
    }

    /// Blocks the calling thread until there is a request.
    ///
    /// - Returns: nil once it is closed and empty.
    func next(atMost limit: Int) -> [Request]? {
        var group: [Request]?
        condition.wait {
            state.withLock { state in
                group = state.waiting.isEmpty ? nil : Array(state.waiting.prefix(limit))
                state.waiting.removeFirst(group?.count ?? 0)
                return group != nil || state.isClosed
            }
        }
        return group
    }

    func open() { state.withLock { $0.isClosed = false } }

    /// Takes no more; what waits is still done.
    func close() {
        state.withLock { $0.isClosed = true }
        condition.change {}
    }
}
