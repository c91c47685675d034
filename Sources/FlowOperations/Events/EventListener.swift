import AMQP
import Concurrency
import Events
import Logging

/// Hears events for one reader, as long as it lives: a thread and a connection of its own, with a
/// queue that ends with them. So the broker chooses what it hears.
package final class EventListener: Sendable {
    /// Written by the thread that hears, taken by the reader.
    private let shared = Shared()

    /// What both sides hold: the thread keeps no listener alive.
    final class Shared: Sendable {
        /// Chosen: what a page shows. A reader takes them four times a second.
        private static let mostNotes = 100

        private let state = Locked((notes: EventNotes(), isOver: false))

        var isOver: Bool { state.withLock { $0.isOver } }

        func end() { state.withLock { $0.isOver = true } }

        func add(_ note: EventNote) {
            state.withLock { state in
                if state.notes.events.count == Self.mostNotes {
                    state.notes.events.removeFirst()
                    state.notes.missed += 1
                }
                state.notes.events.append(note)
            }
        }

        func listens(_ problem: String?) {
            state.withLock {
                ($0.notes.isListening, $0.notes.problem) = (problem == nil, problem)
            }
        }

        func take() -> EventNotes {
            state.withLock { state in
                defer { (state.notes.events, state.notes.missed) = ([], 0) }
                return state.notes
            }
        }
    }

    /// - Parameter hear: starts what adds to the notes until they are over.
    init(hear: (Shared) -> Void) { hear(shared) }

    deinit { shared.end() }

    package func take() -> EventNotes { shared.take() }
}

/// Listens to the broker for a few readers.
struct EventEar: Sendable {
    /// Readers at a time, of this process. Chosen: a few people; each costs a connection.
    static let mostListeners = 4
    /// Until it is tried again, at most. What a broker refuses it refuses again.
    private static let longestPause = Duration.seconds(30)

    let endpoint: Endpoint
    let logger: Logger
    private let listeners = Locked(0)

    init(endpoint: Endpoint, logger: Logger) {
        (self.endpoint, self.logger) = (endpoint, logger)
    }

    func listen(to pattern: EventPattern) -> EventListener? {
        let isAdmitted = listeners.withLock { count in
            if count == Self.mostListeners { return false }
            count += 1
            return true
        }
        if !isAdmitted { return nil }
        return EventListener { shared in
            startThread(name: "amity-listen", stackBytes: Publisher.stackBytes) { [listeners] in
                hear(pattern, shared)
                // Its thread and its connection are gone: now there is room for another.
                listeners.withLock { $0 -= 1 }
            }
        }
    }

    private func hear(_ pattern: EventPattern, _ shared: EventListener.Shared) {
        let over = MonotonicSemaphore(value: 0)
        var backoff = Backoff(first: .seconds(1), cap: Self.longestPause)
        while !shared.isOver {
            do throws(AMQPError) {
                var tail = try ExchangeTail(
                    of: EventTopics.exchange,
                    matching: [pattern.text],
                    at: endpoint,
                    logger: logger
                )
                shared.listens(nil)
                backoff.reset()
                while !shared.isOver {
                    if let message = try tail.next(within: .milliseconds(500)) {
                        shared.add(EventNote(message))
                    }
                }
                try tail.close()
            } catch {
                shared.listens("\(error)")
                let end = ContinuousClock.now + backoff.next()
                while !shared.isOver, .now < end { over.wait(atMost: .milliseconds(500)) }
            }
        }
    }
}
