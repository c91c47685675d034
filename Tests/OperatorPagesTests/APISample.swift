import Foundation
import JSON

@testable import Conversations
@testable import DeadLetters
@testable import FlowOperations
@testable import HostResources
@testable import Operations
@testable import Tasks

/// One of everything that the JSON API answers, with every optional member there.
enum APISample {
    /// Members of all answers, and the names of alerts, which are values.
    static func names() throws -> Set<String> {
        let samples: [any Encodable] = [
            worker, queue, history, overview, explanation,
            ServingWorker(host: "h", processID: 1, isPaused: true), taskOverview,
            TaskPage(tasks: [task], hasMore: false), TaskAlert(name: "a", queue: "q", since: now),
            limits, schedules, batches, picture, grouped, notes,
        ]
        var names = Set(AlertName.allCases.map(\.rawValue))
        names.formUnion(TaskAlertName.allCases.map(\.rawValue))
        for sample in samples {
            let json = try JSONEncoder.api.encode(sample)
            collect(from: try JSONSerialization.jsonObject(with: json), into: &names)
        }
        // Of the answers that wrap these, of orders and of errors.
        return names.union([
            "workers", "queues", "letters", "retried", "purged", "is_complete", "error", "message",
            "alerts", "flow", "is_paused", "is_duplicate", "topics", "notes",
        ])
    }

    private static func collect(from value: Any, into names: inout Set<String>) {
        if let object = value as? [String: Any] {
            names.formUnion(object.keys)
            for member in object.values { collect(from: member, into: &names) }
        }
        for element in value as? [Any] ?? [] { collect(from: element, into: &names) }
    }

    private static let now = Date(timeIntervalSince1970: 0)

    private static let resources: ResourceUse = {
        var use = ResourceUse()
        use.cpu = .init(used: 1, limit: 2)
        use.memory = .init(residentBytes: 1, usedBytes: 1, limitBytes: 2)
        use.descriptors = .init(open: 1, limit: 2)
        use.disks = [.init(folder: "temporary", freeBytes: 1, sizeBytes: 2)]
        use.network = .init(receivedBytesPerSecond: 1, sentBytesPerSecond: 1)
        use.pressure = .init(cpu: 0.1, memory: 0.1, io: 0.1)
        return use
    }()

    private static let worker = WorkerStats(
        bootID: "b",
        host: "h",
        processID: 1,
        version: "1",
        queue: "q",
        settings: .init(
            threads: 1,
            isConcurrencyAutomatic: false,
            batchMax: 1,
            prefetch: 1,
            sessionsMax: 1,
            maxAttempts: 1,
            taskTimeoutSeconds: 1
        ),
        startedAt: now,
        heartbeatAt: now,
        heartbeatAgeSeconds: 0,
        state: .notReady,
        reasons: ["r"],
        done: 0,
        duplicates: 0,
        retried: 0,
        dead: 0,
        interrupted: 0,
        reconnects: 0,
        busyThreads: 0,
        inFlight: 0,
        residentBytes: 0,
        resources: resources,
        lastDeliveryAt: now,
        failures: [.init(at: now, code: "C", conversation: "c", attempts: 1, isDead: true)],
        problems: [
            .init(
                link: "database",
                subject: "s",
                kind: "away",
                code: "C",
                text: "t",
                remedy: "r",
                since: now,
                count: 1
            )
        ],
        paused: .init(by: "HTTP", since: now)
    )

    private static let queue = QueueStats(
        queue: "q",
        observedAt: now,
        ready: 1,
        unacked: 1,
        unackedSource: .workers,
        consumers: 1,
        workersConsuming: 1,
        foreignConsumers: ["f"],
        oldestAgeSeconds: 1,
        arrivalPerSecond: 1,
        drainPerSecond: 1,
        donePerSecond: 1,
        secondsToEmpty: 1,
        retrying: [.init(delaySeconds: 1, messages: 1)],
        deadLetters: 1,
        alerts: [.init(name: .stalled, since: now, value: 1, threshold: 1)]
    )

    private static let history = History(
        queue: "q",
        stepSeconds: 30,
        points: [
            .init(
                at: now,
                done: 1,
                retried: 1,
                dead: 1,
                ackSecondsP50: 1,
                ackSecondsP99: 1,
                ready: 1,
                oldestAgeSeconds: 1,
                retrying: 1,
                deadLetters: 1
            )
        ]
    )

    static let task: TaskRecord = {
        var task = TaskRecord(
            id: TaskID(firstAt: 1).text,
            type: "t",
            pool: "p",
            priority: "low",
            state: "processing",
            run: 2,
            createdAt: now
        )
        (task.progress, task.kbID, task.batchID, task.worker) = (40, "k", "b", "h:1")
        (task.dueAt, task.deadline, task.startedAt) = (now, now, now)
        (task.cancelAskedAt, task.finishedAt, task.errorCode) = (now, now, "C")
        (task.timeoutSeconds, task.errors) = (300, [.init(run: 1, code: "C", at: "")])
        return task
    }()

    static let taskOverview = TaskOverview(
        queues: [
            TaskQueueStats(
                pool: "p",
                priority: "low",
                waiting: 1,
                running: 1,
                oldestSeconds: 1,
                completedPerMinute: 1,
                failedPerMinute: 1
            )
        ],
        failures: [.init(type: "t", code: "C", count: 1, lastFailedAt: now)],
        isComplete: true
    )

    // MARK: Flow

    static let limits = LimitPage(
        limits: [
            LimitRecord(
                key: "t:k",
                type: "t",
                rule: .init(by: "type", rate: 1, burst: 3, cap: 2, isStrict: true),
                tokens: 1.5,
                waiting: 1,
                queued: 1,
                running: 1,
                pausedBy: "me",
                pausedAt: now
            )
        ],
        hasMore: false,
        pauses: [PauseRecord(kind: "pool", name: "p", pausedBy: "me", pausedAt: now)]
    )

    static let schedules = SchedulePage(
        schedules: [
            ScheduleRecord(
                name: "s",
                type: "t",
                cron: "* * * * *",
                timeZone: "UTC",
                kbID: "k",
                nextAt: now,
                lastAt: now,
                lastTask: "i",
                lastState: "failed",
                lastError: "its type is unknown",
                pausedBy: "me",
                pausedAt: now
            )
        ],
        hasMore: true
    )

    private static let batch: BatchRecord = {
        var batch = BatchRecord(
            id: TaskID(firstAt: 1).text,
            status: "open",
            createdAt: now,
            states: ["completed": 1, "blocked": 1]
        )
        (batch.kbID, batch.openUntil, batch.finishedAt) = ("k", now, now)
        return batch
    }()

    static let batches = BatchPage(batches: [batch], hasMore: false)

    private static func members(_ count: Int) -> [BatchMember] {
        (0..<count).map { number in
            BatchMember(
                id: TaskID(firstAt: number),
                type: "t",
                state: number == 0 ? .completed : .blocked,
                needs: number == 0 ? [] : [TaskID(firstAt: 0)]
            )
        }
    }

    static let picture = BatchPicture(batch: batch, graph: BatchGraph(members(2)))
    private static let grouped = BatchGraph(members(BatchGraph.mostNodes + 1))

    private static let notes: EventNotes = {
        var notes = EventNotes()
        notes.events = [EventNote(id: "i", type: "t", subject: "s", time: "")]
        notes.problem = "p"
        return notes
    }()

    private static let deadLetter = DeadLetter(
        id: "i",
        conversationID: "c",
        userID: "u",
        messageID: "m",
        code: "C",
        reason: "r",
        attempts: 1,
        replays: 0,
        firstFailureAt: "",
        lastFailureAt: "",
        worker: "w",
        bodyBytes: 1,
        bodySHA256: "",
        copies: 1,
        state: .waiting,
        settledAt: ""
    )

    private static var overview: DeadLetterOverview {
        var overview = DeadLetterOverview(queue: "q", lookedAt: now)
        overview.withoutRow = 0
        overview.groups = [
            .init(
                code: "C",
                reason: "r",
                count: 1,
                firstFailureAt: "",
                lastFailureAt: "",
                deadLetters: [deadLetter]
            )
        ]
        return overview
    }

    private static var explanation: Explanation {
        var explanation = Explanation(conversationID: "c", state: .scored)
        explanation.userID = "u"
        explanation.status = "PROCESSED"
        explanation.createdAt = ""
        explanation.processedAt = ""
        explanation.nextAttemptAt = ""
        explanation.errorCode = ""
        explanation.errorDetails = ""
        explanation.paid = .init(questions: 1, emotion: "happy", model: "m", memories: 1)
        explanation.deadLetters = [deadLetter]
        var sources = AnalysisSources(all: .llm)
        sources.model = "m"
        sources.llmFailure = "f"
        sources.memoryFailure = "f"
        explanation.score = .init(
            parts: [.init(name: "turns", value: "1", points: 1, source: "log")],
            change: 1,
            changeByWeights: 1,
            scoreBefore: 1,
            scoreAfter: 2,
            levelBefore: "l",
            levelAfter: "l",
            sources: sources
        )
        return explanation
    }
}
