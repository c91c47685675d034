import Postgres
import Testing

@testable import Tasks

extension Integration {
    /// The guards of the SQL statements, held against the pure table of transitions.
    struct TransitionTests {
        /// How an event differs from what its row holds.
        enum Mistake: CaseIterable {
            case none, run, worker, lease
        }

        /// Every row that differs in something that a guard may look at, and every event: the row
        /// moves exactly where the pure machine does, and to the same.
        ///
        /// Fault: a statement forgets a part of its guard, and a cancelled task runs, or a late
        /// worker overwrites a result.
        @Test(
            arguments: TaskEvent.Kind.allCases.filter { $0 != .woken }.map { ($0, false) }
                + [(.claimed, true), (.succeeded, true)]
        )
        func everyStatementMovesWhatTheTableSays(
            kind: TaskEvent.Kind,
            isTogether: Bool
        ) throws {
            let scene = try TaskScene()
            var moves = 0
            for mistake in Mistake.allCases where kind.canBeMistaken(in: mistake) {
                let rows = try scene.insert(Self.lives)
                let begin = ContinuousClock.now
                var expected: [TaskLife] = []
                for (row, life) in zip(rows, Self.lives) {
                    var event = TaskEvent(kind, run: life.run, worker: 1, lease: life.due ?? -1)
                    event.delay = kind == .progressed ? 300_000 : kind == .timedOut ? 0 : 100_000
                    // Of many.
                    event.isAlone = false
                    switch mistake {
                    case .none: break
                    case .run: event.run -= 1
                    case .worker: event.worker = 2
                    case .lease: event.lease = 77
                    }
                    if try !isTogether
                        || !kind.performTogether(event, row.id, life, on: scene.store)
                    {
                        try kind.perform(event, row, on: scene.store)
                    }
                    var after = life
                    if after.apply(event, at: 0) { moves += 1 }
                    expected.append(after)
                }
                try kind.performOnAll(on: scene.store)
                let found = try scene.lives(rows.map(\.id), maxAttempts: 4)
                // What has passed since a row was made.
                let elapsed = Int(begin.duration(to: .now) / .milliseconds(1))
                for (index, row) in rows.enumerated() {
                    let life = try #require(found[row.id])
                    let isAsExpected = Self.isLike(life, expected[index], within: elapsed)
                    if !isAsExpected {
                        Issue.record(
                            """
                            \(kind), mistaken in \(mistake): \(Self.lives[index]) became \(life), \
                            not \(expected[index])
                            """
                        )
                        return
                    }
                }
            }
            #expect(moves > 0)
        }

        /// Times may differ by what a test takes.
        private static func isLike(_ one: TaskLife, _ other: TaskLife, within elapsed: Int) -> Bool
        {
            func isNear(_ one: Int?, _ other: Int?) -> Bool {
                guard let one, let other else { return one == nil && other == nil }
                return abs(one - other) < elapsed + 1_500
            }
            return one.state == other.state && one.run == other.run
                && one.attempts == other.attempts && one.crashes == other.crashes
                && (one.worker == nil) == (other.worker == nil)
                && (one.cancelAt == nil) == (other.cancelAt == nil)
                && isNear(one.due, other.due) && isNear(one.deadline, other.deadline)
        }

        /// 60 s ago and in ten minutes.
        private static let lives: [TaskLife] = TaskState.allCases.flatMap { state in
            [nil, 1].flatMap { worker in
                [nil, -5_000].flatMap { cancelAt in
                    [
                        (nil, nil), (-60_000, -60_000), (-60_000, nil), (-60_000, 600_000),
                        (600_000, 600_000), (600_000, nil),
                    ].flatMap { due, deadline in
                        [(0, 0, false), (3, 3, true)].map { attempts, crashes, isLimited in
                            TaskLife(
                                state: state,
                                run: 7,
                                attempts: attempts,
                                crashes: crashes,
                                due: due,
                                worker: worker,
                                cancelAt: cancelAt,
                                deadline: deadline,
                                isLimited: isLimited
                            )
                        }
                    }
                }
            }
        }

        /// Fault: a task that kills each worker that runs it does so for ever, or one that ran
        /// beside it is blamed.
        @Test func onlyALossAloneCounts() throws {
            for (kind, crashes, rest, found, state) in [
                ("swift", 0, 0, 1, TaskState.queued), ("swift", 1, 1, 1, .queued),
                ("swift", 1, 0, 2, .queued), ("swift", 3, 0, 4, .failed),
                ("http", 3, 0, 3, .queued),
            ] {
                let scene = try TaskScene()
                try scene.sql(
                    """
                    INSERT INTO amity_task_types
                        (type, pool, priority, handler, timeout_seconds, retry_limit)
                    VALUES ('test', 'default', 2, jsonb_build_object('kind', $1::text), 300, 3)
                    """,
                    .text(kind)
                )
                let life = TaskLife(state: .processing, crashes: crashes, worker: 1)
                let lives = [life] + Array(repeating: life, count: rest)
                let rows = try scene.insert(lives)
                #expect(try scene.store.giveBackLost().count == lives.count)
                let after = try #require(
                    try scene.lives(rows.map(\.id), maxAttempts: 4)[rows[0].id]
                )
                #expect(after.crashes == found && after.state == state, "\(kind) \(crashes)")
                let code = try scene.store.get(rows[0].id)?.view.errorCode
                #expect(code == (state == .failed ? "WORKER_CRASHED" : nil))
            }
        }

        /// Fault: the runs of a worker that lives are taken from it.
        @Test func aWorkerWithALeaseKeepsItsRuns() throws {
            let scene = try TaskScene()
            let id = try scene.begin()
            try scene.store.renewWorker(TaskScene.worker)
            #expect(try scene.store.giveBackLost().isEmpty)
            try scene.sql("UPDATE amity_leases SET lease_until = now() - interval '1 second'")
            #expect(try scene.store.giveBackLost().map(\.id) == [id])
            try scene.store.renewWorker(TaskScene.worker)
            #expect(try scene.store.ownRuns(of: TaskScene.worker).isEmpty)
        }
    }
}

extension TaskEvent.Kind {
    fileprivate func canBeMistaken(in mistake: Integration.TransitionTests.Mistake) -> Bool {
        let fences = Transition.of(self).fences
        return switch mistake {
        case .none: true
        case .run: fences.contains(.run)
        case .worker: fences.contains(.worker) && self != .lost
        case .lease: fences.contains(.lease)
        }
    }

    /// Runs the statement for rows of many threads.
    ///
    /// - Returns: false where it leaves a row out that may be moved by itself.
    fileprivate func performTogether(
        _ event: TaskEvent,
        _ id: TaskID,
        _ life: TaskLife,
        on store: TaskStore
    ) throws -> Bool {
        if self == .succeeded {
            let done = TaskCompletion(id: id, run: event.run, result: "1", hasCallback: false)
            _ = try store.advance([done], claiming: [])
            return true
        }
        let claim = TaskClaim(id: id, run: event.run, worker: TaskScene.worker)
        _ = try store.advance([], claiming: [claim])
        return life.crashes == 0
    }

    /// Runs the statement for one row; nothing for the scheduler's, which find their rows.
    fileprivate func perform(
        _ event: TaskEvent,
        _ row: (id: TaskID, due: String?),
        on store: TaskStore
    ) throws {
        let (id, run) = (row.id, event.run)
        let worker = event.worker == 1 ? TaskScene.worker : TaskScene.otherWorker
        let seconds = Double(event.delay) / 1_000
        func finish(_ outcome: RunOutcome) throws {
            _ = try store.finish(id, run: run, as: outcome)
        }
        switch self {
        case .published:
            try store.published([
                Publication(
                    id: id,
                    run: run,
                    type: "test",
                    pool: "default",
                    priority: .normal,
                    lease: event.lease == 77 ? "2026-01-01T00:00:00Z" : row.due ?? "-infinity"
                )
            ])
        case .unhandled: _ = try store.unhandled(id, run: run)
        case .claimed:
            let claim = TaskClaim(id: id, run: run, worker: worker)
            _ = try store.claim(claim, mayRunAlone: true)
        case .succeeded: try finish(.succeeded(result: "1"))
        case .failed:
            try finish(
                .failed(code: "E", message: "m", retries: event.retries, after: seconds)
            )
        case .snoozed: try finish(.snoozed(seconds: seconds, code: "E", message: "m"))
        case .stopped: try finish(.stopped)
        case .handedOver:
            _ = try store.handOver(id, run: run, worker: worker, timeout: Int(seconds))
        case .progressed: _ = try store.reportProgress(id, run: run, percent: 5, note: "n")
        case .givenBack: _ = try store.giveBack(id, run: run, worker: worker)
        case .cancelAsked: _ = try store.cancel(id)
        case .retriedByHand: _ = try store.retry(id)
        case .priorityChanged: _ = try store.setPriority(.high, of: id)
        case .due, .missing, .lost, .timedOut, .deadlinePassed, .woken, .looked: break
        }
    }

    fileprivate func performOnAll(on store: TaskStore) throws {
        switch self {
        case .due:
            var floor = ScanFloor()
            let budgets = Priority.allCases.map { _ in 10_000 }
            _ = try store.leaseDue(&floor, budgets: budgets, at: 0)
        case .missing:
            _ = try store.leaseMissing(pool: "default", priority: .normal, count: 10_000)
        case .lost: _ = try store.giveBackLost()
        case .timedOut: _ = try store.timeOut(atMost: 10_000)
        case .deadlinePassed: _ = try store.expire(atMost: 10_000)
        // Of rows that need nothing.
        case .looked: _ = try store.lookAtDependents(atMost: 10_000)
        case .published, .unhandled, .claimed, .succeeded, .failed, .snoozed, .stopped,
            .handedOver, .progressed, .givenBack, .cancelAsked, .retriedByHand, .priorityChanged,
            .woken:
            break
        }
    }
}
