import Concurrency
import Foundation

/// The one place that holds the problem of each link of a worker, with its start and its kind.
///
/// The users of a link report to it; the log, readiness, the registry, `amity status`, the doctor,
/// the dashboard and the metrics read it. It holds the latest problem of each part of a link, and
/// nothing once that part works again.
package final class LinkHealth: Sendable {
    /// What a worker depends on.
    package enum Link: String, Sendable, CaseIterable, Encodable {
        /// The broker's connection that takes messages and settles them.
        case consumer = "broker-consumer"
        /// The broker's connection that publishes retries and dead letters.
        case publisher = "broker-publisher"
        /// The broker's connection that takes the messages of tasks.
        case taskConsumer = "broker-tasks"
        case database
        case chatModel = "chat-model"
        case memoryService = "memory-service"
        /// The machine, or the container, that the worker runs in.
        case host
    }

    /// What has to happen before the link works.
    package enum Kind: String, Sendable, CaseIterable, Encodable {
        /// It does not answer: refused, unreachable, timed out, cut, shutting down. It comes back.
        case away
        /// It answers, and does not let us in or do this: a password, a permission, a limit.
        case refused
        /// A table, column, grant or policy is not as Amity needs it: an operator must fix it.
        case schema
        /// The broker takes no messages, for want of memory or disk.
        case blocked
        /// A queue or exchange is not there, or the node that has it is down.
        case missing
        /// It took the request and not the message in it: too large, a full queue.
        case notTaken = "not-taken"
        /// It answered, and with nothing that can be used.
        case badAnswer = "bad-answer"
        /// Memory, descriptors or a disk: nearly used up.
        case short
    }

    /// What a part of a link suffers from now.
    package struct Problem: Sendable, Equatable {
        package var link: Link
        /// The queue, table, service or resource that it is about; nil for the link as a whole.
        package var subject: String?
        package var kind: Kind
        /// Tells causes apart, for programs: a reply code, a SQLSTATE, the name of an errno, an
        /// HTTP status.
        package var code: String
        /// For people, in one line. Safe to show: no secret, no body, no row.
        package var text: String
        /// What to do about it; nil where there is nothing to do but wait.
        package var remedy: String?

        package init(
            link: Link,
            subject: String? = nil,
            kind: Kind,
            code: String,
            text: String,
            remedy: String? = nil
        ) {
            self.link = link
            self.subject = subject
            self.kind = kind
            self.code = code
            self.text = text
            self.remedy = remedy
        }
    }

    /// A problem and its times.
    package struct Report: Sendable, Equatable {
        package var problem: Problem
        /// Since when this part of the link has not worked, whatever the cause was at first.
        package var since: Date
        package var lastAt: Date
        /// Failures since then.
        package var count: Int
    }

    /// Whether a failure is to be logged, and how.
    package enum Notice: Sendable, Equatable {
        /// The first, or the first of another cause.
        case new
        /// The same for another minute.
        case still
        /// The same as a moment ago: for who looks closer.
        case repeated

        package var isLogged: Bool { self != .repeated }
    }

    private struct Part: Hashable {
        var link: Link
        var subject: String?
    }

    private struct Entry {
        var report: Report
        var startedAt: ContinuousClock.Instant
        var loggedAt: ContinuousClock.Instant
    }

    /// Between two lines about the same cause.
    private static let reminder: Duration = .seconds(60)
    /// Chosen: as many as a page shows; queues and tables are few, and nothing else is a part.
    private static let mostParts = 64

    private let entries = Locked<[Part: Entry]>([:])

    package init() {}

    /// Takes down a failure.
    ///
    /// - Returns: how to log it: when it begins, when its cause changes, and once a minute.
    package func failed(
        _ problem: Problem,
        at now: ContinuousClock.Instant = .now,
        _ date: Date = Date()
    ) -> Notice {
        let part = Part(link: problem.link, subject: problem.subject)
        return entries.withLock { entries in
            guard var entry = entries[part] else {
                guard entries.count < Self.mostParts else { return .repeated }
                let report = Report(problem: problem, since: date, lastAt: date, count: 1)
                entries[part] = Entry(report: report, startedAt: now, loggedAt: now)
                return .new
            }
            let isNew =
                (entry.report.problem.kind, entry.report.problem.code)
                != (problem.kind, problem.code)
            entry.report.problem = problem
            entry.report.lastAt = date
            entry.report.count += 1
            let isDue = isNew || entry.loggedAt + Self.reminder <= now
            if isDue { entry.loggedAt = now }
            entries[part] = entry
            return isNew ? .new : isDue ? .still : .repeated
        }
    }

    /// This part of the link works.
    ///
    /// - Returns: for how long it did not; nil when it worked before.
    @discardableResult
    package func works(
        _ link: Link,
        _ subject: String? = nil,
        at now: ContinuousClock.Instant = .now
    ) -> Duration? {
        let entry = entries.withLock {
            $0.removeValue(forKey: Part(link: link, subject: subject))
        }
        return entry.map { $0.startedAt.duration(to: now) }
    }

    /// What does not work now, in the order of the links, the oldest first.
    package var reports: [Report] {
        let reports = entries.withLock { $0.values.map(\.report) }
        return reports.sorted { one, other in
            let (left, right) = (order(of: one), order(of: other))
            return left == right ? one.since < other.since : left < right
        }
    }

    private func order(of report: Report) -> Int {
        Link.allCases.firstIndex(of: report.problem.link) ?? 0
    }
}
