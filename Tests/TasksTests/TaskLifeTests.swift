import Testing

@testable import Tasks

struct TaskLifeTests {
    private static func life(
        _ state: TaskState,
        cancelAt: Int? = nil,
        worker: Int? = 1,
        crashes: Int = 0,
        isLimited: Bool = false
    ) -> TaskLife {
        TaskLife(
            state: state,
            run: 3,
            crashes: crashes,
            worker: worker,
            cancelAt: cancelAt,
            isLimited: isLimited
        )
    }

    /// Fault: the table has no line for an event, or the lines are in another order, and an event
    /// is held against the guard of another.
    @Test func theTableHasEachEventOnceAndInOrder() {
        #expect(Transition.all.map(\.event) == TaskEvent.Kind.allCases)
    }

    /// Fault: a state leads where the table does not say, or the table names a way that no event
    /// takes.
    @Test func everyWayOfTheTableIsTakenAndNoOther() {
        for kind in TaskEvent.Kind.allCases {
            let transition = Transition.of(kind)
            var reached = TaskStates()
            for life in Self.lives {
                var event = TaskEvent(kind, run: life.run, worker: 1, lease: life.due ?? 0)
                for (retries, isAlone, needs) in [
                    (true, true, TaskEvent.Needs.met), (false, true, .unmet),
                    (true, false, .failed),
                ] {
                    (event.retries, event.isAlone, event.needs) = (retries, isAlone, needs)
                    var after = life
                    guard after.apply(event, at: 100) else {
                        #expect(after == life)
                        continue
                    }
                    #expect(transition.from.contains(life.state), "\(kind)")
                    #expect(transition.to.contains(after.state), "\(kind): \(after)")
                    reached.insert(TaskStates(after.state))
                }
            }
            #expect(reached == transition.to, "\(kind)")
        }
    }

    /// Rows that differ in all that a guard may look at.
    private static let lives: [TaskLife] = TaskState.allCases.flatMap { state in
        [nil, 1].flatMap { worker in
            [nil, 5].flatMap { cancelAt in
                [(nil, nil), (50, 50), (50, nil), (50, 900), (nil, 900)].flatMap { due, deadline in
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

    // MARK: Submit

    @Test func aTaskIsQueuedWithALeaseOrWaitsForItsTime() {
        #expect(TaskLife.submitted(at: 10) == TaskLife(state: .queued, due: 5_010))
        #expect(TaskLife.submitted(at: 10, runAt: 9).state == .queued)
        #expect(TaskLife.submitted(at: 10, runAt: 11) == TaskLife(state: .scheduled, due: 11))
        // It must not lie there beyond its deadline.
        #expect(TaskLife.submitted(at: 10, runAt: 90, deadline: 50).due == 50)
        let limited = TaskLife.submitted(at: 10, deadline: 50, isLimited: true)
        #expect(limited.state == .waiting && limited.due == 50)
    }

    // MARK: Attempts

    /// Fault: a drain, an outage or a lost worker uses up the attempts of a healthy task.
    @Test(arguments: [TaskEvent.Kind.givenBack, .lost, .snoozed])
    func interruptedIsNotFailed(kind: TaskEvent.Kind) throws {
        var life = Self.life(.processing)
        life = try #require(life.after(TaskEvent(kind, run: 3, worker: 1), at: 10))
        #expect(life.attempts == 0 && life.run == 4 && life.worker == nil)
        #expect(life.due == 10)
    }

    @Test func aTaskFailsForGoodWithItsLastAttempt() throws {
        var life = TaskLife.submitted(at: 0, maxAttempts: 2)
        for (run, state) in [(1, TaskState.scheduled), (2, .failed)] {
            if run > 1 { life = try #require(life.after(TaskEvent(.due), at: run * 100_000)) }
            let claim = TaskEvent(.claimed, run: run, worker: 1)
            life = try #require(life.after(claim, at: run * 100_000))
            let failure = TaskEvent(.failed, run: run, delay: 1_000)
            life = try #require(life.after(failure, at: run * 100_000))
            #expect(life.state == state && life.attempts == run)
        }
        // The result that is stored is that of the last run.
        #expect(life.run == 2 && life.due == nil)
    }

    /// Fault: a task that kills its worker does so for ever; or tasks beside it fail with
    /// it.
    @Test func onlyWhatCrashesAloneIsGivenUp() throws {
        var life = Self.life(.processing)
        func crash(alone: Bool) throws -> TaskState {
            var event = TaskEvent(.lost, worker: 1)
            event.isAlone = alone
            life = try #require(life.after(event, at: 10))
            let state = life.state
            if state == .queued {
                life = try #require(
                    life.after(TaskEvent(.claimed, run: life.run, worker: 1), at: 11)
                )
            }
            return state
        }
        for _ in 0..<9 { #expect(try crash(alone: false) == .queued) }
        #expect(life.crashes == 1)
        #expect(try [true, true, true].map(crash) == [.queued, .queued, .failed])
        // What runs elsewhere did not end the process.
        var other = Self.life(.processing, crashes: 3)
        var event = TaskEvent(.lost, worker: 1)
        (event.isAlone, event.isOnHost) = (true, false)
        other = try #require(other.after(event, at: 10))
        #expect(other.state == .queued && other.crashes == 3)
    }

    @Test func theCeilingOfTheBackoffDoublesUpToItsCap() {
        #expect([1, 2, 3, 9, 10, 999].map(RetryRule.ceiling) == [1, 2, 4, 256, 300, 300])
    }

    // MARK: Cancellation

    /// Fault: a running task is cancelled, its worker is lost or its run fails, and it runs again.
    @Test(arguments: [TaskEvent.Kind.failed, .snoozed, .givenBack, .lost, .handedOver])
    func whatIsToBeCancelledDoesNotRunAgain(kind: TaskEvent.Kind) throws {
        var life = Self.life(.processing)
        life = try #require(life.after(TaskEvent(.cancelAsked), at: 5))
        #expect(life.state == .processing && life.cancelAt == 5)
        life = try #require(life.after(TaskEvent(kind, run: 3, worker: 1), at: 10))
        #expect(life.state == .cancelled && life.due == nil)
    }

    /// A result that comes first counts.
    @Test func aCompletionWinsOverACancellationThatIsAskedFor() throws {
        var life = Self.life(.processing, cancelAt: 5)
        life = try #require(life.after(TaskEvent(.succeeded, run: 3), at: 10))
        #expect(life.state == .completed)
    }

    @Test func aRunWithoutAWorkerIsCancelledAtOnce() throws {
        var life = Self.life(.processing, worker: nil)
        life = try #require(life.after(TaskEvent(.cancelAsked), at: 5))
        #expect(life.state == .cancelled)
    }

    /// Fault: a task retried by hand keeps an old deadline, or an old cancellation, and ends again
    /// at once.
    @Test func aRetryByHandBeginsAnew() throws {
        var life = TaskLife(
            state: .cancelled,
            run: 3,
            attempts: 4,
            crashes: 4,
            cancelAt: 5,
            deadline: 6
        )
        life = try #require(life.after(TaskEvent(.retriedByHand), at: 10))
        #expect(life == TaskLife(state: .queued, run: 4, due: 10))
    }

    // MARK: Publishing

    /// Fault: a confirm that comes late takes a later lease away, and the message that the lease
    /// was for is never published.
    @Test func onlyTheConfirmOfTheLatestLeaseSetsARowToRest() throws {
        var life = TaskLife.submitted(at: 0, deadline: 90_000)
        life = try #require(life.after(TaskEvent(.due), at: 6_000))
        #expect(life.due == 11_000)
        #expect(life.after(TaskEvent(.published, run: 1, lease: 5_000), at: 7_000) == nil)
        life = try #require(life.after(TaskEvent(.published, run: 1, lease: 11_000), at: 8_000))
        #expect(life.due == 90_000)
        life = try #require(life.after(TaskEvent(.deadlinePassed), at: 90_000))
        #expect(life.state == .failed)
    }

    /// A message in the old queue finds an old run.
    @Test func aNewPriorityOutdatesTheMessage() throws {
        var life = TaskLife.submitted(at: 0)
        life = try #require(life.after(TaskEvent(.priorityChanged), at: 1))
        #expect(life.after(TaskEvent(.claimed, run: 1, worker: 1), at: 2) == nil)
        life = try #require(life.after(TaskEvent(.due), at: 2))
        life = try #require(life.after(TaskEvent(.claimed, run: 2, worker: 1), at: 3))
    }
}

extension TaskLife {
    /// - Returns: nil where nothing moved.
    fileprivate func after(_ event: TaskEvent, at now: Int) -> TaskLife? {
        var life = self
        return life.apply(event, at: now) ? life : nil
    }
}
