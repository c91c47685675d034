import TestSupport
import Testing

@testable import TaskHandlers
@testable import TaskRunning

@Suite(.timeLimit(.minutes(2))) struct CommandFilterTests {
    private func run(
        _ script: String,
        _ input: String = "",
        limit: Int = 1 << 20,
        in context: RunContext = RunContext()
    ) async throws -> String {
        try await blocking {
            let filter = CommandFilter(["/bin/sh", "-c", script], program: Bench.amity.path)
            let bytes = try filter.run(Array(input.utf8), limit: limit, in: context)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test func bytesGoThrough() async throws {
        #expect(try await run("tr a-z A-Z; echo no >&2", "yes\n") == "YES\n")
        let long = String(repeating: "x", count: 500_000)
        #expect(try await run("cat", long, limit: 500_000) == long)
    }

    @Test(arguments: [
        ("exit 3", CommandFilter.Failure.failed), ("kill -9 $$", .failed),
        ("exec /no/such", .notStarted), ("exec cat /dev/zero", .tooMuch),
    ])
    func anEndIsNamed(script: String, failure: CommandFilter.Failure) async {
        await #expect(throws: failure) { try await run(script) }
    }

    @Test func aStopEndsIt() async {
        let context = RunContext()
        context.stop(for: .cancelled)
        await #expect(throws: CommandFilter.Failure.stopped) {
            try await run("trap '' TERM; sleep 600", in: context)
        }
    }
}
