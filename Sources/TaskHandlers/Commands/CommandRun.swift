import Concurrency
import Glibc
import TaskRunning

/// Follows a command to its end: takes what it writes, and passes on that it is to stop.
final class CommandRun {
    private let process: CommandProcess
    private let context: RunContext
    private let bell = EventBell()
    private(set) var errorBytes = 0
    private var isStopped = false
    private var isRefused = false
    /// Those that have not come to their end.
    private var open: [Descriptor]
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// A run that is asked to stop may be fenced off after that, which no bell tells.
    private static let look = Duration.milliseconds(200)

    init(_ process: CommandProcess, in context: RunContext) {
        self.process = process
        self.context = context
        open = [process.output, process.errors]
    }

    /// - Parameter take: what it writes to its standard output; where this returns false, it is
    ///   killed, and the rest is dropped.
    /// - Returns: nil where it was stopped.
    func end(_ take: (ArraySlice<UInt8>) -> Bool) -> CommandEnd.Status? {
        context.onStop { [bell] _ in bell.ring() }
        while !waitForEnd() {
            read(take)
            stopIfAsked()
        }
        // Nothing writes any more.
        read(take)
        let status = process.status()
        return isStopped ? nil : status
    }

    /// Sleeps until there is something to do.
    ///
    /// - Returns: whether the command has ended.
    private func waitForEnd() -> Bool {
        let numbers = [process.ended.number, bell.descriptor] + open.map(\.number)
        var descriptors = numbers.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let pause = isStopped ? Int32(Self.look / .milliseconds(1)) : -1
        _ = poll(&descriptors, nfds_t(descriptors.count), pause)
        if descriptors[1].revents != 0 { bell.silence() }
        return descriptors[0].revents != 0
    }

    private func stopIfAsked() {
        guard let reason = context.stopReason else { return }
        isStopped = true
        switch reason {
        case .cancelled, .timedOut: process.terminate()
        case .drained, .fenced: process.kill()
        }
    }

    private func read(_ take: (ArraySlice<UInt8>) -> Bool) {
        open.removeAll { descriptor in
            // Others have a turn in between, however fast it writes.
            for _ in 0..<16 {
                switch descriptor.read(into: &buffer) {
                case .bytes(let bytes): pass(bytes, from: descriptor, to: take)
                case .nothingYet: return false
                case .end: return true
                }
            }
            return false
        }
    }

    private func pass(
        _ bytes: ArraySlice<UInt8>,
        from descriptor: Descriptor,
        to take: (ArraySlice<UInt8>) -> Bool
    ) {
        if descriptor === process.errors {
            errorBytes += bytes.count
        } else if !isRefused, !take(bytes) {
            isRefused = true
            process.kill()
        }
    }
}
