import Concurrency

/// Makes requests side by side, all on one thread of its own: one that waits costs no thread, and
/// all share connections, addresses of names and trusted certificates. Stops when nothing refers to
/// it.
package final class HTTPClient: Sendable {
    typealias Outcome = Result<HTTPResponse, HTTPError>

    /// What the thread is told.
    enum Order: Sendable {
        case start(Int, HTTPRequest, @Sendable (Outcome) -> Void)
        case cancel(Int)
        case stop
    }

    private struct State {
        var nextID = 0
        var isStopped = false
    }

    private let state = Locked(State())
    private let orders: Mailbox<Order>

    /// - Parameters:
    ///   - connections: most that are kept for later requests; as many as are needed are open.
    ///   - authorities: a file of certificates (PEM) to trust; nil for the system's.
    package init(connections: Int, trusting authorities: String? = nil) {
        let bell = EventBell()
        let orders = Mailbox<Order>(bell: bell)
        self.orders = orders
        startThread(name: "amity-requests", stackBytes: 512 << 10) {
            TransferLoop(connections: connections, trusting: authorities)
                .run(orders, wokenBy: bell.descriptor)
        }
    }

    deinit { stop() }

    /// Gives up what is under way, and whatever is asked from now on, and closes the connections.
    package func stop() {
        state.withLock { state in
            if !state.isStopped { orders.post(.stop) }
            state.isStopped = true
        }
    }

    /// Gives up when the task is cancelled.
    package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let id = newID()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                start(id, request) { continuation.resume(returning: $0) }
                // A cancellation that came before the start has found nothing to cancel.
                if Task.isCancelled { orders.post(.cancel(id)) }
            }
        } onCancel: {
            orders.post(.cancel(id))
        }
        return try outcome.get()
    }

    /// Blocks the calling thread.
    ///
    /// - Parameter begun: called at once with what gives the request up: it may be called at any
    ///   time, from any thread, and closes the connection.
    package func sendAndWait(
        _ request: HTTPRequest,
        begun: (_ cancel: @escaping @Sendable () -> Void) -> Void = { _ in }
    ) throws(HTTPError) -> HTTPResponse {
        let found = Locked<Outcome>(.failure(.cancelled))
        let isDone = MonotonicSemaphore(value: 0)
        let (id, orders) = (newID(), orders)
        start(id, request) { outcome in
            found.withLock { $0 = outcome }
            isDone.signal()
        }
        // After the start: what comes before it finds nothing to cancel.
        begun { orders.post(.cancel(id)) }
        isDone.wait()
        return try found.withLock { $0 }.get()
    }

    /// Returns at once.
    ///
    /// - Parameters:
    ///   - begun: as of `sendAndWait`.
    ///   - done: called once, on the client's thread: it must not block.
    package func send(
        _ request: HTTPRequest,
        begun: (_ cancel: @escaping @Sendable () -> Void) -> Void,
        _ done: @escaping @Sendable (Result<HTTPResponse, HTTPError>) -> Void
    ) {
        let (id, orders) = (newID(), orders)
        start(id, request, done)
        begun { orders.post(.cancel(id)) }
    }

    private func newID() -> Int {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    private func start(
        _ id: Int,
        _ request: HTTPRequest,
        _ done: @escaping @Sendable (Outcome) -> Void
    ) {
        // Under the lock, so that no order comes after the stop.
        let isTaken = state.withLock { state in
            if !state.isStopped { orders.post(.start(id, request, done)) }
            return !state.isStopped
        }
        if !isTaken { done(.failure(.cancelled)) }
    }
}
