import Synchronization

/// Many writers, one reader: how results reach the thread that owns a connection.
///
/// The reader sleeps in `poll` on the bell's descriptor. A writer rings only when the reader has
/// drained since the last ring, so a burst of completions costs one system call.
///
/// It needs no bound of its own: every element answers a delivery (or a publish) that was admitted
/// through a bound, the prefetch count or the publisher's window.
package final class Mailbox<Element: Sendable>: Sendable {
    private let elements = Locked<[Element]>([])
    /// Written by both sides: true from a ring until the reader's next drain.
    private let rung = Atomic(false)
    private let bell: any Bell

    package init(bell: any Bell) {
        self.bell = bell
    }

    /// What waits for the reader.
    package var count: Int { elements.withLock { $0.count } }

    package func post(_ element: Element) {
        elements.withLock { $0.append(element) }
        ringOnce()
    }

    package func post(_ batch: [Element]) {
        if batch.isEmpty { return }
        elements.withLock { $0.append(contentsOf: batch) }
        ringOnce()
    }

    /// Takes everything posted so far. Only the reader calls this.
    ///
    /// The order matters: silence and disarm first, take after. An element posted in between is
    /// taken now and rings once in vain; the other way round it would lie unseen until the next.
    /// The bell is silenced whether or not anything was posted: others ring it, too, and a ring may
    /// land after the drain that took its element.
    package func drain() -> [Element] {
        bell.silence()
        rung.store(false, ordering: .sequentiallyConsistent)
        return elements.withLock { elements in
            if elements.isEmpty { return [] }
            let taken = elements
            elements = []
            elements.reserveCapacity(taken.count)
            return taken
        }
    }

    private func ringOnce() {
        if !rung.exchange(true, ordering: .sequentiallyConsistent) { bell.ring() }
    }
}

/// Wakes a thread that sleeps in `poll`. On Linux an eventfd.
package protocol Bell: Sendable {
    /// Makes the descriptor readable. Callable from any thread.
    func ring()
    /// Makes it unreadable again. Called by the reader.
    func silence()
}
