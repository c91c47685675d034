import DequeModule

/// Requests that wait for the next group: what comes while a group is being stored goes together in
/// the next one.
package final class GroupQueue<Request: Sendable>: Sendable {
    private struct State {
        var waiting: Deque<Request> = []
        var isClosed = true
    }

    private let state = Locked(State())
    private let condition = MonotonicCondition()
    private let mostWaiting: Int

    /// Closed at first.
    package init(mostWaiting: Int) { self.mostWaiting = mostWaiting }

    /// - Returns: false where it takes no more: it is closed, or full.
    package func add(_ request: Request) -> Bool {
        let isTaken = state.withLock { state in
            if state.isClosed || state.waiting.count >= mostWaiting { return false }
            state.waiting.append(request)
            return true
        }
        if isTaken { condition.change {} }
        return isTaken
    }

    /// Blocks the calling thread until there is a request.
    ///
    /// - Returns: nil once it is closed and empty.
    package func next(atMost limit: Int) -> [Request]? {
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

    package func open() { state.withLock { $0.isClosed = false } }

    /// Takes no more; what waits is still done.
    package func close() {
        state.withLock { $0.isClosed = true }
        condition.change {}
    }
}
