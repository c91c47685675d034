/// When work that is done at an interval is due. Pure: its owner tells it the time.
///
/// An interval is up to a tenth longer or shorter, so that replicas that began together part.
package struct Chore: Sendable {
    private static let jitter = 0.9...1.1

    private let interval: Duration
    private var due: ContinuousClock.Instant

    /// - Parameter first: the time until it is due first, drawn from a range; nil for an interval.
    package init(
        every interval: Duration,
        first: ClosedRange<Duration>? = nil,
        at now: ContinuousClock.Instant = .now
    ) {
        self.interval = interval
        due = now
        if let first {
            due += first.lowerBound + (first.upperBound - first.lowerBound) * .random(in: 0...1)
        } else {
            done(at: now)
        }
    }

    package func isDue(at now: ContinuousClock.Instant) -> Bool { due <= now }

    /// It is due again in an interval.
    package mutating func done(at now: ContinuousClock.Instant) {
        due = now + interval * .random(in: Self.jitter)
    }

    fileprivate mutating func postpone(_ pause: Duration, at now: ContinuousClock.Instant) {
        due = now + pause
    }

    /// The earlier of both.
    fileprivate func next(or other: ContinuousClock.Instant?) -> ContinuousClock.Instant {
        other.map { min($0, due) } ?? due
    }
}

/// What chores see of time: the drain signal's, or a test's own.
package protocol ChoreClock {
    var now: ContinuousClock.Instant { get }

    /// Blocks the calling thread until then.
    ///
    /// - Returns: whether it is told to stop.
    func wait(until instant: ContinuousClock.Instant) -> Bool
}

/// The chores of one thread, each done when it is due, in the order in which they were added.
package struct Chores {
    package enum Turn {
        case done
        /// It could not be done, or not all of it: once more after this time.
        case again(after: Duration)
    }

    private struct Entry {
        var chore: Chore
        let isWanted: () -> Bool
        let work: () -> Turn
    }

    private var entries: [Entry] = []

    package init() {}

    /// - Parameter isWanted: asked whenever the thread wakes; whether it is due before its time.
    package mutating func add(
        _ chore: Chore,
        isWanted: @escaping () -> Bool = { false },
        _ work: @escaping () -> Turn
    ) {
        entries.append(Entry(chore: chore, isWanted: isWanted, work: work))
    }

    /// Does them on the calling thread until the clock says to stop.
    package mutating func run(by clock: some ChoreClock) {
        while !clock.wait(until: next ?? clock.now) {
            for index in entries.indices {
                let isWanted = entries[index].isWanted()
                guard isWanted || entries[index].chore.isDue(at: clock.now) else { continue }
                switch entries[index].work() {
                case .done: entries[index].chore.done(at: clock.now)
                case .again(let pause): entries[index].chore.postpone(pause, at: clock.now)
                }
            }
        }
    }

    private var next: ContinuousClock.Instant? {
        entries.reduce(nil) { $1.chore.next(or: $0) }
    }
}

extension DrainSignal: ChoreClock {
    package var now: ContinuousClock.Instant { .now }

    package func wait(until instant: ContinuousClock.Instant) -> Bool {
        wait(for: now.duration(to: instant))
    }
}
