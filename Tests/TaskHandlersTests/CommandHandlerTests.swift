import Concurrency
import Foundation
import TestSupport
import Testing

@testable import TaskHandlers
@testable import TaskRunning
@testable import Tasks

/// Commands that really run, by the `run-command` of the daemon that was built for these tests.
@Suite(.timeLimit(.minutes(3))) struct CommandHandlerTests {
    /// A folder of one test.
    private final class Folder {
        let path = NSTemporaryDirectory() + "amity-command-\(UUID().uuidString)"

        init() throws {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// The id of a process that wrote it to a file of that name.
        func process(_ name: String) -> pid_t? {
            let text = try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
            return text.flatMap { pid_t($0) }
        }
    }

    private func handler(
        _ argv: [String],
        environment: [String: String] = [:],
        program: String = Bench.amity.path,
        grace: Int = 10
    ) -> CommandHandler {
        CommandHandler(
            .init(argv: argv, environment: environment),
            environment: [
                "PATH": "/usr/bin:/bin", "HOME": "/nowhere", "TASK_SECRET_A": "whsec_", "LANG": "C",
            ],
            program: program,
            grace: grace
        )
    }

    private func shell(
        _ script: String,
        _ context: RunContext = RunContext(),
        payload: String = "null"
    ) async -> RunEnd {
        await blocking {
            handler(["/bin/sh", "-c", script]).run(Bench.task(payload: payload), in: context)
        }
    }

    private static func isAlive(_ process: pid_t) -> Bool {
        // One that has ended and is not reaped is a zombie.
        let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return stat.map { !$0.contains(") Z ") && !$0.contains(") X ") } ?? false
    }

    // MARK: How it ends

    @Test(arguments: [
        ("", "completed without a result"), (#"echo '{"result":[1.50]}'"#, "completed [1.50]"),
        (#"printf '{"result":null}'"#, "completed null"),
        (#"echo '{"progress":1}'; echo '{"result":2}'"#, "completed 2"),
        (#"echo '{"result":1}'; exit 1"#, "failed COMMAND_EXIT_1, again"),
        ("exit 255", "failed COMMAND_EXIT_255, again"),
        ("exec /no/such/program", "failed COMMAND_EXIT_127, again"),
        ("kill -9 $$", "failed COMMAND_SIGNAL_9, again"),
        ("kill -15 $$", "failed COMMAND_SIGNAL_15, again"),
        ("kill -11 $$", "failed COMMAND_SIGNAL_11, again"),
        (#"echo '{"error":{"code":"E_1","message":"m","retry":false}}'"#, "failed E_1, for good"),
        (#"echo '{"error":{"code":"E_1"}}'; exit 3"#, "failed E_1, again"),
        ("echo done", "failed OUTPUT_REFUSED, for good"),
        ("echo done; exec sleep 600", "failed OUTPUT_REFUSED, for good"),
        ("exec tr '\\0' x </dev/zero", "failed OUTPUT_REFUSED, for good"),
    ])
    func anEndIsWhatTheCommandSays(script: String, expected: String) async {
        #expect(await shell(script).told == expected)
    }

    @Test func aProgramThatIsNotThereIsNamed() async {
        let end = await blocking {
            handler(["/no/such/program"]).run(Bench.task(), in: RunContext())
        }
        #expect(end.told == "failed COMMAND_EXIT_127, again")
        #expect(end.message == "the command is not there, or ended with status 127")
    }

    @Test func aWorkerThatCannotStartItSaysSo() async {
        let end = await blocking {
            CommandHandler(.init(argv: ["/bin/true"]), environment: [:], program: "/no/such")
                .run(Bench.task(), in: RunContext())
        }
        #expect(end.told == "failed COMMAND_NOT_STARTED, again")
        #expect(end.message == "the command was not started: No such file or directory")
    }

    @Test func anErrorsTextIsTheCommandsOwn() async {
        let end = await shell(#"echo '{"error":{"code":"E","message":"no room"}}'"#)
        #expect(end.message == "no room")
    }

    /// Fault: standard error, which may hold a payload, gets into an error; or fills its pipe.
    @Test func standardErrorIsCountedAndDropped() async {
        let end = await shell("head -c 1000000 /dev/zero | tr '\\0' s >&2; exit 4")
        #expect(
            end.message
                == "the command ended with status 4; 1000000 bytes of standard error were dropped"
        )
    }

    // MARK: What it has

    @Test(arguments: [2, 300_000]) func aPayloadIsItsStandardInput(length: Int) async {
        let payload = "\"\(String(repeating: "x", count: length - 2))\""
        let script = #"printf '{"result":%s}' "$(wc -c)""#
        #expect(await shell(script, payload: payload).told == "completed \(length)")
        #expect(await shell("exit 0", payload: payload).told == "completed without a result")
    }

    @Test func progressIsReportedWhileItRuns() async throws {
        try await blocking {
            let folder = try Folder()
            let context = RunContext()
            startThread(name: "look", stackBytes: 512 << 10) { [path = folder.path] in
                var progress: RunContext.Progress?
                Bench.eventually {
                    progress = progress ?? context.takeProgress()
                    return progress != nil
                }
                #expect(progress == .init(percent: 40, note: "half"))
                _ = FileManager.default.createFile(atPath: "\(path)/seen", contents: nil)
            }
            let script = """
                echo '{"progress":40,"note":"half"}'
                while [ ! -e \(folder.path)/seen ]; do sleep 0.01; done
                """
            let end = handler(["/bin/sh", "-c", script]).run(Bench.task(), in: context)
            #expect(end.told == "completed without a result")
        }
    }

    /// Fault: the worker's secrets are in every command's environment.
    @Test func theEnvironmentHoldsNoSecret() async throws {
        let end = await blocking {
            handler(
                ["/usr/bin/env", "python3", "-c", Self.environmentAsJSON],
                environment: ["OWN": "1", "LANG": "C.UTF-8"]
            ).run(Bench.task(), in: RunContext())
        }
        let result = try #require(end.told.firstMatch(of: /completed (.*)/)?.1)
        let variables = try JSONDecoder()
            .decode([String: String].self, from: Data(result.utf8))
        #expect(
            variables.filter { $0.key != "LC_CTYPE" } == [
                "PATH": "/usr/bin:/bin", "HOME": "/nowhere", "LANG": "C.UTF-8", "OWN": "1",
                "AMITY_TASK_ID": "00000000-0000-7000-8000-000000000000",
                "AMITY_TASK_TYPE": "resize", "AMITY_TASK_RUN": "3", "AMITY_TASK_ATTEMPT": "2",
            ]
        )
    }

    private static let environmentAsJSON =
        "import json, os; print(json.dumps({'result': dict(os.environ)}))"

    /// Fault: a command holds the worker's connections, or ignores signals that it was to get.
    @Test func descriptorsAndSignalsAreAsAfterALogin() async throws {
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let script = """
            import json, os
            status = dict(line.split(':\\t', 1) for line in open('/proc/self/status'))
            signals = [int(status[name], 16) & 0x7fffffff for name in ('SigBlk', 'SigIgn')]
            group = os.getpgid(0) == os.getpid() != os.getppid()
            print(json.dumps({'result': [len(os.listdir('/proc/self/fd')), signals, group]}))
            """
        let end = await blocking {
            handler(["/usr/bin/env", "python3", "-c", script]).run(Bench.task(), in: RunContext())
        }
        // Three and that of the folder. Python itself ignores SIGPIPE and SIGXFSZ; the C library's
        // own signals, from 32 on, do not count.
        #expect(end.told == "completed [4, [0, 16781312], true]")
    }

    // MARK: Stop

    /// Runs a command that leaves a process behind and then waits, and stops it.
    private func stopped(
        for reason: RunContext.StopReason,
        grace: Int = 10,
        then second: RunContext.StopReason? = nil
    ) async throws -> (end: RunEnd, time: Duration) {
        try await blocking {
            let folder = try Folder()
            let (context, began) = (RunContext(), ContinuousClock.now)
            let script = "trap '' TERM; python3 \(try Bench.script("leave")) \(folder.path) wait"
            startThread(name: "stop", stackBytes: 512 << 10) { [path = folder.path] in
                Bench.eventually { FileManager.default.fileExists(atPath: "\(path)/command") }
                context.stop(for: reason)
                if let second { context.stop(for: second) }
            }
            let end = handler(["/bin/sh", "-c", script], grace: grace)
                .run(Bench.task(), in: context)
            let time = began.duration(to: .now)
            for name in ["command", "left"] {
                let process = try #require(folder.process(name))
                #expect(!Self.isAlive(process), "\(name)")
            }
            return (end, time)
        }
    }

    @Test(arguments: [RunContext.StopReason.drained, .fenced])
    func aRunThatIsNotItsWorkersAnyMoreIsKilledAtOnce(reason: RunContext.StopReason) async throws {
        let (end, time) = try await stopped(for: reason, grace: 600)
        #expect(end.told == "stopped" && time < .seconds(60))
    }

    @Test(arguments: [RunContext.StopReason.cancelled, .timedOut])
    func whatDoesNotEndIsKilledAfterAWhile(reason: RunContext.StopReason) async throws {
        let (end, time) = try await stopped(for: reason, grace: 2)
        #expect(end.told == "stopped" && time > .seconds(2))
    }

    /// Fault: a run that was cancelled and then lost goes on until its grace is over.
    @Test func whatIsFencedOffAfterACancelIsKilledAtOnce() async throws {
        let (end, time) = try await stopped(for: .cancelled, grace: 600, then: .fenced)
        #expect(end.told == "stopped" && time < .seconds(60))
    }

    @Test func aCancelledCommandMayTidyUp() async throws {
        try await blocking {
            let folder = try Folder()
            let context = RunContext()
            let script = """
                cd \(folder.path)
                trap 'touch tidied; exit 0' TERM
                touch ready
                while :; do sleep 0.01; done
                """
            startThread(name: "stop", stackBytes: 512 << 10) { [path = folder.path] in
                Bench.eventually { FileManager.default.fileExists(atPath: "\(path)/ready") }
                context.stop(for: .cancelled)
            }
            let end = handler(["/bin/sh", "-c", script], grace: 600)
                .run(Bench.task(), in: context)
            #expect(end.told == "stopped")
            #expect(FileManager.default.fileExists(atPath: "\(folder.path)/tidied"))
        }
    }

    @Test func aRunThatIsStoppedBeforeItBeginsEnds() async {
        let context = RunContext()
        context.stop(for: .drained)
        #expect(await shell("sleep 600", context).told == "stopped")
    }

    // MARK: What it leaves behind

    @Test func nothingOutlivesItsCommand() async throws {
        try await blocking {
            let folder = try Folder()
            let end = handler(["/usr/bin/env", "python3", try Bench.script("leave"), folder.path])
                .run(Bench.task(), in: RunContext())
            #expect(end.told == #"completed "left""#)
            #expect(!Self.isAlive(try #require(folder.process("left"))))
        }
    }

    /// Starts `worker.py` with a command that leaves a process behind, kills one of them, and says
    /// which processes are to end.
    private func kill(_ victim: String, survivors: Set<String>) async throws {
        try await blocking {
            let folder = try Folder()
            let worker = Process()
            worker.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            worker.arguments =
                ["python3", try Bench.script("worker"), Bench.amity.path, folder.path]
                + ["/usr/bin/env", "python3", try Bench.script("leave"), folder.path, "wait"]
            worker.standardOutput = FileHandle.nullDevice
            try worker.run()
            defer {
                worker.terminate()
                // Foundation keeps a process until its end was seen.
                worker.waitUntilExit()
            }
            Bench.eventually { folder.process("command") != nil }
            var processes = ["worker": worker.processIdentifier]
            for name in ["runner", "command", "left"] {
                processes[name] = folder.process(name)
            }
            try #require(processes.count == 4)
            for (name, process) in processes { #expect(Self.isAlive(process), "\(name)") }
            Glibc.kill(try #require(processes[victim]), SIGKILL)
            for (name, process) in processes where !survivors.contains(name) {
                Bench.eventually { !Self.isAlive(process) }
            }
            for name in survivors { Glibc.kill(try #require(processes[name]), SIGKILL) }
        }
    }

    @Test func nothingOutlivesItsWorker() async throws {
        try await kill("worker", survivors: [])
    }

    /// Only the command itself can be bound to it by the kernel.
    @Test func aCommandDoesNotOutliveWhatRunsIt() async throws {
        try await kill("runner", survivors: ["worker", "left"])
    }

    /// Fault: the end of a command is told to a thread that does not wait for it, where the main
    /// function of a worker of one's own is asynchronous. The task hangs until its time is over.
    @Test func aWorkerOfOnesOwnSeesTheEndOfItsCommands() async throws {
        let own = Bench.amity.deletingLastPathComponent().appending(path: "thumbnail").path
        for number in 0..<20 {
            let end = await blocking {
                handler(["/bin/sh", "-c", "echo '{\"result\": \(number)}'"], program: own)
                    .run(Bench.task(payload: "null"), in: RunContext())
            }
            #expect(end.told == "completed \(number)")
        }
    }

    @Test(arguments: [[], ["10"], ["x", "/bin/true"], ["10", "/bin/true"]])
    func itIsForWorkersOnly(arguments: [String]) async throws {
        try await blocking {
            let process = Process()
            process.executableURL = Bench.amity
            process.arguments = ["run-command"] + arguments
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 64)
        }
    }
}
