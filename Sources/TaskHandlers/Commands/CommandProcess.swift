import CLinux
import Concurrency
import Glibc

/// A command on its way: `run-command` with its pipes. Belongs to the thread that runs the task.
final class CommandProcess {
    let output: Descriptor
    let errors: Descriptor
    /// Readable when it has ended, and with it all that came of the command.
    let ended: Descriptor
    private let process: pid_t
    private let leash: Descriptor
    private var isAsked = false

    /// - Parameters:
    ///   - program: the path of a program that begins with `CommandRunner.runIfAsked`.
    ///   - grace: seconds between SIGTERM and SIGKILL.
    ///   - environment: all that the command has.
    init(
        _ argv: [String],
        input: [UInt8],
        environment: [String: String],
        program: String,
        grace: Int
    ) throws(Descriptor.Failure) {
        let input = try Descriptor.file(named: "payload", holding: input)
        let (output, errors) = (try Descriptor.pipe(), try Descriptor.pipe())
        let leash = try Descriptor.socketPair()
        let process = try Self.spawn(
            program,
            ["amity", CommandRunner.name, "\(grace)"] + argv,
            environment.map { "\($0)=\($1)" },
            descriptors: [input, output.write, errors.write, leash.other]
        )
        self.process = process
        self.leash = leash.own
        (self.output, self.errors) = (output.read, errors.read)
        self.output.doNotBlock()
        self.errors.doNotBlock()
        do throws(Descriptor.Failure) {
            ended = try Descriptor.process(process)
        } catch {
            // The end of the leash kills the command; nothing but that is waited for.
            leash.own.close()
            _ = Self.status(of: process)
            throw error
        }
    }

    /// Asks it to end, with a SIGKILL to follow.
    func terminate() {
        if isAsked { return }
        isAsked = true
        var byte: UInt8 = 0
        // It may have ended: no SIGPIPE.
        _ = send(leash.number, &byte, 1, Int32(MSG_NOSIGNAL))
    }

    /// Kills it at once, with all that came of it.
    func kill() { leash.close() }

    /// Waits for its end, which `ended` has told.
    func status() -> CommandEnd.Status { Self.status(of: process) }

    private static func status(of process: pid_t) -> CommandEnd.Status {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            if errno != EINTR { return .exit(126) }
        }
        let number = status & 0x7F
        return number == 0 ? .exit(status >> 8 & 0xFF) : .signal(number)
    }

    /// Starts a program with the descriptors as its first ones and no other, in a process group of
    /// its own, with signals as they are by default.
    private static func spawn(
        _ program: String,
        _ arguments: [String],
        _ environment: [String],
        descriptors: [Descriptor]
    ) throws(Descriptor.Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor.number, Int32(target))
        }
        amity_close_from(&actions, Int32(descriptors.count))
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var process: pid_t = 0
        // They are open at least until it has started.
        let number = withExtendedLifetime(descriptors) {
            withStrings(arguments) { arguments in
                withStrings(environment) { environment in
                    posix_spawn(&process, program, &actions, &attributes, arguments, environment)
                }
            }
        }
        if number != 0 { throw Descriptor.Failure(number: number) }
        return process
    }

    private static func withStrings<R>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
