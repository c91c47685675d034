import DequeModule

/// What waits for a thread, and what may run beside what. Pure; the dispatcher locks it.
struct Inbox {
    /// What a free thread is to do.
    enum Work {
        /// Deliveries of one type: all of them for the first time, or all of them again.
        case batch([Delivery])
        /// One that may kill the process: nothing runs beside it.
        case alone(Suspect)
    }

    struct Suspect {
        var delivery: Delivery
        var crashes: Int
    }

    private let threads: Int
    /// Together with `suspects` bounded by the prefetch count.
    private var deliveries: Deque<Delivery> = []
    private var suspects: Deque<Suspect> = []
    /// Operations queued or running, at most one for each thread.
    private var operations = 0
    /// Those of them that have work in hand.
    private var busy = 0
    private var isAlone = false
    /// Whether all was taken back, and nothing has come since.
    private var isWithdrawn = false

    init(threads: Int) {
        self.threads = threads
    }

    mutating func add(_ arrived: [Delivery]) {
        isWithdrawn = false
        deliveries.append(contentsOf: arrived)
    }

    /// - Returns: false when everything has been taken back meanwhile: so are they.
    mutating func add(_ found: [Suspect]) -> Bool {
        if isWithdrawn { return false }
        suspects.append(contentsOf: found)
        return true
    }

    /// Takes back whatever has not begun.
    mutating func withdraw() -> [Delivery] {
        isWithdrawn = true
        defer {
            deliveries.removeAll()
            suspects.removeAll()
        }
        return Array(deliveries) + suspects.map(\.delivery)
    }

    /// - Returns: how many operations to start for what waits.
    mutating func operationsToStart() -> Int {
        if isAlone { return 0 }
        let starts = min(threads - operations, deliveries.count + suspects.count)
        operations += starts
        return starts
    }

    /// What the calling operation is to do next; nil when it is over.
    mutating func next(_ handlers: HandlerRegistry) -> Work? {
        // A suspect waits for the threads that are busy, and they take nothing new: the last one of
        // them runs it.
        if isAlone || (!suspects.isEmpty && busy > 0) { return end() }
        if let suspect = suspects.popFirst() {
            busy = 1
            isAlone = true
            return .alone(suspect)
        }
        guard let first = deliveries.first else { return end() }
        let type = first.message.properties.type
        // An even share for every thread that is free, this one included: a burst is worked on side
        // by side, a backlog (no other thread free) in batches of the full limit.
        let free = threads - busy
        let share = (deliveries.count + free - 1) / free
        let batch = deliveries.prefix(min(share, handlers[type].batchLimit)).prefix {
            $0.message.properties.type == type && $0.redelivered == first.redelivered
        }
        deliveries.removeFirst(batch.count)
        busy += 1
        return .batch(Array(batch))
    }

    /// The calling operation has done what `next` gave it.
    mutating func finished() {
        busy -= 1
        isAlone = false
    }

    private mutating func end() -> Work? {
        operations -= 1
        return nil
    }
}
