import Foundation
import HostResources

/// What was seen of a worker while its limit on busy threads stayed the same.
package struct LoadWindow: Sendable {
    /// Messages of the work that was taken while more waited than there were threads for.
    package var messages: Int
    /// The time that threads spent on those messages. Zero: there was no backlog.
    package var busy: Duration
    /// How much of the processors is in use, by this process and all others, 0…1.
    package var processorShare: Double
    /// How much of the memory that the process may have is used, 0…1.
    package var memoryShare: Double
    /// The shares of the last ten seconds in which something waited for a processor, and for
    /// memory, 0…1: in the container, or on the machine.
    package var processorPressure = 0.0
    package var memoryPressure = 0.0

    package init(
        messages: Int,
        busy: Duration,
        processorShare: Double = 0,
        memoryShare: Double = 0
    ) {
        self.messages = messages
        self.busy = busy
        self.processorShare = processorShare
        self.memoryShare = memoryShare
    }
}

/// Finds the number of busy threads with the best throughput, window by window. Pure: it has no
/// clock and no threads.
///
/// It tries another limit for a window and keeps it if that pays, so it needs no model of what the
/// work waits for. Steps are factors of four and two where nothing is known, and an eighth at rest,
/// where a trial every tenth window notices that the load has changed.
package struct ConcurrencyController: Sendable {
    /// What is worth one thread more: throughput must grow by at least this power of the threads.
    /// Chosen: without a price, threads that only wait for each other would look as good as none;
    /// with this one, at most a tenth of the best throughput is given away.
    private static let price = 0.1
    /// The same when processors are scarce. Waiting work still grows then: it earns its threads in
    /// full.
    private static let priceOfScarceProcessors = 0.2
    private static let scarceProcessors = 0.9
    /// Processors of which a container has but a share may be scarce while those of the machine, or
    /// of its quota, are not. Chosen: nearly always something is ready to run and waits.
    private static let highProcessorPressure = 0.8
    /// Chosen: where memory is plenty there is none at all.
    private static let highMemoryPressure = 0.1
    /// Less than this is noise.
    private static let margin = 1.02
    private static let rest = 8

    private enum Stride: Int {
        case fine, twice, fourfold
    }

    /// Most threads that may be busy in the next window.
    package private(set) var limit: Int
    private let most: Int
    private let isHurried: Bool
    /// The best limit known. `limit` differs from it in a trial.
    package private(set) var base: Int
    private var baseRate: Double?
    private var wereProcessorsScarceAtBase = false
    /// It grows only as far as memory stays below the low mark, if all of it were the threads'.
    private let memory: MemoryMarks
    private var stride: Stride
    private var isUpward = true
    /// Fine trials won, and lost, in a row.
    private var wins = 0
    private var losses = 0
    /// Windows until the next trial.
    private var pause = 0
    private var isSurprised = false

    /// - Parameters:
    ///   - most: the largest limit, 1 or more.
    ///   - first: chosen: what serves most machines while nothing is known.
    ///   - isHurried: whether the first trial, of the worker or of another load, comes at once
    ///     where processors are scarce, too. Work that waits for services needs hundreds of threads
    ///     soon; other work seldom more than a machine has processors, and a trial costs a short
    ///     backlog more.
    package init(
        most: Int,
        first: Int = 4,
        isHurried: Bool = true,
        memory: MemoryMarks = MemoryMarks()
    ) {
        self.most = most
        self.isHurried = isHurried
        self.memory = memory
        base = min(first, most)
        // From a guess that is nearly always right a large step costs more than it may bring.
        stride = first < 4 ? .twice : .fourfold
        limit = base
    }

    /// Pieces of work a window must have seen to the end. Small steps need a closer look.
    package var samplesWanted: Int {
        stride == .fine ? max(32, 2 * limit) : max(4, limit / 2)
    }

    /// Takes in a window in which `limit` was in force, and decides the next limit.
    package mutating func observe(_ window: LoadWindow) {
        let isWaitedFor = window.memoryPressure > Self.highMemoryPressure
        if window.memoryShare > memory.high || isWaitedFor { return retreat() }
        // Without a backlog there is nothing to learn, and nothing to gain.
        if window.messages == 0 || window.busy <= .zero { return }
        // Little's law. Less noisy than counting what is settled: work that takes seconds comes in
        // heaps.
        let rate = Double(limit * window.messages) / (window.busy / .seconds(1))
        if limit == base { look(rate, window) } else { judge(rate, window) }
    }

    /// Ends a trial that says nothing, without a verdict: there is no backlog any more, or what
    /// waits is too little for so many threads to have full batches.
    package mutating func abandonTrial() {
        if limit == base { return }
        limit = base
        pause = 1
    }

    // MARK: At the best limit known

    private mutating func look(_ rate: Double, _ window: LoadWindow) {
        wereProcessorsScarceAtBase = areProcessorsScarce(in: window)
        if baseRate == nil { pause = max(pause, firstPause) }
        if let known = baseRate, !(0.7...1.4).contains(rate / known) {
            // Once is an accident, twice is another load.
            defer { isSurprised.toggle() }
            if !isSurprised { return }
            baseRate = rate
            startOver()
        } else {
            isSurprised = false
            baseRate = baseRate.map { ($0 + rate) / 2 } ?? rate
        }
        if pause > 0 {
            pause -= 1
        } else {
            tryNext(window)
        }
    }

    private mutating func startOver() {
        stride = .fourfold
        isUpward = base < most
        wins = 0
        losses = 0
        pause = firstPause
    }

    private var firstPause: Int { isHurried || !wereProcessorsScarceAtBase ? 0 : Self.rest }

    private mutating func tryNext(_ window: LoadWindow) {
        limit = target(window)
        if limit != base { return }
        // A wall: on the way here everything behind was worse, but for what lies close.
        isUpward.toggle()
        stride = .fine
        limit = target(window)
    }

    private func target(_ window: LoadWindow) -> Int {
        let step =
            switch stride {
            case .fine: max(1, base / 8)
            case .twice: isUpward ? base : base - base / 2
            case .fourfold: isUpward ? base * 3 : base - base / 4
            }
        if !isUpward { return max(1, base - step) }
        let affordable = Double(base) * memory.low / max(window.memoryShare, 1e-6)
        let most = affordable < Double(most) ? Int(affordable) : most
        return max(base, min(base + step, most))
    }

    // MARK: In a trial

    private mutating func judge(_ rate: Double, _ window: LoadWindow) {
        let isScarce = areProcessorsScarce(in: window) || wereProcessorsScarceAtBase
        let price = isScarce ? Self.priceOfScarceProcessors : Self.price
        let gain = rate / (baseRate ?? rate) / pow(Double(limit) / Double(base), price)
        if gain > (limit > base ? Self.margin : 1) { win(rate, window) } else { lose() }
    }

    private func areProcessorsScarce(in window: LoadWindow) -> Bool {
        window.processorShare > Self.scarceProcessors
            || window.processorPressure > Self.highProcessorPressure
    }

    private mutating func win(_ rate: Double, _ window: LoadWindow) {
        wins += 1
        if stride == .fine && wins < 2 {
            // It may have been luck: once more, after another look at the base.
            limit = base
            pause = 0
            return
        }
        base = limit
        baseRate = rate
        wereProcessorsScarceAtBase = areProcessorsScarce(in: window)
        wins = 0
        losses = 0
        pause = 0
        stride = Stride(rawValue: stride.rawValue + 1) ?? .fourfold
        tryNext(window)
    }

    private mutating func lose() {
        limit = base
        wins = 0
        if stride == .fine { losses += 1 }
        pause = losses >= 2 ? Self.rest : 0
        stride = Stride(rawValue: stride.rawValue - 1) ?? .fine
        isUpward.toggle()
    }

    // MARK: Memory

    private mutating func retreat() {
        base = max(1, min(base, limit) * 3 / 4)
        limit = base
        baseRate = nil
        stride = .fine
        isUpward = false
        wins = 0
        losses = 0
        pause = Self.rest
    }
}
