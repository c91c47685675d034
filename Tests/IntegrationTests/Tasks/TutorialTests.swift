import Foundation
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// A reader pastes what the article about tasks prints.
    struct Tutorials {
        /// Where the programs of this run are.
        private let built = Command.amity.deletingLastPathComponent().path

        /// - Parameters:
        ///   - commands: as printed; what they start in the background is stopped at the end.
        ///   - type: of the tasks of which `count` have to be completed then.
        /// - Returns: what they wrote to standard error: the workers' logs.
        @discardableResult
        private func paste(
            _ commands: [String],
            untilCompleted type: String,
            count: Int = 1,
            in tasks: TaskScene
        ) throws -> String {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            let tasksOfType = "http://localhost:8084/api/v1/tasks?type=\(type)"
            let script =
                ["cd '\(Document.root.path)'", "trap 'kill -9 $(jobs -p)' EXIT"] + commands + [
                    """
                    for try in $(seq 200); do
                        ended=$(curl -s -m 5 '\(tasksOfType)' | grep -o '"completed"' | wc -l)
                        [ "$ended" -ge \(count) ] && exit 0
                        sleep 0.2
                    done
                    exit 1
                    """
                ]
            let owner = try tasks.scene.asOwner()
            let variables = tasks.scene.variables.merging(owner) { _, new in new }.merging([
                "PATH": "\(built):\(path)", "API_PORT": "8084",
            ]) { _, new in new }
            let done = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["bash", "-ec", script.joined(separator: "\n")],
                environment: variables
            )
            #expect(done.status == 0, "\(done.output)\(done.error.suffix(3000))")
            return done.error
        }

        private func result(of type: String, in tasks: TaskScene) throws -> String? {
            try tasks.sql(
                """
                SELECT result::text FROM amity_tasks JOIN amity_task_data USING (id)
                WHERE type = $1 AND state = 5
                """,
                .text(type)
            ).string(0, 0)
        }

        @Test func aServiceInPythonRunsTasksAsPrinted() throws {
            let tasks = try TaskScene()
            let commands = try Document.article("Tasks").commands(under: "A service in Python")
            try #require(commands.count == 8, "\(commands)")
            try paste(commands, untilCompleted: "resize", in: tasks)
            #expect(try result(of: "resize", in: tasks) == #"{"width": 64, "height": 48}"#)
        }

        /// Fault: a reader's first task waits for ever, because no worker takes it.
        @Test func theFirstTaskRunsAsPrinted() throws {
            let tasks = try TaskScene()
            let commands = try Document.article("API").commands(under: "Tasks")
            try paste(commands, untilCompleted: "test", in: tasks)
            #expect(try result(of: "test", in: tasks) == #"{"message": "hello"}"#)
        }

        /// Faults: the example is no package by itself, needs what is not public, or builds only
        /// inside of Amity's; the worker of the article's first part runs on, and the two hand each
        /// other tasks that only one of them can run.
        @Test func aWorkerInSwiftRunsTasksAsPrinted() throws {
            let tasks = try TaskScene()
            let printed = try Document.article("Tasks").commands(under: "A worker in Swift")
            try #require(printed.count == 8, "\(printed)")
            let folder = NSTemporaryDirectory() + "amity-thumbnail-\(UUID().uuidString)"
            defer {
                do {
                    try FileManager.default.removeItem(atPath: folder)
                } catch { Issue.record(error) }
            }
            // Elsewhere, and on what is built of Amity: all of it would take minutes.
            let build = "'\(Servers.root.path)/deploy/dev/build-example'"
            let program = ".build/debug/thumbnail"
            let commands = printed.map { command in
                if command == "swift build" { return "\(build) '\(folder)' --from '\(built)'" }
                return command.replacing(program, with: "'\(folder)/\(program)'")
            }
            let other = [
                "HTTP_PORT=0 TASK_QUEUES=default amity worker &",
                """
                for try in $(seq 300); do
                    [ "$(curl -s http://localhost:8084/api/v1/stats/workers \
                        | grep -o worker_id | wc -l)" = 2 ] && break
                    sleep 0.2
                done
                """,
            ]
            let payload = #"{"task_type":"thumbnail","payload":{"width":640,"height":480}}"#
            let submit =
                """
                for number in $(seq 8); do curl -s -X POST http://localhost:8084/api/v1/tasks \
                    -H "Content-Type: application/json" -d '\(payload)'; done
                """
            let log = try paste(
                commands + other + [submit],
                untilCompleted: "thumbnail",
                count: 9,
                in: tasks
            )
            #expect(!log.contains("task.type-unhandled"), "\(log.suffix(3000))")
            #expect(try result(of: "thumbnail", in: tasks) == #"{"width": 64, "height": 48}"#)
        }
    }
}
