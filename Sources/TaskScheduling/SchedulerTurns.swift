import Concurrency
import CoreMetrics
import Logging
import Metering
import Postgres
import Schedules
import TaskTypes
import Tasks

/// The turns of the scheduler that leads, on a thread of its own. Each part takes so many rows at
/// most, each priority its own share: none waits for the end of another's backlog.
struct SchedulerTurns {
    private let store: TaskStore
    private let publisher: TaskPublisher
    private let health: SchedulingHealth
    private let schedules: ScheduleTurn
    private let begin = ContinuousClock.now
    private var floor = ScanFloor()
    /// The last key of limits that was looked at.
    private var limitCursor = ""
    private var pause = Self.interval
    private var slowParts = Chore(every: Self.restInterval, first: .zero ... .zero)
    private let duration = Metric.schedulerTurn.timer()
    private let lateness = Metric.schedulerLateness.timer()
    private let expired = Metric.schedulerMoved.counter("deadline")
    private let timedOut = Metric.schedulerMoved.counter("timeout")
    private let lost = Metric.schedulerMoved.counter("lost")
    private let needFailed = Metric.schedulerMoved.counter("need_failed")

    /// Chosen: what a scheduled task may be late.
    private static let interval = Duration.milliseconds(200)
    /// While tasks wait for their limits. Chosen: half of what `TaskLimit.turns` needs.
    private static let quickInterval = Duration.milliseconds(100)
    /// Between two looks at what need not be exact to the second.
    private static let restInterval = Duration.seconds(1)
    /// After a failure of the database. Chosen.
    private static let rest = Duration.seconds(1)
    /// Most rows of each priority in one scan, and of each other part. Chosen: some ten
    /// milliseconds each.
    private static let batch = 500
    /// Fewer are not worth a scan. Chosen.
    private static let least = 50
    /// Room that is left to what this process makes. Chosen: half of it; the other half is
    /// confirmed within a lease by a broker that takes a thousand messages a second.
    private static let reserve = 5_000

    init(
        _ store: TaskStore,
        _ schedules: ScheduleStore,
        _ publisher: TaskPublisher,
        _ health: SchedulingHealth
    ) {
        self.store = store
        self.publisher = publisher
        self.health = health
        self.schedules = ScheduleTurn(schedules, publisher, health.logger)
    }

    /// - Parameter leading: tells what is known at the moment.
    consuming func run(until drain: DrainSignal, leading: () -> Leadership) {
        while !drain.isRaised {
            let now = ContinuousClock.now
            guard leading().leads(at: now) else {
                // A later leadership begins with a scan of everything.
                floor = ScanFloor()
                _ = drain.wait(atMost: Self.rest) { leading().leads(at: .now) }
                continue
            }
            do throws(PostgresError) {
                let hasMore = try turn(at: now, leading)
                health.databaseWorks()
                duration.record(now.duration(to: .now))
                let next = hasMore ? now : now + pause
                drain.wait(for: ContinuousClock.now.duration(to: next))
            } catch {
                health.failed(error)
                drain.wait(for: Self.rest)
            }
        }
    }

    /// - Returns: whether a part had more than its budget.
    private mutating func turn(
        at now: ContinuousClock.Instant,
        _ leading: () -> Leadership
    ) throws(PostgresError) -> Bool {
        var failure: PostgresError?
        var hasMore = false
        for part in [Part.due, .dependents, .limits] where try run(part, at: now, &failure) {
            hasMore = true
        }
        if slowParts.isDue(at: now) {
            var isDone = true
            for part in [Part.deadlines, .services, .batches, .schedules]
            where try run(part, at: now, &failure) {
                isDone = false
            }
            // Asked now: what came before may have waited for a database that stood still.
            if leading().mayCallLost(at: .now) {
                note(try store.giveBackLost(), "scheduler.lost-runs-given-back", lost)
            }
            if isDone { slowParts.done(at: now) } else { hasMore = true }
        }
        if let failure { throw failure }
        return hasMore
    }

    private enum Part {
        case due, dependents, limits, deadlines, services, batches, schedules
    }

    /// A part that fails does not keep the others, unless the database is away.
    ///
    /// - Returns: whether it has more to do.
    private mutating func run(
        _ part: Part,
        at now: ContinuousClock.Instant,
        _ failure: inout PostgresError?
    ) throws(PostgresError) -> Bool {
        do throws(PostgresError) {
            switch part {
            case .due: return try publishDue(at: now)
            case .dependents: return try lookAtDependents(at: now)
            case .limits: return try admit(at: now)
            case .deadlines: return try expire()
            case .services: return try timeOut()
            case .batches: return try lookAtBatches()
            case .schedules: return try schedules.take()
            }
        } catch {
            // A table that is missing, or may not be read, is the matter of one part.
            if error.endsSession || error.kind == .unavailable { throw error }
            failure = failure ?? error
            return false
        }
    }

    private func expire() throws(PostgresError) -> Bool {
        let late = try store.expire(atMost: Self.batch)
        note(late, "scheduler.deadlines-over", expired)
        return late.count == Self.batch
    }

    private func timeOut() throws(PostgresError) -> Bool {
        let silent = try store.timeOut(atMost: Self.batch)
        note(silent, "scheduler.services-silent", timedOut)
        return silent.count == Self.batch
    }

    /// Those that are left are looked at in the next second: they are no work that waits.
    private func lookAtBatches() throws(PostgresError) -> Bool {
        _ = try store.lookAtBatches(atMost: Self.batch)
        return false
    }

    private func lookAtDependents(
        at now: ContinuousClock.Instant
    ) throws(PostgresError) -> Bool {
        let look = try store.lookAtDependents(atMost: Self.batch)
        publisher.publish(look.toPublish, leasedAt: now)
        note(look.cancelled, "scheduler.needs-failed", needFailed)
        // What was cancelled may be needed, too.
        return look.count == Self.batch || !look.cancelled.isEmpty
    }

    /// Lets tasks with a limit begin.
    ///
    /// - Returns: whether there are more keys.
    private mutating func admit(
        at now: ContinuousClock.Instant
    ) throws(PostgresError) -> Bool {
        pause = Self.interval
        let room = min(publisher.room, Self.reserve)
        if room < Self.least { return false }
        let admission = try store.admit(after: &limitCursor, keys: Self.batch, room: room)
        publisher.publish(admission.toPublish, leasedAt: now)
        if admission.hasWaiting { pause = Self.quickInterval }
        return !limitCursor.isEmpty
    }

    private mutating func publishDue(
        at now: ContinuousClock.Instant
    ) throws(PostgresError) -> Bool {
        let priorities = Priority.allCases.count
        let budget = min(Self.batch, (publisher.room - Self.reserve) / priorities)
        // What is leased and not sent would only be late.
        if budget < Self.least { return false }
        let scan = try store.leaseDue(
            &floor,
            budgets: Array(repeating: budget, count: priorities),
            leavingOut: publisher.poolsAside,
            at: begin.duration(to: now) / .seconds(1)
        )
        publisher.publish(scan.toPublish, leasedAt: now)
        for seconds in scan.lateness { lateness.record(.seconds(seconds)) }
        return scan.hasMore
    }

    private func note(_ moved: [MovedTask], _ event: Logger.Message, _ counter: Counter) {
        if moved.isEmpty { return }
        counter.increment(by: moved.count)
        health.logger.notice(event, metadata: ["tasks": .stringConvertible(moved.count)])
    }
}
