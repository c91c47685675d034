import Consuming
import Foundation
import HostResources
import SafeText
import WorkerHealth

// Parts of a worker's row in `amity_workers`, as JSON. Ages are counted from the heartbeat: the
// database's clock says when that was.

/// The settings, and beside them what the worker uses: with a column of its own the registry would
/// be off until `amity migrate` has made it.
struct StoredSettings: Encodable {
    var settings: WorkerStats.Settings
    var resources: ResourceUse

    private enum Key: CodingKey { case resources }

    func encode(to encoder: any Encoder) throws {
        try settings.encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(resources, forKey: .resources)
    }
}

/// A message that failed.
struct StoredFailure: Codable {
    var secondsAgo: Double
    var code: String
    var conversation: String?
    var attempts: Int
    var isDead: Bool

    init(_ failure: WorkerCounts.RecentFailure) {
        secondsAgo = failure.at.duration(to: .now) / .seconds(1)
        code = failure.code
        conversation = failure.subject
        attempts = failure.attempts
        isDead = failure.isDead
    }
}

/// What a part of a link suffers from.
struct StoredProblem: Codable {
    var link: String
    var subject: String?
    var kind: String
    var code: String
    var text: String
    var remedy: String?
    var secondsAgo: Double
    var count: Int

    init(_ report: LinkHealth.Report) {
        link = report.problem.link.rawValue
        subject = report.problem.subject?.storable
        kind = report.problem.kind.rawValue
        code = report.problem.code.storable
        text = report.problem.text.storable
        remedy = report.problem.remedy?.storable
        secondsAgo = max(0, Date().timeIntervalSince(report.since))
        count = report.count
    }
}

/// Why a worker takes no messages.
struct StoredPause: Codable {
    var by: String
    var secondsAgo: Double

    init?(_ pause: (reason: Consumption.Reason, since: ContinuousClock.Instant)?) {
        guard let pause else { return nil }
        by =
            switch pause.reason {
            case .operatorsWish: WorkerStats.Pause.operatorsSignal
            case .operatorsRequest: WorkerStats.Pause.operatorsRequest
            case .databaseAway: "database"
            }
        secondsAgo = pause.since.duration(to: .now) / .seconds(1)
    }
}

extension String {
    /// What a server or a client said, as it may stand in the registry: jsonb takes no NUL, and a
    /// row is renewed every few seconds.
    var storable: String { String(printable.prefix(500)) }
}
