import Concurrency
import Postgres
import Tasks
import WorkerRuntime

/// What threads write between two runs: the end of one and the claim of the next, and what other
/// threads write at that time, in one transaction. So a task that takes no time costs a fraction of
/// a commit instead of two.
///
/// One transaction at a time: two at once are of half the size, and cost more (measured). So does
/// a step alone that lets others begin beside it.
///
/// Only runs that have simply completed are ended so. Where the transaction fails, or leaves
/// something out, each does what is left by itself: that says better what is the matter, and is
/// tried again.
final class RunSteps: Sendable {
    private struct Step: Sendable {
        var completion: TaskCompletion?
        var claim: TaskClaim?
    }

    private struct Answer: Sendable {
        var isCompleted = false
        var claimed: ClaimedTask?
        /// Then nothing is known.
        var hasFailed = false
    }

    private let runs: RunTable
    private let ends: EndWriter
    private let combiner: Combiner<Step, Answer>
    /// Writes the ends of runs that have no thread, or whose thread has gone on.
    private let enders = ThreadPool(count: 2, name: "amity-task-end")
    /// What a thread is to write with its next step.
    private let owed = Locked<[ThreadPool.Slot: EndedRun]>([:])

    /// Chosen: with the largest payloads and results a few megabytes.
    private static let largestGo = 32

    /// - Parameter threads: how many take steps.
    init(store: TaskStore, runs: RunTable, ends: EndWriter, threads: Int) {
        self.runs = runs
        self.ends = ends
        combiner = Combiner(limit: min(threads, Self.largestGo)) { steps in Self.take(steps, store)
        }
    }

    /// Writes down how a run has ended; or notes that it is to be written with its thread's next
    /// step, which follows at once.
    func end(_ run: EndedRun, by slot: ThreadPool.Slot) {
        if run.completion == nil { return write(run) }
        owed.withLock { $0[slot] = run }
    }

    /// For a run without a thread. `run` may block.
    func endLater(_ run: @escaping @Sendable () -> EndedRun) {
        enders.run { _ in self.write(run()) }
    }

    /// Nothing may end any more.
    func close() { enders.close() }

    private func write(_ run: EndedRun) {
        ends.write(run)
        runs.ended(run.message)
    }

    /// The step of a thread that has nothing to claim.
    func settle(_ slot: ThreadPool.Slot) {
        if let run = owed.withLock({ $0.removeValue(forKey: slot) }) { _ = step(run, nil) }
    }

    /// - Returns: nil where only a claim by itself can tell. What the thread has owed is written.
    func claim(_ next: TaskClaim, by slot: ThreadPool.Slot) -> ClaimedTask? {
        step(owed.withLock { $0.removeValue(forKey: slot) }, next)
    }

    private func step(_ ended: EndedRun?, _ next: TaskClaim?) -> ClaimedTask? {
        let answer = combiner.answer(to: Step(completion: ended?.completion, claim: next))
        if var ended {
            if answer.isCompleted {
                ends.completed(ended)
                runs.ended(ended.message)
            } else {
                ended.mayBeWritten = answer.hasFailed
                // Something may hold it up: what is claimed begins all the same.
                if answer.claimed == nil { write(ended) } else { endLater { [ended] in ended } }
            }
        }
        return answer.claimed
    }

    private static func take(_ steps: [Step], _ store: TaskStore) -> [Answer] {
        let (completions, claims) = (steps.compactMap(\.completion), steps.compactMap(\.claim))
        do throws(PostgresError) {
            let (completed, claimed) = try store.advance(completions, claiming: claims)
            let ended = Set(completed.map { TaskMessage(id: $0.id, run: $0.run) })
            let begun = Dictionary(
                claimed.map { (TaskMessage(id: $0.id, run: $0.run), $0) },
                uniquingKeysWith: { first, _ in first }
            )
            return steps.map { step in
                Answer(
                    isCompleted: step.completion.map {
                        ended.contains(TaskMessage(id: $0.id, run: $0.run))
                    } ?? false,
                    claimed: step.claim.flatMap { begun[TaskMessage(id: $0.id, run: $0.run)] }
                )
            }
        } catch {
            return steps.map { _ in Answer(hasFailed: true) }
        }
    }
}
