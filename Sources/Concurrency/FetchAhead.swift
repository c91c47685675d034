/// What threads are about to ask for, fetched by one of them for several.
///
/// Each value is fetched by one thread and taken once. A value may be out of date when it is taken:
/// that is for its user to find out.
package final class FetchAhead<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private enum State {
        /// On its way; these wait for it.
        case coming([MonotonicSemaphore])
        /// nil where it was not to be had, or is out of date: its own thread fetches it, no other.
        case here(Value?)
    }

    private struct Entry {
        var state = State.coming([])
        /// When its fetch began.
        let since = ContinuousClock.now
    }

    /// How long a key is remembered for which no value was to be had. Chosen: longer than what is
    /// in hand waits for a thread.
    private static var memory: Duration { .seconds(60) }

    private let entries = Locked<[Key: Entry]>([:])
    private let lifetime, patience: Duration

    /// - Parameters:
    ///   - lifetime: a value is fetched again so long after its fetch began.
    ///   - patience: how long a thread waits for another one's fetch.
    package init(lifetime: Duration, patience: Duration) {
        (self.lifetime, self.patience) = (lifetime, patience)
    }

    /// How many threads wait for a fetch.
    package var waiting: Int {
        entries.withLock { entries in
            entries.values.reduce(0) { count, entry in
                if case .coming(let waiters) = entry.state { count + waiters.count } else { count }
            }
        }
    }

    /// Waits where another thread is fetching it.
    ///
    /// - Returns: nil where the caller is to fetch it.
    package func take(_ key: Key) -> Value? {
        let coming = entries.withLock { entries -> MonotonicSemaphore? in
            guard case .coming(let others) = entries[key]?.state else { return nil }
            let waiter = MonotonicSemaphore(value: 0)
            entries[key]?.state = .coming(others + [waiter])
            return waiter
        }
        coming?.wait(atMost: patience)
        return entries.withLock { entries in
            guard let entry = entries[key], case .here(let value) = entry.state else { return nil }
            entries[key] = nil
            return isOld(entry) ? nil : value
        }
    }

    /// - Returns: those that the caller is to fetch, and then to `end`: no other thread does.
    package func begin(_ keys: [Key]) -> [Key] {
        entries.withLock { entries in
            // What was never taken.
            entries = entries.filter { !isOld($0.value) }
            return keys.filter { key in
                if entries[key] != nil { return false }
                entries[key] = Entry()
                return true
            }
        }
    }

    /// - Parameters:
    ///   - keys: that were begun.
    ///   - values: of those that may be taken.
    package func end(_ keys: [Key], _ values: [Key: Value]) {
        var waiters: [MonotonicSemaphore] = []
        entries.withLock { entries in
            for key in keys {
                if case .coming(let others) = entries[key]?.state { waiters += others }
                entries[key]?.state = .here(values[key])
            }
        }
        for waiter in waiters { waiter.signal() }
    }

    /// Leaves values that are out of date to their own threads.
    package func outdate(where isOutdated: (Value) -> Bool) {
        entries.withLock { entries in
            for (key, entry) in entries {
                if case .here(let value?) = entry.state, isOutdated(value) {
                    entries[key]?.state = .here(nil)
                }
            }
        }
    }

    private func isOld(_ entry: Entry) -> Bool {
        switch entry.state {
        case .coming: false
        case .here(nil): entry.since + Self.memory <= .now
        case .here: entry.since + lifetime <= .now
        }
    }
}
