import Postgres
import Schedules
import TaskTypes

/// A row of the table of schedules.
struct ScheduleSnapshot: Sendable {
    var name: String
    var cron: String
    var timeZone: String
    var type: String
    var isPaused = false
    /// Seconds since its next tick was due; negative before; nil where there is none.
    var late: Double?

    static let sql = """
        SELECT name, cron, time_zone, type, paused_at IS NOT NULL,
            extract(epoch FROM clock_timestamp() - next_at)::float8
        FROM amity_schedules ORDER BY name LIMIT 1000
        """
}

extension ScheduleSnapshot {
    init(_ row: inout RowReader) throws(PostgresError) {
        self.init(
            name: try row.text() ?? "",
            cron: try row.text() ?? "",
            timeZone: try row.text() ?? "",
            type: try row.text() ?? "",
            isPaused: try row.bool() ?? false,
            late: try row.double()
        )
    }

    /// Why nothing can be made of its times.
    var defect: String? {
        var definition = ScheduleDefinition(name: name, cron: cron, type: type)
        definition.timeZone = timeZone
        do throws(ScheduleDefinition.Unusable) {
            _ = try definition.recurrence()
            return nil
        } catch {
            return "\(error)"
        }
    }
}

/// Schedules that make no tasks, or tasks that no worker runs.
struct SchedulesCheck: Check {
    let name = "schedules"

    /// Chosen, in seconds: the one that leads looks five times a second.
    private static let late = 120.0

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tasks = seen.database.session?.tasks else { return [] }
        let active = tasks.schedules.filter { !$0.isPaused }
        var findings: [Finding] = active.compactMap { schedule in
            schedule.defect.map { defect in
                .error(
                    """
                    the schedule \(schedule.name) makes no tasks: \(defect); apply it again, with \
                    amity schedules apply
                    """,
                    by: .database
                )
            }
        }
        let usable = active.filter { $0.defect == nil }
        // Without a leader that is said of all tasks.
        let late = tasks.hasLeader ? usable.filter { ($0.late ?? 0) > Self.late } : []
        if let worst = late.max(by: { ($0.late ?? 0) < ($1.late ?? 0) }) {
            findings.append(
                .warning(
                    """
                    \(Self.names(late)) should have made a task, the latest \
                    \(Int(worst.late ?? 0)) s ago, although a scheduler leads: amity schedules \
                    show NAME says what was met, and the log of the process that leads
                    """,
                    by: .database
                )
            )
        }
        let unknown = usable.filter { Self.kind($0.type, tasks) == nil }
        if !unknown.isEmpty {
            findings.append(
                .warning(
                    """
                    the types of \(Self.names(unknown)) are not known: amity types apply
                    """,
                    by: .database
                )
            )
        }
        let idle = usable.filter { schedule in
            Self.kind(schedule.type, tasks).map { kind in
                !tasks.workers.values.contains { $0.runs(kind) }
            } ?? false
        }
        if !idle.isEmpty {
            findings.append(
                .warning(
                    """
                    no living worker runs the tasks of \(Self.names(idle)): start one that takes \
                    the pool of their types and has code or a command for them
                    """,
                    by: .database
                )
            )
        }
        if !findings.isEmpty { return findings }
        let paused = tasks.schedules.count - active.count
        let rest = paused == 0 ? "" : ", \(paused) paused"
        return [.ok("\(active.count) make their tasks\(rest)", by: .database)]
    }

    private static func kind(_ type: String, _ tasks: TaskSnapshot) -> TaskSnapshot.Kind? {
        tasks.types.first { $0.name == type }
            ?? TaskType.builtIn.first { $0.name == type }.map {
                .init(name: $0.name, pool: $0.pool, isService: false)
            }
    }

    private static func names(_ schedules: [ScheduleSnapshot]) -> String {
        let shown = schedules.prefix(5).map(\.name).joined(separator: ", ")
        let more = schedules.count > 5 ? " and \(schedules.count - 5) more" : ""
        return (schedules.count == 1 ? "the schedule " : "the schedules ") + shown + more
    }
}
