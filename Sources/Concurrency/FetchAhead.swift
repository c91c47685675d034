/// What threads are about to ask for, fetched by one of them for several.
///
/// Each value is fetched by one thread and taken once. A value may be out of date when it is taken:
/// that is for its user to find out.
package final class FetchAhead<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private enum Entry {
        /// On its way; these wait for it.
        case coming([MonotonicSemaphore])
        /// nil where it was not to be had: its own thread fetches it, and no other.
        case here(Value?, since: ContinuousClock.Instant)
    }

    private let entries = Locked<[Key: Entry]>([:])
    private let lifetime, patience: Duration

    /// - Parameters:
    ///   - lifetime: a value that has waited for so long is fetched again.
    ///   - patience: how long a thread waits for another one's fetch.
    package init(lifetime: Duration, patience: Duration) {
        (self.lifetime, self.patience) = (lifetime, patience)
    }

    /// Waits where another thread is fetching it.
    ///
    /// - Returns: nil where the caller is to fetch it.
    package func take(_ key: Key) -> Value? {
        let coming = entries.withLock { entries -> MonotonicSemaphore? in
            guard case .coming(let others) = entries[key] else { return nil }
            let waiter = MonotonicSemaphore(value: 0)
            entries[key] = .coming(others + [waiter])
            return waiter
        }
        coming?.wait(atMost: patience)
        return entries.withLock { entries in
            guard case .here(let value, let since) = entries[key] else { return nil }
            entries[key] = nil
            return isFresh(since) ? value : nil
        }
    }

    /// - Returns: those that the caller is to fetch, and then to `end`: no other thread does.
    package func begin(_ keys: [Key]) -> [Key] {
        entries.withLock { entries in
            // What was never taken.
            entries = entries.filter { entry in
                if case .here(_, let since) = entry.value { isFresh(since) } else { true }
            }
            return keys.filter { key in
                if entries[key] != nil { return false }
                entries[key] = .coming([])
                return true
            }
        }
    }

    /// - Parameters:
    ///   - keys: that were begun.
    ///   - values: of those that may be taken.
    package func end(_ keys: [Key], _ values: [Key: Value]) {
        let now = ContinuousClock.now
        var waiters: [MonotonicSemaphore] = []
        entries.withLock { entries in
            for key in keys {
                let entry = entries.updateValue(.here(values[key], since: now), forKey: key)
                if case .coming(let others) = entry { waiters += others }
            }
        }
        for waiter in waiters { waiter.signal() }
    }

    /// Forgets values that are out of date.
    package func remove(where isOutdated: (Value) -> Bool) {
        entries.withLock { entries in
            for case (let key, .here(let value?, since: _)) in entries where isOutdated(value) {
                entries[key] = nil
            }
        }
    }

    private func isFresh(_ since: ContinuousClock.Instant) -> Bool { .now < since + lifetime }
}
