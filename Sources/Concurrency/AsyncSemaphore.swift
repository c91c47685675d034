/// A FIFO semaphore that suspends tasks and blocks no thread.
package final class AsyncSemaphore: Sendable {
    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var nextID = 0
        /// Cancelled before they could wait.
        var cancelled: Set<Int> = []
    }

    private let state: Locked<State>

    /// - Parameter count: permits, 1 or more.
    package init(_ count: Int) {
        precondition(count >= 1)
        state = Locked(State(free: count))
    }

    /// - Returns: false when the task was cancelled instead. Otherwise the permit must be given
    ///   back.
    package func acquire() async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let isAcquired = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    // Not waiting yet, or not any more: then it looks no more.
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(returning: false)
        }
        // A cancellation that came just too late leaves its mark.
        if Task.isCancelled { state.withLock { _ = $0.cancelled.remove(id) } }
        return isAcquired
    }

    package func release() {
        let waiter = state.withLock { state -> Waiter? in
            if state.waiters.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiters.removeFirst()
        }
        waiter?.continuation.resume(returning: true)
    }
}
