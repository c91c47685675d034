import AMQP
import Concurrency
import CoreMetrics
import LeasedPublishing
import Logging
import Metering
import Postgres
import WorkerHealth

/// Takes finished conversations: bytes of a request in, the answer out.
///
/// Requests that come while a group is being stored go together in the next one. A request is
/// answered when its row is committed, whatever becomes of its message.
package final class IntakeService: Sendable {
    private struct Request: Sendable {
        var event: ConversationEnd
        var answer: CheckedContinuation<IntakeAnswer, Never>
    }

    /// Chosen: a second or less of work; more only adds to the wait of each.
    private let queue = GroupQueue<Request>(mostWaiting: 2000)
    private let store: IntakeStore
    private let outbox: LeasedPublisher<Outbox>
    private let health: IntakeHealth
    private let ended = MonotonicSemaphore(value: 0)
    private let statuses: [Int: Counter]
    private let duration = Metric.intakeDuration.timer()
    private let groupSize = Metric.intakeGroup.recorder()

    /// Threads that store groups, with a session each. Chosen, measured: one waits for the disk
    /// while the other one's group is made.
    private static let lanes = 2
    /// Chosen, measured: larger groups store no more in a second.
    private static let mostInAGroup = 50

    /// - Parameters:
    ///   - topology: its main queue gets the messages, and is declared where it is missing.
    ///   - health: told of what does not work.
    package init(
        database: ConnectionTarget,
        endpoint: Endpoint,
        topology: Topology,
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) {
        // One more for the outbox.
        let sessions = SessionPool(
            target: database,
            limit: Self.lanes + 1,
            applicationName: "amity intake",
            statementTimeout: .seconds(5),
            // Chosen: clients wait for ten seconds, and PgBouncer lets a session wait for a
            // database that is away.
            patience: .seconds(8)
        )
        store = IntakeStore(
            sessions: sessions,
            exchange: "",
            routingKey: topology.names.main
        )
        self.health = IntakeHealth(links: health, logger: logger)
        let publisher = Publisher(
            endpoint: endpoint.named("amity intake"),
            topology: topology,
            insists: false,
            health: health,
            logger: logger
        )
        outbox = LeasedPublisher(
            publisher,
            Outbox(store, self.health),
            threadName: "amity-outbox",
            results: .outboxMessages,
            inHand: .outboxInHand
        )
        statuses = Dictionary(
            uniqueKeysWithValues: [202, 400, 409, 422, 500, 503].map {
                ($0, Metric.intakeRequests.counter("\($0)"))
            }
        )
    }

    /// Why it does not begin.
    package enum Unfit: Error, CustomStringConvertible {
        case noOutbox
        case refused(PostgresError)

        package var description: String {
            switch self {
            case .noOutbox: "the table amity_outbox is missing: run amity migrate"
            case .refused(let error):
                "\(error); run amity migrate, and deploy/grants.sql with -v intake=1"
            }
        }
    }

    /// Checks the tables and begins to take requests; blocks while the database answers. One that
    /// is away does not keep it from beginning.
    package func start() throws(Unfit) {
        var hasOutbox = true
        do throws(PostgresError) {
            hasOutbox = try store.rehearse()
        } catch {
            if error.kind == .misconfigured && !error.isFromConnecting { throw .refused(error) }
            health.failed(error)
        }
        if !hasOutbox { throw .noOutbox }
        queue.open()
        outbox.start()
        for lane in 0..<Self.lanes {
            startThread(name: "amity-intake-\(lane)", stackBytes: 512 << 10) {
                while let group = self.queue.next(atMost: Self.mostInAGroup) {
                    self.store(group, lane: lane)
                }
                self.ended.signal()
            }
        }
    }

    /// Takes no more requests, answers those in hand, and publishes their messages, as far as the
    /// broker takes them in time; the others stay in the outbox. Blocks the calling thread. It does
    /// not begin again.
    package func stop(within limit: Duration = .seconds(5)) {
        queue.close()
        for _ in 0..<Self.lanes { ended.wait() }
        outbox.stop(within: limit)
    }

    /// Whether the database takes requests, as far as is known.
    package var isReady: Bool { health.isDatabaseWorking }

    /// What does not work now.
    package var problems: [LinkHealth.Report] { health.links.reports }

    /// What another user of the same database met: nil where it answered.
    package func note(_ error: PostgresError?) {
        if let error { health.failed(error) } else { health.databaseWorks() }
    }

    /// Answers `POST /v1/conversations/end`.
    package func end(_ body: [UInt8]) async -> IntakeAnswer {
        let begin = ContinuousClock.now
        let answer = await answer(to: body)
        statuses[answer.status]?.increment()
        duration.record(begin.duration(to: .now))
        return answer
    }

    private func answer(to body: [UInt8]) async -> IntakeAnswer {
        let event: ConversationEnd
        do throws(ConversationEnd.Refusal) {
            event = try ConversationEnd(body: body)
        } catch {
            return IntakeAnswer(error)
        }
        return await withCheckedContinuation { answer in
            if !queue.add(Request(event: event, answer: answer)) {
                answer.resume(returning: .unavailable)
            }
        }
    }

    // MARK: A lane's thread

    private func store(_ group: [Request], lane: Int) {
        groupSize.record(group.count)
        let begin = ContinuousClock.now
        let outcomes = store.store(group.map(\.event), lane: lane)
        var messages: [OutboxMessage] = []
        for (request, outcome) in zip(group, outcomes) {
            if case .stored(_, let message?) = outcome { messages.append(message) }
            request.answer.resume(returning: answer(outcome, request.event))
        }
        outbox.publish(messages, leasedAt: begin)
    }

    private func answer(
        _ outcome: IntakeStore.Outcome,
        _ event: ConversationEnd
    ) -> IntakeAnswer {
        switch outcome {
        case .stored(let data, _), .same(let data):
            health.databaseWorks()
            return .accepted(data)
        case .different: return .exists
        case .unavailable(let error):
            if let error { health.failed(error) }
            return .unavailable
        case .refused(let error):
            note(error, event)
            // A value that no column takes, e.g. a number or a duration that is too large.
            return ["22", "54"].contains(error.sqlState.prefix(2))
                ? .invalid("The database cannot store the event's values") : .failed
        }
    }

    private func note(_ error: PostgresError, _ event: ConversationEnd) {
        health.logger.warning(
            "intake.row-refused",
            metadata: ["conversation": "\(event.conversationID)", "error": "\(error)"]
        )
    }
}
