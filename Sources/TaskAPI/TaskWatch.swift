import Concurrency
import Postgres
import ServiceLifecycle
import Tasks

/// Clients that wait until a task moves. One look serves all of the process.
final class TaskWatch: Sendable {
    private struct Waiter: Sendable {
        var id: TaskID
        var seen: TaskMark
        var deadline: ContinuousClock.Instant
        var wake: CheckedContinuation<Void, Never>
    }

    private struct State {
        var waiters: [Int: Waiter] = [:]
        var ended: Set<Int> = []
        var next = 0
        var isLooking = false
    }

    /// Between two looks. Chosen: a client waits no longer for it than for a slow network.
    private static let interval = Duration.milliseconds(300)

    private let call: StoreCalls
    private let state = Locked(State())

    init(call: StoreCalls) { self.call = call }

    /// Returns when the task is not as it was seen, is gone, or the time is over.
    func wait(for id: TaskID, seen: TaskMark, atMost limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { wake in
                    let waiter = Waiter(id: id, seen: seen, deadline: deadline, wake: wake)
                    add(waiter, number)
                }
            } onGracefulShutdown: {
                self.end(number)
            }
        } onCancel: {
            end(number)
        }
        state.withLock { _ = $0.ended.remove(number) }
    }

    private func add(_ waiter: Waiter, _ number: Int) {
        enum Next { case wake, look, wait }
        let next: Next = state.withLock { state in
            if state.ended.contains(number) { return .wake }
            state.waiters[number] = waiter
            defer { state.isLooking = true }
            return state.isLooking ? .wait : .look
        }
        switch next {
        case .wake: waiter.wake.resume()
        case .look: Task { await look() }
        case .wait: break
        }
    }

    /// The client is gone, or the server stops.
    private func end(_ number: Int) {
        let waiter = state.withLock { state in
            state.ended.insert(number)
            return state.waiters.removeValue(forKey: number)
        }
        waiter?.wake.resume()
    }

    /// As long as there are any.
    private func look() async {
        while true {
            do {
                try await Task.sleep(for: Self.interval)
            } catch {
                // Nothing cancels this task: it ends with the last that wait.
            }
            let ids: Set<TaskID>? = state.withLock { state in
                if state.waiters.isEmpty {
                    state.isLooking = false
                    return nil
                }
                return Set(state.waiters.values.map(\.id))
            }
            guard let ids else { return }
            var marks: [TaskID: TaskMark]?
            do {
                marks = try await call { store throws(PostgresError) in
                    try store.marks(of: Array(ids))
                }
            } catch {
                // The call has told of the database; they wait on.
            }
            wake(marks, of: ids)
        }
    }

    private func wake(_ marks: [TaskID: TaskMark]?, of ids: Set<TaskID>) {
        let now = ContinuousClock.now
        let done: [Waiter] = state.withLock { state in
            let done = state.waiters.filter { _, waiter in
                if waiter.deadline <= now { return true }
                guard let marks, ids.contains(waiter.id) else { return false }
                return marks[waiter.id] != waiter.seen
            }
            for number in done.keys { state.waiters[number] = nil }
            return Array(done.values)
        }
        for waiter in done { waiter.wake.resume() }
    }
}
