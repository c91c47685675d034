import Foundation
import JSON
import SafeText
import Tasks

/// A task as operators see it: what is users' data only where it was asked for.
struct ShownTask: Encodable {
    struct Failure: Codable {
        var run: Int
        var code: String
        var at: String
        var message: String?
    }

    struct Need: Encodable {
        var taskId: String
        /// nil: it is gone.
        var state: String?
        /// Whether it is enough that it ends.
        var mayFail: Bool
    }

    private var taskId: String
    private var type: String
    private var kbId: String?
    private var batchId: String?
    private var pool: String
    private var priority: String
    private var state: String
    private var isCancelAsked: Bool
    private var run: Int
    private var attempt: Int
    private var maxAttempts: Int
    private var crashes: Int
    private var progress: Int?
    private var createdAt: Date
    private var dueAt: Date?
    private var deadline: Date?
    private var startedAt: Date?
    private var finishedAt: Date?
    private var errorCode: String?
    /// nil in a list.
    private var timeoutSeconds: Int?
    private var errors: [Failure]?
    private var needs: [Need]?

    /// JSON as the database has it, by name.
    private var userData: [(name: String, json: String)] = []

    private enum CodingKeys: CodingKey {
        case taskId, type, kbId, batchId, pool, priority, state, isCancelAsked, run, attempt
        case maxAttempts, crashes, progress, createdAt, dueAt, deadline, startedAt, finishedAt
        case errorCode, timeoutSeconds, errors, needs
    }

    init(_ view: TaskView) {
        (taskId, type, pool) = (view.id.text, view.type, view.pool)
        (kbId, batchId) = (view.kbID, view.batchID?.text)
        (priority, state) = (view.priority.name, view.state.name)
        (isCancelAsked, run, crashes) = (view.isCancelAsked, view.run, view.crashes)
        (attempt, maxAttempts) = (view.attempt, view.maxAttempts)
        (progress, errorCode) = (view.percent, view.errorCode)
        (createdAt, dueAt, deadline) = (view.createdAt, view.dueAt, view.deadline)
        (startedAt, finishedAt) = (view.startedAt, view.finishedAt)
    }

    init(_ task: TaskDetail, needs: [TaskNeed], withPayload: Bool) {
        self.init(task.view)
        self.needs = needs.map {
            Need(taskId: $0.id.text, state: $0.state?.name, mayFail: !$0.mustSucceed)
        }
        timeoutSeconds = task.timeout
        errors = Self.failures(task.errors).map { failure in
            var failure = failure
            if !withPayload { failure.message = nil }
            return failure
        }
        if !withPayload { return }
        let all = [
            ("payload", task.payload), ("result", task.result), ("tags", task.tags),
            ("note", task.note.map(JSONEncoder.stored.certainText)),
        ]
        userData = all.compactMap { name, json in json.map { (name, $0) } }
    }

    private static func failures(_ json: String?) -> [Failure] {
        guard let json else { return [] }
        do {
            return try JSONDecoder().decode([Failure].self, from: Data(json.utf8))
        } catch {
            // Stored by another version.
            return []
        }
    }

    /// On one line, safe to show.
    var json: String {
        let known = JSONEncoder.api.certainText(self)
        let more = userData.map { ",\"\($0.name)\":\($0.json)" }.joined()
        return "\(known.dropLast())\(more)}".printableJSON
    }

    // MARK: Text

    static let head = [
        "id", "state", "type", "kb", "queue", "attempt", "progress", "created", "code",
    ]

    private var shownState: String {
        TaskState(name: state)?.status(isCancelAsked: isCancelAsked) ?? state
    }

    var cells: [String] {
        [
            taskId, shownState, type, kbId ?? "-", "\(pool).\(priority)",
            "\(attempt)/\(maxAttempts)", progress.map { "\($0)%" } ?? "-",
            createdAt.ISO8601Format(), errorCode ?? "-",
        ]
    }

    /// One fact a line, then its failures, then what is users' data.
    var lines: [String] {
        func time(_ name: String, _ date: Date?) -> [String]? {
            date.map { [name, $0.ISO8601Format()] }
        }
        let facts: [[String]?] = [
            ["id", taskId], ["type", type], ["state", shownState],
            ["queue", "\(pool).\(priority)"],
            kbId.map { ["kb", $0] }, batchId.map { ["batch", $0] },
            ["run", "\(run)"], ["attempt", "\(attempt) of \(maxAttempts)"],
            crashes > 0 ? ["crashes", "\(crashes)"] : nil,
            progress.map { ["progress", "\($0)%"] },
            timeoutSeconds.map { ["timeout", "\($0) s"] },
            time("created", createdAt), time("due", dueAt), time("deadline", deadline),
            time("started", startedAt), time("finished", finishedAt),
        ]
        let failures = (errors ?? []).map { failure in
            ["failure", "run \(failure.run)", failure.at, failure.code, failure.message ?? ""]
        }
        let needed = (needs ?? []).map { need in
            ["needs", need.taskId, need.state ?? "gone", need.mayFail ? "may fail" : ""]
        }
        return TextTable.lines(facts.compactMap(\.self)) + TextTable.lines(needed)
            + TextTable.lines(failures)
            + userData.map { "\($0.name)  \($0.json.printableJSON)" }
    }
}
