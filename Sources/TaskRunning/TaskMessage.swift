import Foundation
import Tasks

/// What the message of a task says: which row is ready, and which run of it.
struct TaskMessage: Sendable, Hashable {
    var id: TaskID
    var run: Int

    private struct Body: Decodable {
        var task_id: String
        var run: Int
    }

    /// - Returns: nil for what is no such message.
    init?(_ body: [UInt8]) {
        let parsed: Body
        do {
            parsed = try JSONDecoder().decode(Body.self, from: Data(body))
        } catch { return nil }
        guard let id = TaskID(parsed.task_id), parsed.run >= 1 else { return nil }
        (self.id, run) = (id, parsed.run)
    }

    init(id: TaskID, run: Int) {
        self.id = id
        self.run = run
    }
}
