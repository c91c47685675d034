import Concurrency
import CoreMetrics
import Messaging
import Metering
import WorkerHealth

/// The instruments of the runtime and its handlers, made once and passed to each part.
package struct WorkerMetrics: Sendable {
    package let publishToCommit: CoreMetrics.Timer
    let processDuration: CoreMetrics.Timer
    let inboxWait: CoreMetrics.Timer
    let batchMessages: Recorder
    private let ok: Counter
    private let retry: Counter
    private let dead: Counter
    private let duplicate: Counter
    private let interrupted: Counter
    private let cancelled: Counter
    private let busy: Gauge
    private let idle: Gauge
    private let inbox: Gauge
    private let mailbox: Gauge
    private let ready: Gauge
    private let notReady: [Readiness.Blocker: Gauge]
    private let problems: [(LinkHealth.Link, LinkHealth.Kind, Gauge)]

    package init(factory: any MetricsFactory = MetricsSystem.factory) {
        publishToCommit = Metric.publishToCommit.timer(in: factory)
        processDuration = Metric.processDuration.timer(in: factory)
        inboxWait = Metric.inboxWait.timer(in: factory)
        batchMessages = Metric.batchMessages.recorder(in: factory)
        ok = Metric.tasks.counter("ok", in: factory)
        retry = Metric.tasks.counter("retry", in: factory)
        dead = Metric.tasks.counter("dead", in: factory)
        duplicate = Metric.tasks.counter("duplicate", in: factory)
        interrupted = Metric.tasks.counter("interrupted", in: factory)
        cancelled = Metric.tasks.counter("cancelled", in: factory)
        busy = Metric.threads.gauge("busy", in: factory)
        idle = Metric.threads.gauge("idle", in: factory)
        inbox = Metric.inbox.gauge(in: factory)
        mailbox = Metric.mailbox.gauge(in: factory)
        ready = Metric.ready.gauge(in: factory)
        notReady = Dictionary(
            uniqueKeysWithValues: Readiness.Blocker.allCases.map { blocker in
                (blocker, Metric.notReady.gauge(blocker.label, in: factory))
            }
        )
        problems = LinkHealth.Link.allCases.flatMap { link in
            LinkHealth.Kind.allCases.map { kind in
                (link, kind, Metric.linkProblem.gauge(link.rawValue, kind.rawValue, in: factory))
            }
        }
    }

    /// What became of the messages of one batch.
    struct Tally {
        var ok = 0
        var retry = 0
        var dead = 0
        var duplicate = 0
        /// Given back, postponed or snoozed.
        var interrupted = 0
        var cancelled = 0
    }

    func count(_ tally: Tally) {
        if tally.ok > 0 { ok.increment(by: tally.ok) }
        if tally.retry > 0 { retry.increment(by: tally.retry) }
        if tally.dead > 0 { dead.increment(by: tally.dead) }
        if tally.duplicate > 0 { duplicate.increment(by: tally.duplicate) }
        if tally.interrupted > 0 { interrupted.increment(by: tally.interrupted) }
        if tally.cancelled > 0 { cancelled.increment(by: tally.cancelled) }
    }

    /// Refreshes the gauges that are read on demand: they cost nothing while no client reads the
    /// metrics.
    package func look(
        at dispatcher: Dispatcher,
        _ completions: Mailbox<Completion>,
        _ readiness: Readiness,
        _ health: LinkHealth
    ) {
        let load = dispatcher.load
        busy.record(load.busy)
        // While the limit sinks, more may be busy than it says.
        idle.record(max(0, load.limit - load.busy))
        inbox.record(load.waiting)
        mailbox.record(completions.count)
        let reasons = readiness.reasons
        ready.record(reasons.isEmpty ? 1 : 0)
        for (blocker, gauge) in notReady { gauge.record(reasons.contains(blocker) ? 1 : 0) }
        let now = health.reports.map(\.problem)
        for (link, kind, gauge) in problems {
            gauge.record(now.contains { $0.link == link && $0.kind == kind } ? 1 : 0)
        }
    }
}
