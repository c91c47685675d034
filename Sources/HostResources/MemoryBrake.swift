/// How much a worker may begin at once while it is short of memory. Pure.
///
/// From the high mark on it begins less, by steps, down to one piece of work at a time; below the
/// low mark it begins more again, by smaller and slower steps. What runs is let finish.
struct MemoryBrake: Sendable {
    /// Chosen: what runs may end meanwhile and give its memory back.
    static let tightening = Duration.seconds(2)
    /// Chosen: as long as it has to stay below the low mark for each step back.
    static let relaxing = Duration.seconds(5)

    private let marks: MemoryMarks
    /// Halvings that leave one thread.
    private let most: Int
    private var halvings = 0
    private var tightenedAt: ContinuousClock.Instant?
    private var calmSince: ContinuousClock.Instant?

    /// - Parameter threads: that the worker has, 1 or more.
    init(_ marks: MemoryMarks, threads: Int) {
        self.marks = marks
        most = threads.bitWidth - (threads - 1).leadingZeroBitCount
    }

    var isOn: Bool { halvings > 0 }

    /// The share of its threads that may begin work.
    var share: Double { 1 / Double(1 << halvings) }

    /// - Parameter memory: the share that is in use; nil where it is not known.
    mutating func observe(_ memory: Double?, at now: ContinuousClock.Instant) {
        let memory = memory ?? 0
        if memory >= marks.high {
            calmSince = nil
            if let tightenedAt, isOn, now < tightenedAt + Self.tightening { return }
            halvings = min(halvings + 2, most)
            tightenedAt = now
        } else if memory > marks.low {
            calmSince = nil
        } else if isOn {
            let since = calmSince ?? now
            let isCalm = now >= since + Self.relaxing
            if isCalm { halvings -= 1 }
            calmSince = isCalm ? now : since
        }
    }
}

/// The shares of the memory that a worker may use at which it is short of it, and has enough again.
package struct MemoryMarks: Sendable {
    package let high: Double
    package let low: Double

    /// - Parameter high: 0…1; nil for never.
    package init(high: Double? = 0.9) {
        self.high = high ?? .infinity
        // Chosen: far enough below that work which is let in does not pass the high mark at once.
        low = self.high - 0.1
    }
}

/// Whether a figure has reached its high mark, and has not sunk to its low one since. Pure.
struct HighMark: Sendable {
    let high: Double
    let low: Double
    private(set) var isReached = false

    init(_ high: Double, low: Double) {
        self.high = high
        self.low = low
    }

    mutating func observe(_ value: Double) {
        isReached = value >= high || isReached && value > low
    }
}
