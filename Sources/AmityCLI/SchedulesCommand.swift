import ArgumentParser
import Foundation
import HTTPServing
import SafeText
import Schedules
import TaskAPI
import TaskTypes
import Tasks

struct SchedulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules",
        abstract: "Define tasks that are made again and again, list, pause and run them.",
        discussion: """
            Reads and writes rows of the database: an API, or a worker with TASK_QUEUES, makes \
            the tasks when their times come.
            """,
        subcommands: [
            List.self, Show.self, Next.self, Apply.self, Pause.self, Resume.self, Run.self,
            Delete.self,
        ]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List schedules, by name.")

        @Option(help: "Only schedules of this kb.")
        var kb: String?

        @Option(help: "Only schedules behind this name: the last of the list before.")
        var after: String?

        @Option(help: "Most schedules to list, from 1 to 10000.")
        var limit = 1000

        @Flag(help: "One JSON object a line instead of a table.")
        var json = false

        func validate() throws {
            if !(1...10_000).contains(limit) {
                throw ValidationError("--limit takes 1 to 10000")
            }
        }

        func run() async throws {
            let store = try scheduleStore()
            let found = try await reportingFailure {
                // One more tells whether there are more.
                try store.list(kbID: kb, after: after, limit: limit + 1)
            }
            let schedules = found.prefix(limit)
            if json {
                for schedule in schedules { print(ShownSchedule(schedule).json) }
            } else {
                let rows = schedules.map { ShownSchedule($0).cells }
                for line in TextTable.lines([ShownSchedule.head] + rows) { print(line) }
            }
            if found.count > limit, let last = schedules.last {
                complain("there are more: --after \(last.definition.name)")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one schedule, with its next times."
        )

        @Argument(help: "The schedule's name.")
        var name: String

        @Flag(help: "One JSON object instead of lines.")
        var json = false

        @Flag(help: "Also the payload of its tasks, which may be users' data.")
        var payload = false

        func run() async throws {
            let store = try scheduleStore()
            let schedule = try await one(name) { try store.get(name) }
            let shown = ShownSchedule(schedule, withPayload: payload)
            if json { return print(shown.json) }
            for line in shown.lines { print(line) }
        }
    }

    struct Next: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the next five times of a schedule, or of an expression.",
            discussion: "With --cron nothing is asked of the database."
        )

        @Argument(help: "The schedule's name.")
        var name: String?

        @Option(help: "An expression to try, e.g. '30 2 * * mon-fri'.")
        var cron: String?

        @Option(help: "The time zone of --cron, e.g. Europe/Berlin.")
        var timeZone = "UTC"

        func validate() throws {
            if (name == nil) == (cron == nil) {
                throw ValidationError("name a schedule, or give --cron")
            }
        }

        func run() async throws {
            let (times, zone) = try await times()
            for line in ShownSchedule.lines(times, in: zone) { print(line) }
        }

        /// With the zone's name.
        private func times() async throws -> ([Date], String) {
            if let name {
                let store = try scheduleStore()
                let schedule = try await one(name) { try store.get(name) }
                if schedule.isPaused { complain("it is paused") }
                return (
                    schedule.nextTimes(ShownSchedule.timesAhead), schedule.definition.timeZone
                )
            }
            var definition = ScheduleDefinition(name: "", cron: cron ?? "", type: "")
            definition.timeZone = timeZone
            do throws(ScheduleDefinition.Unusable) {
                let recurrence = try definition.recurrence()
                return (recurrence.times(after: .now, ShownSchedule.timesAhead), timeZone)
            } catch {
                complain("\(error)")
                throw ExitCode.failure
            }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make or replace the schedules that a file has; others stay as they are.",
            discussion: """
                All or none. One whose times stay as they were keeps its next time, and one that \
                is paused stays so.
                """
        )

        @Argument(
            help: "A JSON file: {\"schedules\": [{\"name\": …, \"cron\": …, \"task_type\": …}]}.",
            completion: .file()
        )
        var file: String

        func run() async throws {
            let json: Data
            do {
                json = try Data(contentsOf: URL(fileURLWithPath: file))
            } catch {
                complain("\(file) cannot be read")
                throw ExitCode.failure
            }
            let sessions = try start().session(named: "amity schedules")
            let types = try await reportingFailure {
                TaskType.all(applying: try TaskStore(sessions: sessions).types())
            }
            let known = Dictionary(uniqueKeysWithValues: types.map { ($0.name, $0) })
            let definitions: [ScheduleDefinition]
            do throws(Problem) {
                definitions = try ScheduleBody.file(Array(json), types: known)
            } catch {
                if error.defects.isEmpty { complain("the file is no JSON") }
                for defect in error.defects { complain("\(defect.pointer): \(defect.detail)") }
                throw ExitCode.failure
            }
            let store = ScheduleStore(sessions: sessions)
            _ = try await reportingFailure { try store.apply(definitions) }
            let count = definitions.count
            print("\(count) \(count == 1 ? "schedule is" : "schedules are") applied")
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a schedule make no tasks until it is resumed."
        )

        @Argument(help: "The schedule's name.")
        var name: String

        func run() async throws {
            let store = try scheduleStore()
            let paused = try await one(name) { try store.pause(name) }
            let since = paused.pausedAt.map { $0.ISO8601Format() } ?? "-"
            print("\(name) is paused by \(paused.pausedBy ?? "-") since \(since)")
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a paused schedule go on; what it has missed does not come."
        )

        @Argument(help: "The schedule's name.")
        var name: String

        func run() async throws {
            let store = try scheduleStore()
            let resumed = try await one(name) { try store.resume(name) }
            let next = resumed.nextTimes(1).first.map { $0.text(in: resumed.zone) } ?? "-"
            print("\(name) is next due at \(next)")
        }
    }

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a schedule's task now, and print its id; its times stay as they are."
        )

        @Argument(help: "The schedule's name.")
        var name: String

        func run() async throws {
            let sessions = try start().session(named: "amity schedules")
            let (schedules, tasks) = (
                ScheduleStore(sessions: sessions), TaskStore(sessions: sessions)
            )
            let definition = try await one(name) { try schedules.get(name) }.definition
            try await reportingFailure {
                let types = TaskType.all(applying: try tasks.types())
                guard let type = types.first(where: { $0.name == definition.type }) else {
                    complain("its type \(definition.type) is unknown")
                    throw ExitCode.failure
                }
                let request = SubmitRequest([definition.task(type, at: nil)])
                guard case .accepted(let made, _) = try tasks.submit([request])[0].get() else {
                    preconditionFailure("a request without a key meets no other")
                }
                for task in made.tasks {
                    print(task.id)
                    if task.isDuplicate { complain("it lives already: its unique key is the same") }
                }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a schedule; the tasks that it has made live on."
        )

        @Argument(help: "The schedule's name.")
        var name: String

        func run() async throws {
            let store = try scheduleStore()
            _ = try await one(name) { try store.delete(name) }
            print("\(name) is deleted")
        }
    }
}

/// With one session.
private func scheduleStore() throws -> ScheduleStore {
    ScheduleStore(sessions: try start().session(named: "amity schedules"))
}

/// - Throws: an exit code where there is none of that name.
private func one(_ name: String, _ read: () throws -> Schedule?) async throws -> Schedule {
    let found = try await reportingFailure { try read() }
    if let found { return found }
    complain("no schedule \(name)")
    throw ExitCode.failure
}
