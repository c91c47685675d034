import Concurrency
import HostResources
import Logging

/// Lets a controller set the number of busy threads: measures windows for it, on a thread of its
/// own, and does what it says.
package final class AutomaticConcurrency: Sendable {
    /// What is found.
    package enum Subject: Sendable {
        /// The most threads that are busy at all.
        case threads
        /// The threads that take batches at once, of a fixed number of threads.
        case batches
    }

    private let subject: Subject
    private let dispatcher: Dispatcher
    private let most: Int
    private let shortestWindow: Duration
    private let memory: MemoryMarks
    private let drain: DrainSignal
    private let logger: Logger

    /// - Parameters:
    ///   - most: the largest limit, no more than the dispatcher's pool has threads.
    ///   - shortestWindow: chosen: a commit that is slow for once is lost in a second's work.
    package init(
        _ subject: Subject = .threads,
        of dispatcher: Dispatcher,
        most: Int,
        shortestWindow: Duration = .seconds(1),
        memory: MemoryMarks = MemoryMarks(),
        drain: DrainSignal,
        logger: Logger
    ) {
        self.subject = subject
        self.dispatcher = dispatcher
        self.most = most
        self.shortestWindow = shortestWindow
        self.memory = memory
        self.drain = drain
        self.logger = logger
    }

    /// Sets the first limit, and goes on until the drain.
    package func start() {
        let controller =
            subject == .threads
            ? ConcurrencyController(most: most, memory: memory)
            : ConcurrencyController(
                most: most,
                first: Inbox.firstPaying,
                isHurried: false,
                memory: memory
            )
        apply(controller.limit)
        startThread(name: "amity-auto", stackBytes: 256 << 10) { self.run(controller) }
    }

    private func apply(_ limit: Int) {
        switch subject {
        case .threads: dispatcher.begin(limit: limit, paying: limit)
        case .batches: dispatcher.begin(paying: limit)
        }
    }

    private func run(_ first: ConcurrencyController) {
        var controller = first
        var load = MachineLoad()
        _ = load.processorShare()
        var begin = ContinuousClock.now
        var summary = Summary(limit: controller.limit, at: begin)
        while !drain.wait(for: shortestWindow / 4) {
            let tally = dispatcher.tally
            let isFull =
                tally.pieces >= controller.samplesWanted && begin + shortestWindow <= .now
            // Memory is watched without a backlog, too.
            if !isFull && .now < begin + shortestWindow * 5 { continue }
            let before = controller.limit
            if subject == .batches, tally.pieces == 0, !dispatcher.isHeld {
                controller.abandonTrial()
            }
            // Fewer threads than it has asked for say nothing of its limit.
            let isTold = isFull && !dispatcher.isHeld
            var window = LoadWindow(
                messages: isTold ? tally.messages : 0,
                busy: isTold ? tally.busy : .zero,
                processorShare: load.processorShare(),
                memoryShare: load.memoryShare()
            )
            window.processorPressure = load.processorPressure()
            window.memoryPressure = load.memoryPressure()
            controller.observe(window)
            begin = .now
            // A window that is not full yet goes on counting if nothing changed.
            if isFull || controller.limit != before { apply(controller.limit) }
            logChange(from: before, to: controller.limit)
            summary.note(controller.base, at: begin, logger)
        }
    }

    private func logChange(from before: Int, to limit: Int) {
        if limit == before { return }
        logger.debug(
            "concurrency.changed",
            metadata: [
                "from": .stringConvertible(before), "to": .stringConvertible(limit),
            ]
        )
    }

    /// One line a minute at most, and only when something changed.
    private struct Summary {
        private var limit: Int
        private var at: ContinuousClock.Instant

        init(limit: Int, at: ContinuousClock.Instant) {
            self.limit = limit
            self.at = at
        }

        mutating func note(_ limit: Int, at now: ContinuousClock.Instant, _ logger: Logger) {
            if limit == self.limit || now < at + .seconds(60) { return }
            logger.info(
                "concurrency.found",
                metadata: [
                    "threads": .stringConvertible(limit),
                    "before": .stringConvertible(self.limit),
                ]
            )
            self.limit = limit
            at = now
        }
    }
}
