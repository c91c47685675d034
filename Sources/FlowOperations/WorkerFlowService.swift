import AMQP
import Events
import Logging
import Operations
import Schedules
import TaskTypes
import Tasks

/// The service of a worker that runs: it asks the database on the sessions of its pages, and the
/// broker on a connection for each reader of events.
package struct WorkerFlowService: FlowOperatorService {
    /// Chosen: what a screen shows.
    private static let pageSize = 10
    /// Who pauses, for others to see: a page has one token.
    private static let pauser = "dashboard"

    private let operatorService: WorkerOperatorService
    package let eventTopics: [String]
    private let ear: EventEar
    private let logger: Logger

    package init(
        _ operatorService: WorkerOperatorService,
        events: EventTopics,
        endpoint: Endpoint,
        logger: Logger
    ) {
        self.operatorService = operatorService
        eventTopics =
            (events.contains(.tasks) ? ["tasks"] : [])
            + (events.contains(.scores) ? ["scores"] : [])
        self.logger = logger
        ear = EventEar(endpoint: endpoint, logger: logger)
    }

    package func listen(to pattern: EventPattern) -> EventListener? { ear.listen(to: pattern) }

    // MARK: Limits

    package func limits(_ query: LimitQuery) throws(OperatorServiceError) -> LimitPage? {
        try operatorService.readTasks { store in
            // One more tells whether there is a next page, and one more whether there are more.
            let (rows, most) = (Self.pageSize + 1, LimitRecord.mostCounted + 1)
            let found =
                query.isAll
                ? try store.limits(after: query.after, atMost: rows, counting: most)
                : try store.holdingLimits(after: query.after, atMost: rows, counting: most)
            return LimitPage(
                limits: found.prefix(Self.pageSize).map(LimitRecord.init),
                hasMore: found.count > Self.pageSize,
                pauses: try store.pauses().map(PauseRecord.init)
            )
        }
    }

    package func setPause(
        _ subject: PauseSubject,
        isOn: Bool
    ) throws(OperatorServiceError) -> Bool? {
        let isDone = try operatorService.readTasks { store in
            if !isOn { return try store.resume(subject) }
            if let type = subject.type, type != TaskCallback.type,
                !TaskType.all(applying: try store.types()).contains(where: { $0.name == type })
            {
                return false
            }
            try store.pause(subject, by: Self.pauser)
            return true
        }
        if isDone == true {
            // A key may be made of a payload: only its type is told.
            let (kind, name) =
                switch subject {
                case .type(let name): ("type", name)
                case .key: ("key", subject.type ?? "")
                case .pool(let name): ("pool", name)
                }
            logger.notice(
                isOn ? "limits.paused" : "limits.resumed",
                metadata: ["kind": "\(kind)", "name": "\(name)", "by": "http"]
            )
        }
        return isDone
    }

    // MARK: Schedules

    package func schedules(
        after name: String?
    ) throws(OperatorServiceError) -> SchedulePage? {
        try operatorService.readTasks { store in
            let found = try ScheduleStore(sessions: store.sessions)
                .facts(after: name, limit: Self.pageSize + 1)
            return SchedulePage(
                schedules: found.prefix(Self.pageSize).map {
                    ScheduleRecord($0.schedule, lastState: $0.lastState)
                },
                hasMore: found.count > Self.pageSize
            )
        }
    }

    package func setSchedule(
        _ name: String,
        isPaused: Bool
    ) throws(OperatorServiceError) -> ScheduleRecord? {
        let found = try operatorService.readTasks { store in
            let schedules = ScheduleStore(sessions: store.sessions)
            return isPaused
                ? try schedules.pause(name, by: Self.pauser) : try schedules.resume(name)
        }
        guard let schedule = found ?? nil else { return nil }
        logger.notice(
            isPaused ? "schedules.paused" : "schedules.resumed",
            metadata: ["schedule": "\(name)", "by": "http"]
        )
        return ScheduleRecord(schedule, lastState: nil)
    }

    package func runSchedule(_ name: String) throws(OperatorServiceError) -> ScheduleRun? {
        let run = try operatorService.readTasks { store -> ScheduleRun in
            let schedules = ScheduleStore(sessions: store.sessions)
            guard let definition = try schedules.get(name)?.definition else { return .missing }
            let types = TaskType.all(applying: try store.types())
            guard let type = types.first(where: { $0.name == definition.type }) else {
                return .typeUnknown
            }
            let request = SubmitRequest([definition.task(type, at: nil)])
            guard case .accepted(let made, _) = try store.submit([request])[0].get(),
                let task = made.tasks.first
            else { preconditionFailure("a request without a key meets no other") }
            return task.isDuplicate ? .lives(task.id) : .made(task.id)
        }
        if case .made(let id) = run {
            logger.notice(
                "schedules.run",
                metadata: ["schedule": "\(name)", "task": "\(id)", "by": "http"]
            )
        }
        return run
    }

    // MARK: Batches

    package func batches(before id: TaskID?) throws(OperatorServiceError) -> BatchPage? {
        try operatorService.readTasks { store in
            let found = try store.rows(
                of: BatchPageSQL.page,
                [id.map { .text($0.text) } ?? .null, .integer(Self.pageSize + 1)],
                BatchRecord.init
            )
            return BatchPage(
                batches: Array(found.prefix(Self.pageSize)),
                hasMore: found.count > Self.pageSize
            )
        }
    }

    package func batch(_ id: TaskID) throws(OperatorServiceError) -> BatchPicture? {
        let picture = try operatorService.readTasks { store -> BatchPicture? in
            guard let batch = try record(of: id, store) else { return nil }
            let most = BatchGraph.mostMembers
            let members = try store.members(of: id, limit: most + 1)
            return BatchPicture(
                batch: batch,
                graph: BatchGraph(
                    Array(members.prefix(most)),
                    isComplete: members.count <= most
                )
            )
        }
        return picture ?? nil
    }

    package func cancelBatch(_ id: TaskID) throws(OperatorServiceError) -> BatchRecord? {
        let cancelled = try operatorService.readTasks { store -> BatchRecord? in
            if case .missing = try store.cancelBatch(id) { return nil }
            return try record(of: id, store)
        }
        guard let batch = cancelled ?? nil else { return nil }
        logger.notice("batches.cancelled", metadata: ["batch": "\(id)", "by": "http"])
        return batch
    }

    private func record(of id: TaskID, _ store: TaskStore) throws -> BatchRecord? {
        try store.rows(of: BatchPageSQL.one, [.text(id.text)], BatchRecord.init).first
    }
}
