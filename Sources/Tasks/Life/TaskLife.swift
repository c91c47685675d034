/// The part of a task's row that decides what may happen to it. Pure: times come from outside, in
/// milliseconds since any instant.
package struct TaskLife: Equatable, Sendable {
    /// A publishing process has so long until the scheduler does it: 5 s.
    package static let lease = 5_000
    /// So many crashes end a task: see `lost`.
    package static let mostCrashes = 4

    package private(set) var state: TaskState
    package private(set) var run = 1
    package private(set) var attempts = 0
    package private(set) var crashes = 0
    /// When the scheduler must look; nil: another event moves the row.
    package private(set) var due: Int?
    package private(set) var worker: Int?
    package private(set) var cancelAt: Int?
    package private(set) var deadline: Int?
    package let maxAttempts: Int
    package let isLimited: Bool

    /// A row as a database holds it.
    package init(
        state: TaskState,
        run: Int = 1,
        attempts: Int = 0,
        crashes: Int = 0,
        due: Int? = nil,
        worker: Int? = nil,
        cancelAt: Int? = nil,
        deadline: Int? = nil,
        maxAttempts: Int = 1 + RetryRule.retryLimit,
        isLimited: Bool = false
    ) {
        self.state = state
        self.run = run
        self.attempts = attempts
        self.crashes = crashes
        self.due = due
        self.worker = worker
        self.cancelAt = cancelAt
        self.deadline = deadline
        self.maxAttempts = maxAttempts
        self.isLimited = isLimited
    }

    /// As a request makes it.
    ///
    /// - Parameters:
    ///   - hasNeeds: then `runAt` has no meaning.
    ///   - runAt: in the past it counts as now.
    package static func submitted(
        at now: Int,
        hasNeeds: Bool = false,
        runAt: Int? = nil,
        deadline: Int? = nil,
        maxAttempts: Int = 1 + RetryRule.retryLimit,
        isLimited: Bool = false
    ) -> TaskLife {
        var life = TaskLife(
            state: .queued,
            due: now + lease,
            deadline: deadline,
            maxAttempts: maxAttempts,
            isLimited: isLimited
        )
        if hasNeeds {
            life.state = .blocked
            life.due = now
        } else if let runAt, runAt > now {
            life.state = .scheduled
            life.due = life.noLater(runAt)
        } else if isLimited {
            life.state = .waiting
            life.due = deadline
        }
        return life
    }

    /// Moves the task, if its state and the fences let it.
    ///
    /// - Returns: whether they did.
    package mutating func apply(_ event: TaskEvent, at now: Int) -> Bool {
        let transition = Transition.of(event.kind)
        guard transition.from.contains(state), holds(transition.fences, event, now) else {
            return false
        }
        switch event.kind {
        case .due: becomeDue(now)
        case .published: due = deadline
        case .unhandled, .missing: due = now + Self.lease
        case .claimed: claim(by: event.worker)
        case .succeeded: end(.completed)
        case .failed, .timedOut: fail(event, now)
        case .snoozed: leave(now) { $0.schedule(in: event.delay, now) }
        case .handedOver: handOver(event, now)
        case .progressed: due = now + event.delay
        case .stopped: end(.cancelled)
        case .givenBack: leave(now) { $0.giveBack(now) }
        case .lost: lose(event, now)
        case .deadlinePassed: end(.failed)
        case .woken: due = now
        case .looked: look(event.needs, now)
        case .cancelAsked: cancel(now)
        case .retriedByHand: retryByHand(now)
        case .priorityChanged: changePriority(now)
        }
        return true
    }

    private func holds(_ fences: Transition.Fence, _ event: TaskEvent, _ now: Int) -> Bool {
        let isLate = deadline.map { $0 <= now } ?? false
        if fences.contains(.run), event.run != run { return false }
        if fences.contains(.worker), event.worker != worker { return false }
        if fences.contains(.noWorker), worker != nil { return false }
        if fences.contains(.lease), event.lease != due { return false }
        if fences.contains(.due), (due ?? .max) > now { return false }
        if fences.contains(.notCancelled), cancelAt != nil { return false }
        if fences.contains(.inTime), isLate { return false }
        if fences.contains(.late), !isLate { return false }
        if fences.contains(.atRest), due != deadline { return false }
        return true
    }

    private func noLater(_ time: Int) -> Int { min(time, deadline ?? time) }

    // MARK: Moves

    private mutating func becomeDue(_ now: Int) {
        if state == .scheduled, isLimited {
            state = .waiting
            due = deadline
        } else {
            state = .queued
            due = now + Self.lease
        }
    }

    private mutating func look(_ needs: TaskEvent.Needs, _ now: Int) {
        switch needs {
        case .unmet: due = deadline
        case .failed: end(.cancelled)
        case .met:
            state = isLimited ? .waiting : .queued
            due = isLimited ? deadline : now + Self.lease
        }
    }

    private mutating func claim(by worker: Int) {
        state = .processing
        self.worker = worker
        due = nil
    }

    /// The last state keeps the run, so that a worker that lost the answer to its write knows its
    /// own end again.
    private mutating func end(_ last: TaskState) {
        state = last
        due = nil
    }

    /// Out of a run that did not end the task: where a cancellation was asked for, it ends it now.
    private mutating func leave(_ now: Int, _ otherwise: (inout TaskLife) -> Void) {
        if cancelAt != nil { return end(.cancelled) }
        otherwise(&self)
        run += 1
        worker = nil
    }

    private mutating func schedule(in delay: Int, _ now: Int) {
        state = .scheduled
        due = noLater(now + delay)
    }

    private mutating func giveBack(_ now: Int) {
        state = isLimited ? .waiting : .queued
        due = isLimited ? deadline : now
    }

    private mutating func fail(_ event: TaskEvent, _ now: Int) {
        attempts += 1
        if !event.retries || attempts >= maxAttempts { return end(.failed) }
        leave(now) { $0.schedule(in: event.delay, now) }
    }

    private mutating func handOver(_ event: TaskEvent, _ now: Int) {
        // No worker is left that could stop it.
        if cancelAt != nil { return end(.cancelled) }
        worker = nil
        due = now + event.delay
    }

    /// A first loss makes a suspect, which then runs alone in its worker; only a loss there counts.
    private mutating func lose(_ event: TaskEvent, _ now: Int) {
        if event.isOnHost, crashes == 0 || event.isAlone { crashes += 1 }
        if event.isOnHost, crashes >= Self.mostCrashes { return end(.failed) }
        leave(now) { $0.giveBack(now) }
    }

    private mutating func cancel(_ now: Int) {
        cancelAt = cancelAt ?? now
        if state != .processing || worker == nil { end(.cancelled) }
    }

    private mutating func retryByHand(_ now: Int) {
        run += 1
        attempts = 0
        crashes = 0
        worker = nil
        cancelAt = nil
        deadline = nil
        giveBack(now)
    }

    /// A message in the old queue is outdated by the new run.
    private mutating func changePriority(_ now: Int) {
        if state != .queued { return }
        run += 1
        due = now
    }
}
