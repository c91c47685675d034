import Foundation
import Testing

@testable import Tasks

/// Tasks of the type `held`, which a command runs in processes of its own: the first run of each
/// lasts until the test lets it end, any other one ends at once. Its result names the run.
final class HeldTaskScene {
    let tasks: TaskWorkerScene
    private let folder: TemporaryFolder

    /// Writes down that it has begun. What it leaves in a session of its own has to end with it.
    private static let script = """
        echo "$AMITY_TASK_RUN" >>"$RUNS/$AMITY_TASK_ID.runs"
        if [ "$AMITY_TASK_RUN" = 1 ]; then
            setsid sleep 600 &
            until [ -e "$RUNS/$AMITY_TASK_ID.end" ]; do sleep 0.05; done
        fi
        echo "{\\"result\\": $AMITY_TASK_RUN}"
        """

    init() throws {
        tasks = try TaskWorkerScene()
        folder = try TemporaryFolder()
        try folder.write("command.sh", Self.script)
        try folder.write(
            "commands.json",
            """
            {"commands": [{"type": "held", "argv": ["/bin/sh", "\(folder.path)/command.sh"],
                           "environment": {"RUNS": "\(folder.path)"}}]}
            """
        )
        try folder.write(
            "types.json",
            """
            {"types": [{"type": "held", "pool": "\(tasks.pool)",
                        "handler": {"kind": "command"}}]}
            """
        )
        let scene = tasks.tasks.scene
        let done = try scene.amity(
            ["types", "apply", "\(folder.path)/types.json"],
            scene.asOwner()
        )
        try #require(done.status == 0, "\(done.error)")
    }

    /// Starts a worker in a process of its own, and waits until it consumes.
    ///
    /// - Parameters:
    ///   - extra: settings of its own.
    ///   - proxy: stands between it and the server whose port it has.
    func startWorker(
        _ pools: [String],
        _ extra: [String: String] = [:],
        through proxy: Proxy? = nil
    ) throws -> RunningWorker {
        let scene = tasks.tasks.scene
        let settings = [
            "TASK_QUEUES": pools.joined(separator: ","),
            "TASK_COMMANDS": "\(folder.path)/commands.json",
        ].merging(extra) { _, new in new }
        let worker =
            try proxy.map { try scene.startWorker(settings, through: $0) }
            ?? scene.startWorker(settings)
        try eventually("it consumes") { !worker.events("task-consumer.started").isEmpty }
        return worker
    }

    func submit(_ pool: String? = nil) throws -> TaskID {
        try tasks.submit(type: "held") { if let pool { $0.pool = pool } }[0]
    }

    /// Waits until the command of its first run has begun.
    func waitUntilHeld(_ id: TaskID) throws {
        try eventually("it is held") { runs(of: id) == [1] }
    }

    func letEnd(_ id: TaskID) throws { try folder.write("\(id).end", "") }

    /// Of which a command has begun, in order.
    func runs(of id: TaskID) -> [Int] {
        let file = FileManager.default.contents(atPath: "\(folder.path)/\(id).runs") ?? Data()
        return String(decoding: file, as: UTF8.self).split(separator: "\n").compactMap { Int($0) }
    }

    /// Processes of a run that live.
    func processes(of id: TaskID, run: Int = 1) -> Int {
        Processes.count(having: ["AMITY_TASK_ID=\(id)", "AMITY_TASK_RUN=\(run)"])
    }

    /// Looks for a task that is not completed, by that run, or was charged for the others.
    ///
    /// - Parameter crashes: 1 where it is a suspect, which costs it nothing.
    func expectCompleted(
        _ id: TaskID,
        by run: Int,
        crashes: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let detail = try #require(try tasks.store.get(id), sourceLocation: sourceLocation)
        #expect(detail.view.state == .completed, sourceLocation: sourceLocation)
        #expect(detail.view.run == run, sourceLocation: sourceLocation)
        #expect(detail.result == "\(run)", sourceLocation: sourceLocation)
        #expect(detail.view.attempts == 0, sourceLocation: sourceLocation)
        #expect(detail.view.crashes == crashes, sourceLocation: sourceLocation)
    }

    /// Ends workers as a deploy does.
    func stop(_ workers: RunningWorker...) throws {
        for worker in workers { worker.signal(SIGTERM) }
        for worker in workers { #expect(try worker.waitForExit() == 0) }
    }
}
