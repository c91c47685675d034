import Foundation
import HTTPServing
import Hummingbird
import JSON
import NIOCore
import Tasks

/// An object that is put together by hand: results stand in it as they are stored, and what is not
/// known is null.
struct Answer {
    private var members: [String] = []

    init() {}

    mutating func add(_ name: String, json: String?) {
        members.append("\"\(name)\":\(json ?? "null")")
    }

    mutating func add(_ name: String, _ text: String?) {
        add(name, json: text.map(JSONValue.string))
    }

    mutating func add(_ name: String, _ number: Int?) { add(name, json: number.map(String.init)) }

    /// - Parameter number: finite.
    mutating func add(_ name: String, _ number: Double?) {
        add(name, json: number.map { "\($0)" })
    }

    mutating func add(_ name: String, _ time: Date?) { add(name, time.map(TaskTime.text)) }

    mutating func add(_ name: String, _ list: [Answer]) {
        add(name, json: "[\(list.map(\.json).joined(separator: ","))]")
    }

    var json: String { "{\(members.joined(separator: ","))}" }

    func response(_ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: json))
        )
    }
}

extension Answer {
    /// To a batch.
    init(_ made: Submission) {
        add("batch_id", made.batchID?.text)
        add("results", made.tasks.map { Answer($0) })
    }

    init(_ batch: BatchView) {
        add("batch_id", batch.id.text)
        add("kb_id", batch.kbID)
        add("status", batch.status.rawValue)
        add("progress", batch.percent)
        add("total", batch.total)
        var counts = Answer()
        for state in TaskState.allCases { counts.add(state.name, batch.counts[state] ?? 0) }
        add("tasks", json: counts.json)
        add("created_at", batch.createdAt)
        add("open_until", batch.openUntil)
        add("finished_at", batch.finishedAt)
    }

    init(_ task: SubmittedTask) {
        add("task_id", task.id.text)
        add("status", task.status)
        add("created_at", task.createdAt)
        if task.isDuplicate { add("duplicate", json: "true") }
    }

    /// A row of a list.
    init(_ view: TaskView) {
        add("task_id", view.id.text)
        add("task_type", view.type)
        add("kb_id", view.kbID)
        add("batch_id", view.batchID?.text)
        add("status", view.state.status(isCancelAsked: view.isCancelAsked))
        add("priority", view.priority.name)
        add("progress", view.percent)
        add("attempt", view.attempt)
        add("created_at", view.createdAt)
        add("started_at", view.startedAt)
        add("finished_at", view.finishedAt)
        add("error_code", view.errorCode)
    }

    /// - Parameter median: seconds that a run of its type takes; nil where that is not known.
    init(_ task: TaskDetail, median: Double?) {
        let view = task.view
        add("task_id", view.id.text)
        add("status", view.state.status(isCancelAsked: view.isCancelAsked))
        add("progress", view.percent)
        add("started_at", view.startedAt)
        add("estimated_completion", task.estimatedCompletion(median: median))
        add("result", json: task.result)
        add("attempt", view.attempt)
        add("priority", view.priority.name)
        add("error", json: task.lastError)
        add("next_run_at", view.state == .scheduled ? view.dueAt : nil)
    }

    /// What became of a wish to move a task.
    init(_ moved: MovedTask) {
        add("task_id", moved.id.text)
        add("status", moved.state.name)
        add("priority", moved.priority.name)
    }
}

extension TaskDetail {
    /// By progress, else by the time that other runs took; nil where neither says anything.
    func estimatedCompletion(median: Double?) -> Date? {
        guard view.state == .processing, let start = view.startedAt else { return nil }
        let elapsed = readAt.timeIntervalSince(start)
        if let percent = view.percent, percent > 0, elapsed > 0 {
            return start + elapsed * 100 / Double(percent)
        }
        guard let median, median > elapsed else { return nil }
        return start + median
    }

    private struct Failure: Codable {
        var code: String
        var message: String
    }

    /// The last failure, for its client; null after a success.
    fileprivate var lastError: String? {
        guard view.state != .completed, let errors else { return nil }
        do {
            let failures = try JSONDecoder().decode([Failure].self, from: Data(errors.utf8))
            return failures.last.map(JSONEncoder.stored.certainText)
        } catch {
            return nil
        }
    }
}
