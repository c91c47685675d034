import Concurrency
import CoreMetrics
import Metering
import Postgres
import Tasks

/// What clients follow live: tasks and batches. One look serves all clients of the process.
///
/// A client that is slow misses what came between: of each only the latest is kept.
final class ProgressStreams: Sendable {
    enum Subject: Hashable, Sendable {
        case task(TaskID)
        case batch(TaskID)
    }

    /// One client's. It is watched as long as this lives.
    final class Subscription: Sendable {
        /// As it is now, and then at each change; the same again at `heartbeat`. Ends with the
        /// last one, or when it is gone.
        let snapshots: AsyncStream<Snapshot>
        private let end: @Sendable () -> Void

        fileprivate init(
            _ snapshots: AsyncStream<Snapshot>,
            end: @escaping @Sendable () -> Void
        ) {
            self.snapshots = snapshots
            self.end = end
        }

        deinit { end() }
    }

    private struct Watcher: Sendable {
        var subject: Subject
        /// Of a client that may see one alone.
        var kbID: String?
        var last: Snapshot
        var toldAt: ContinuousClock.Instant
        var stream: AsyncStream<Snapshot>.Continuation
    }

    private struct State {
        var watchers: [Int: Watcher] = [:]
        var next = 0
        var isLooking = false
    }

    /// Chosen: half of the connections that the API takes.
    private static let most = 500
    /// Between two looks.
    private static let interval = Duration.milliseconds(500)
    /// The longest silence: what is between client and server may cut a connection that is silent.
    static let heartbeat = Duration.seconds(15)

    private let call: StoreCalls
    private let state = Locked(State())
    private let open = Metric.progressStreams.gauge()

    init(call: StoreCalls) { self.call = call }

    /// - Parameters:
    ///   - first: as it was read before.
    ///   - kbID: where given, the stream ends when a batch is no longer of it.
    /// - Returns: nil where too many are watched.
    func watch(
        _ subject: Subject,
        from first: Snapshot,
        of kbID: String? = nil
    ) -> Subscription? {
        let (snapshots, stream) = AsyncStream.makeStream(
            of: Snapshot.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let (number, isFirst) = state.withLock { state -> (Int?, Bool) in
            guard state.watchers.count < Self.most else { return (nil, false) }
            state.next += 1
            state.watchers[state.next] = Watcher(
                subject: subject,
                kbID: kbID,
                last: first,
                toldAt: .now,
                stream: stream
            )
            defer { state.isLooking = true }
            return (state.next, !state.isLooking)
        }
        guard let number else { return nil }
        stream.yield(first)
        if isFirst { Task { await look() } }
        return Subscription(snapshots) { [self] in
            state.withLock { $0.watchers[number] = nil }
            stream.finish()
        }
    }

    /// As long as there are any.
    private func look() async {
        while true {
            do {
                try await Task.sleep(for: Self.interval)
            } catch {
                // Nothing cancels this task: it ends with the last watcher.
            }
            let subjects: Set<Subject>? = state.withLock { state in
                open.record(state.watchers.count)
                if state.watchers.isEmpty {
                    state.isLooking = false
                    return nil
                }
                return Set(state.watchers.values.map(\.subject))
            }
            guard let subjects else { return }
            do {
                tell(try await read(subjects), of: subjects)
            } catch {
                // The call has told of the database; what was last known is told on and on.
                tell(nil, of: subjects)
            }
        }
    }

    private func read(_ subjects: Set<Subject>) async throws -> [Subject: Snapshot] {
        var (tasks, batches): ([TaskID], [TaskID]) = ([], [])
        for subject in subjects {
            switch subject {
            case .task(let id): tasks.append(id)
            case .batch(let id): batches.append(id)
            }
        }
        let found = try await call { [tasks, batches] store throws(PostgresError) in
            try store.progress(ofTasks: tasks, batches: batches)
        }
        var snapshots: [Subject: Snapshot] = [:]
        for task in found.tasks { snapshots[.task(task.id)] = Snapshot(task) }
        for batch in found.batches { snapshots[.batch(batch.id)] = Snapshot(batch) }
        return snapshots
    }

    private func tell(_ snapshots: [Subject: Snapshot]?, of subjects: Set<Subject>) {
        let now = ContinuousClock.now
        state.withLock { state in
            for (number, watcher) in state.watchers where subjects.contains(watcher.subject) {
                var snapshot = watcher.last
                if let snapshots {
                    guard let found = snapshots[watcher.subject],
                        watcher.kbID == nil || found.kbID == watcher.kbID
                    else {
                        watcher.stream.finish()
                        continue
                    }
                    snapshot = found
                }
                if snapshot == watcher.last, now < watcher.toldAt + Self.heartbeat { continue }
                state.watchers[number]?.last = snapshot
                state.watchers[number]?.toldAt = now
                watcher.stream.yield(snapshot)
                if snapshot.isFinal { watcher.stream.finish() }
            }
        }
    }
}

/// How far a task or a batch is, as a client is told.
struct Snapshot: Sendable, Equatable {
    /// A client names the last one that it has seen.
    var id: String
    /// Whether more than the progress has changed.
    var state: String
    /// JSON, in one line.
    var data: String
    /// Of a batch.
    var kbID: String?
    var isFinal: Bool

    init(_ task: TaskProgress) {
        let status = task.state.status(isCancelAsked: task.isCancelAsked)
        id = "\(task.run).\(status).\(task.percent ?? 0)"
        state = "\(task.run).\(status)"
        isFinal = task.state.isFinal
        var answer = Answer()
        answer.add("task_id", task.id.text)
        answer.add("status", status)
        answer.add("run", task.run)
        answer.add("progress", task.percent)
        data = answer.json
    }

    init(_ batch: BatchView) {
        let counts = TaskState.allCases.map { "\(batch.counts[$0] ?? 0)" }.joined(separator: "-")
        id = "\(batch.status.rawValue).\(counts)"
        state = batch.status.rawValue
        kbID = batch.kbID
        isFinal = batch.finishedAt != nil
        data = Answer(batch).json
    }

    /// As a server-sent event.
    ///
    /// - Parameter last: what the client was told before.
    func event(after last: Snapshot?) -> String {
        let name = isFinal ? "end" : state == last?.state ? "progress" : "state"
        return "id: \(id)\nevent: \(name)\ndata: \(data)\n\n"
    }
}
