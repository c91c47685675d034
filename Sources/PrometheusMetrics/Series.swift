import CoreMetrics
import Synchronization

/// One metric with one set of label values. Counting is atomic; every value is read on its own, so
/// a text may be a moment older in one line than in the next.
protocol Series: AnyObject, Sendable {
    func write(to text: inout String)
}

/// A Double that threads change without a lock.
private struct AtomicDouble: ~Copyable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var before = bits.load(ordering: .relaxed)
        while true {
            let (exchanged, original) = bits.weakCompareExchange(
                expected: before,
                desired: (Double(bitPattern: before) + amount).bitPattern,
                ordering: .relaxed
            )
            if exchanged { return }
            before = original
        }
    }
}

final class IntegerCounter: Series, CounterHandler {
    private let count = Atomic<Int64>(0)
    private let sample: String

    init(sample: String) {
        self.sample = sample
    }

    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }

    func write(to text: inout String) {
        text += sample
        text += String(count.load(ordering: .relaxed))
        text += "\n"
    }
}

final class DoubleCounter: Series, FloatingPointCounterHandler {
    private let count = AtomicDouble()
    private let sample: String

    init(sample: String) {
        self.sample = sample
    }

    func increment(by amount: Double) { if amount.isFinite { count.add(amount) } }
    func reset() { count.set(0) }

    func write(to text: inout String) {
        text += sample
        text += ExpositionText.number(count.value)
        text += "\n"
    }
}

final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let current = AtomicDouble()
    private let sample: String

    init(sample: String) {
        self.sample = sample
    }

    func set(_ value: Int64) { current.set(Double(value)) }
    func set(_ value: Double) { current.set(value) }
    func increment(by amount: Double) { current.add(amount) }
    func decrement(by amount: Double) { current.add(-amount) }
    func record(_ value: Int64) { current.set(Double(value)) }
    func record(_ value: Double) { current.set(value) }

    func write(to text: inout String) {
        text += sample
        text += ExpositionText.number(current.value)
        text += "\n"
    }
}

/// Counts values by the first bound that they do not exceed. Durations are in seconds.
final class Histogram: Series, RecorderHandler, TimerHandler {
    private final class Bucket: Sendable {
        let sample: String
        let count = Atomic<Int>(0)

        init(sample: String) {
            self.sample = sample
        }
    }

    private let bounds: [Double]
    /// One for each bound, and one for what is larger than all.
    private let buckets: [Bucket]
    private let sum = AtomicDouble()
    private let sumSample: String
    private let countSample: String

    init(_ name: SampleName, bounds: [Double]) {
        self.bounds = bounds
        buckets = (bounds + [.infinity]).map { bound in
            Bucket(sample: name.sample(suffix: "_bucket", bound: ExpositionText.number(bound)))
        }
        sumSample = name.sample(suffix: "_sum")
        countSample = name.sample(suffix: "_count")
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func write(to text: inout String) {
        var count = 0
        for bucket in buckets {
            count += bucket.count.load(ordering: .relaxed)
            text += bucket.sample
            text += String(count)
            text += "\n"
        }
        text += sumSample
        text += ExpositionText.number(sum.value)
        text += "\n"
        text += countSample
        text += String(count)
        text += "\n"
    }
}
