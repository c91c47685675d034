import CLinux
import Glibc

/// `amity run-command`, which a worker starts for each run of a command: starts the command, and
/// kills all that comes of it when the command has ended, when the worker says so, or when the
/// worker is gone. It adopts what the command leaves behind, so not even a process that has left
/// its group and session is overlooked.
///
/// The worker holds the other end of a socket, the leash. A byte asks the command to end (SIGTERM);
/// the end of it, which the kernel makes when the worker is gone, kills at once.
package enum CommandRunner {
    static let name = "run-command"
    /// Behind standard input, output and error, which are the command's.
    static let leash: Int32 = 3
    /// Of arguments that are no worker's.
    private static let usage: Int32 = 64

    /// Does not return where the process was started as `run-command`. To be called first in every
    /// program that has a `CommandHandler`.
    package static func runIfAsked() {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == name { run(Array(arguments.dropFirst())) }
    }

    /// - Parameter arguments: the seconds between SIGTERM and SIGKILL, and the command.
    private static func run(_ arguments: [String]) -> Never {
        guard let first = arguments.first, let grace = Int(first), arguments.count > 1,
            fcntl(leash, F_SETFD, FD_CLOEXEC) == 0
        else { _exit(usage) }
        // The worker decides, not what else sends signals to all of a service's processes.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] { signal(number, SIG_IGN) }
        childrenEnded = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard childrenEnded >= 0, amity_adopt_orphans() == 0 else { _exit(126) }
        // A handler, and no signalfd: any thread of the process may be given the signal, and in a
        // program whose main function is asynchronous this is not its only one.
        signal(SIGCHLD) { _ in
            let before = errno
            var one: UInt64 = 1
            write(childrenEnded, &one, 8)
            errno = before
        }
        let command = start(Array(arguments.dropFirst()))
        guard command > 0 else { _exit(126) }
        var watch = Watch(command: command, grace: .seconds(grace))
        let status = watch.waitForEnd()
        let last = killDescendants(reaping: command)
        end(as: status ?? last)
    }

    private static func start(_ command: [String]) -> pid_t {
        var arguments = command.map { strdup($0) }
        arguments.append(nil)
        return amity_start_bound(arguments, environ)
    }

    /// - Returns: the status of the command, where it is among them.
    private static func killDescendants(reaping command: pid_t) -> Int32? {
        var found: Int32?
        while true {
            for process in Descendants.all(of: getpid()) { kill(process, SIGKILL) }
            var status: Int32 = 0
            var reaped = waitpid(-1, &status, WNOHANG)
            while reaped > 0 {
                if reaped == command { found = status }
                reaped = waitpid(-1, &status, WNOHANG)
            }
            // What descends from this process becomes its child when those between have ended.
            if reaped < 0 { return found }
            usleep(2_000)
        }
    }

    /// As the command has ended.
    private static func end(as status: Int32?) -> Never {
        guard let status else { _exit(126) }
        let number = status & 0x7F
        if number == 0 { _exit(status >> 8 & 0xFF) }
        amity_write_no_core()
        signal(number, SIG_DFL)
        kill(getpid(), number)
        _exit(128 + number)
    }
}

/// An eventfd, readable when a child has ended. Set before the handler of signals that reads it,
/// which can be given nothing, and never again.
nonisolated(unsafe) private var childrenEnded: Int32 = -1

/// Waits for the end of a command, and for the worker's word.
private struct Watch {
    let command: pid_t
    let grace: Duration
    private var killAt: ContinuousClock.Instant?

    init(command: pid_t, grace: Duration) {
        self.command = command
        self.grace = grace
    }

    /// - Returns: the command's status; nil where it is to be killed.
    mutating func waitForEnd() -> Int32? {
        while true {
            var descriptors = [
                pollfd(fd: CommandRunner.leash, events: Int16(POLLIN), revents: 0),
                pollfd(fd: childrenEnded, events: Int16(POLLIN), revents: 0),
            ]
            _ = poll(&descriptors, 2, timeLeft)
            if descriptors[1].revents != 0, let status = reap() { return status }
            if descriptors[0].revents != 0, !obey() { return nil }
            if let killAt, killAt <= .now { return nil }
        }
    }

    private var timeLeft: Int32 {
        guard let killAt else { return -1 }
        let milliseconds = ContinuousClock.now.duration(to: killAt) / .milliseconds(1)
        return Int32(clamping: Int64(max(0, milliseconds.rounded(.up))))
    }

    /// - Returns: the command's status, once it has ended.
    private func reap() -> Int32? {
        var count: UInt64 = 0
        _ = read(childrenEnded, &count, 8)
        var (status, found): (Int32, Int32?) = (0, nil)
        while true {
            let process = waitpid(-1, &status, WNOHANG)
            if process <= 0 { return found }
            if process == command { found = status }
        }
    }

    /// - Returns: false where the worker is gone, or wants an end at once.
    private mutating func obey() -> Bool {
        var byte: UInt8 = 0
        guard read(CommandRunner.leash, &byte, 1) == 1 else { return false }
        if killAt == nil {
            kill(-command, SIGTERM)
            killAt = .now + grace
        }
        return true
    }
}
