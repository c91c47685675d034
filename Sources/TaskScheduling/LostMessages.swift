import Tasks

/// Finds tasks whose messages are not on the broker any more, by counting: tasks at rest of a queue
/// against its messages. Pure.
///
/// What is missing in two looks in a row is lost; in one it may be on its way. Counted too high, a
/// task is published again whose message is there: harmless.
struct LostMessages: Sendable {
    /// What a look has found.
    struct Look: Sendable {
        /// Tasks at rest, before and after the messages were counted: what came or went meanwhile
        /// is in one of them only.
        var before: [TaskQueue: Int]
        var after: [TaskQueue: Int]
        /// Messages that wait.
        var ready: [TaskQueue: Int]
        /// Deliveries that workers hold and have not claimed, by the queue's name.
        var unclaimed: [String: Int]

        fileprivate var missing: [TaskQueue: Int] {
            before.reduce(into: [:]) { missing, entry in
                let (queue, count) = entry
                guard let ready = ready[queue] else { return }
                let there = ready + unclaimed[queue.name, default: 0]
                let lost = min(count, after[queue, default: 0]) - there
                if lost > 0 { missing[queue] = lost }
            }
        }
    }

    private var missing: [TaskQueue: Int] = [:]

    /// - Returns: how many messages each queue has lost.
    mutating func take(_ look: Look) -> [TaskQueue: Int] {
        let before = missing
        missing = look.missing
        return missing.reduce(into: [:]) { lost, entry in
            if let count = before[entry.key] { lost[entry.key] = min(count, entry.value) }
        }
    }

    /// The next look is the first of two.
    mutating func forget() { missing = [:] }
}
