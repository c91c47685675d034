import Concurrency
import Failpoints
import Foundation
import Tasks

/// Answers its payload: for a first try.
package struct EchoHandler: RunHandler {
    package let needsToken = false

    package init() {}

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        .completed(result: task.payload)
    }
}

/// Does nothing, or sleeps for as long as its payload says, `{"sleep_ms": 20}`: what is left is
/// Amity's own work.
package struct BenchmarkHandler: RunHandler {
    package let needsToken = false

    private struct Payload: Decodable {
        var sleep_ms: Int?
    }

    package init() {}

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        Failpoint.benchmarkBegun.hit()
        if task.payload == "{}" { return .completed(result: nil) }
        guard let milliseconds = Self.milliseconds(task.payload) else {
            return .failed(
                code: TaskErrorCode.invalidPayload.rawValue,
                message: "is no object, or its sleep_ms is no whole number from 0 to 60000",
                retries: false
            )
        }
        let stop = MonotonicSemaphore(value: 0)
        context.onStop { _ in stop.signal() }
        return stop.wait(atMost: .milliseconds(milliseconds))
            ? .stopped : .completed(result: nil)
    }

    /// - Returns: nil for what is no such payload.
    private static func milliseconds(_ payload: String) -> Int? {
        do {
            let read = try JSONDecoder().decode(Payload?.self, from: Data(payload.utf8))
            let milliseconds = read?.sleep_ms ?? 0
            return (0...60_000).contains(milliseconds) ? milliseconds : nil
        } catch { return nil }
    }
}

extension HandlerSet {
    /// What every worker can run.
    package static let builtIn = HandlerSet(
        swift: ["test": EchoHandler(), "benchmark": BenchmarkHandler()]
    )
}
