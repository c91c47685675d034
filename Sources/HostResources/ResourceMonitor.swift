import CLinux
import Concurrency
import Foundation
import Logging
import WorkerHealth

/// Looks at what the process uses of its host, tells of it, and has less work begun while it is
/// short of memory.
///
/// On a thread of its own: all others may have to wait for a server, and memory does not.
package final class ResourceMonitor: Sendable {
    /// Chosen: as often as a worker tells of itself.
    private static let interval = Duration.seconds(5)
    /// While memory is above its low mark.
    private static let shortInterval = Duration.seconds(1)

    private struct State: Sendable {
        var reader: ResourceReader
        var brake: MemoryBrake
        var shortages: Shortages
        /// When memory was last given back.
        var trimmedAt: ContinuousClock.Instant?
        /// Short of, as of the last look.
        var found: [Shortage] = []
        var listeners: [@Sendable (_ threadsShare: Double) -> Void] = []
    }

    private let marks: MemoryMarks
    private let state: Locked<State>
    /// Apart: those who ask wait for no look.
    private let known = Locked<ResourceUse?>(nil)
    private let disks: DiskWatch
    private let health: LinkHealth
    private let logger: Logger

    /// - Parameters:
    ///   - folders: whose file systems are watched.
    ///   - threads: that the worker has for work, 1 or more.
    ///   - health: is told what is nearly used up.
    ///   - root: where `proc` and `sys` are.
    package init(
        _ folders: [WatchedFolder],
        marks: MemoryMarks,
        threads: Int,
        health: LinkHealth,
        root: String = KernelFiles.root,
        logger: Logger
    ) {
        self.marks = marks
        self.health = health
        self.logger = logger
        let reader = ResourceReader(KernelFiles(root: root), folders)
        disks = reader.disks
        state = Locked(
            State(
                reader: reader,
                brake: MemoryBrake(marks, threads: threads),
                shortages: Shortages(memory: marks)
            )
        )
    }

    /// As of the last look; nil before the first.
    package var latest: ResourceUse? { known.withLock(\.self) }

    /// Has `act` called, on the monitor's thread, whenever the share of threads that may begin work
    /// has changed, or what is nearly used up. It must not block.
    package func onChange(_ act: @escaping @Sendable (_ threadsShare: Double) -> Void) {
        state.withLock { $0.listeners.append(act) }
    }

    /// Looks for the first time, and starts its thread, which ends with the process: a worker that
    /// drains still tells of it.
    package func start() {
        disks.start()
        look()
        startThread(name: "amity-resources", stackBytes: 512 << 10) { [self] in
            while true {
                let use = latest ?? ResourceUse()
                let isNear = (use.memory?.share ?? 0) > marks.low || use.threadsShare < 1
                let pause = isNear ? Self.shortInterval : Self.interval
                Thread.sleep(forTimeInterval: pause / .seconds(1))
                look()
            }
        }
    }

    @discardableResult
    package func look(at now: ContinuousClock.Instant = .now) -> ResourceUse {
        // Told under the lock, so that two looks cannot be told in the wrong order.
        state.withLock { state in
            var use = state.reader.read(at: now)
            state.brake.observe(use.memory?.share, at: now)
            use.threadsShare = state.brake.share
            let found = state.shortages.observe(use)
            use.shortOf = found.map(\.subject)
            let before = latest
            known.withLock { [use] in $0 = use }
            tell(found, before: state.found)
            state.found = found
            let share = before?.threadsShare ?? 1
            if use.threadsShare != share || use.shortOf != before?.shortOf ?? [] {
                for act in state.listeners { act(use.threadsShare) }
            }
            giveBack(use, &state, at: now)
            return use
        }
    }

    /// What was freed and is kept for later counts as used. Runs may end at any time.
    private func giveBack(
        _ use: ResourceUse,
        _ state: inout State,
        at now: ContinuousClock.Instant
    ) {
        let isShort = use.threadsShare < 1 && (use.memory?.share ?? 0) > marks.low
        let last = state.trimmedAt
        if !isShort || last.map({ now < $0 + Self.interval }) ?? false { return }
        state.trimmedAt = now
        amity_give_back_memory()
    }

    private func tell(_ found: [Shortage], before: [Shortage]) {
        for shortage in found {
            let notice = health.failed(shortage.problem)
            logger.log(
                level: notice.isLogged ? .warning : .debug,
                shortage.resource.begin,
                metadata: metadata(of: shortage).merging(
                    ["error": "\(shortage.text)", "remedy": "\(shortage.remedy)"]
                ) { _, new in new }
            )
        }
        let subjects = Set(found.map(\.subject))
        for shortage in before where !subjects.contains(shortage.subject) {
            let lasted = health.works(.host, shortage.subject) ?? .zero
            var metadata = metadata(of: shortage)
            metadata["seconds"] = .stringConvertible(lasted / .seconds(1))
            logger.notice(shortage.resource.end, metadata: metadata)
        }
    }

    private func metadata(of shortage: Shortage) -> Logger.Metadata {
        shortage.folder.map { ["folder": "\($0)"] } ?? [:]
    }
}
