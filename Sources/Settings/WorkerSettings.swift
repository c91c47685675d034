import AMQP
import Events
import Foundation
import FriendshipScoring
import Logging
import Messaging
import Postgres

/// Settings with their types, as the parts of the program take them.
package struct WorkerSettings: Sendable {
    package var endpoint: Endpoint
    package var topology: Topology
    package var database: ConnectionTarget
    /// The same for sessions that may move tasks: their transactions write events where `EVENTS`
    /// asks for them.
    package var taskDatabase: ConnectionTarget
    package var databaseSessionsMax: Int
    /// Threads, busy all of them or, if it is automatic, as many as it takes.
    package var concurrency: Int
    package var isConcurrencyAutomatic: Bool
    package var batchMax: Int
    /// nil where it follows from the others.
    private var prefetchCount: Int?
    package var maxAttempts: Int
    package var maxCrashes: Int
    package var messageMaxBytes: Int
    /// The share of the memory it may use from which on it begins less; nil for never.
    package var memoryHigh: Double?
    package var taskTimeout: Duration
    /// As the broker's is said to be.
    package var consumerTimeout: Duration
    /// How long messages are held while the database is away, before they go back to the queue.
    package var holdLimit: Duration
    package var stallTimeout: Duration
    /// Zero for never.
    package var sweepAfter: Duration
    /// Zero for ever.
    package var deadLetterRetentionDays: Int
    package var drainTimeout: Duration
    package var weights: ScoreWeights
    /// nil for no server.
    package var http: HTTPSettings?
    package var monitoring: MonitoringSettings
    package var analysis: AnalysisSettings
    package var tasks: TaskSettings
    package var logLevel: Logger.Level
    package var logFormat: LogFormat

    /// - Throws: `SettingsError` with every mistake there is.
    package init(_ values: SettingValues) throws(SettingsError) {
        var mistakes = values.mistakes
        let endpoint = Endpoint(values, &mistakes)
        let database = ConnectionTarget(values, &mistakes)
        http = HTTPSettings(values, .worker, &mistakes)
        let taskTimeout = values.integer("TASK_TIMEOUT_SECONDS")
        let consumerTimeout = values.integer("CONSUMER_TIMEOUT_SECONDS")
        if taskTimeout >= consumerTimeout {
            mistakes.append(
                """
                TASK_TIMEOUT_SECONDS: \(taskTimeout) is not less than CONSUMER_TIMEOUT_SECONDS, \
                \(consumerTimeout): the broker would close the channel first
                """
            )
        }
        let monitoring = MonitoringSettings(values, &mistakes)
        let backoff = values.integers("RETRY_BACKOFF_SECONDS")
        let names = QueueNames(main: values.text("RABBITMQ_QUEUE_NAME") ?? "")
        // AMQP gives a name one byte for its length.
        let longest = names.retry(seconds: backoff.max() ?? 0)
        if longest.utf8.count > 255 {
            mistakes.append("RABBITMQ_QUEUE_NAME: with its suffixes it is longer than 255 bytes")
        }
        let fixed = values.optionalInteger("MESSAGE_CONCURRENCY_PER_WORKER")
        let concurrency = fixed ?? values.integer("MESSAGE_CONCURRENCY_MAX")
        let holdLimit = Duration.seconds(consumerTimeout) / 2
        let analysis = AnalysisSettings(
            values,
            threads: concurrency,
            holdLimit: holdLimit,
            &mistakes
        )
        tasks = TaskSettings(values, &mistakes)
        guard mistakes.isEmpty, let endpoint, let database, let monitoring, let analysis
        else {
            throw SettingsError(mistakes: mistakes)
        }
        self.endpoint = endpoint
        self.database = database
        var taskDatabase = database
        if tasks.events.contains(.tasks) {
            let (name, value) = EventTopics.setting
            taskDatabase.localSetting = .init(name: name, value: value)
        }
        self.taskDatabase = taskDatabase
        topology = Topology(
            names: names,
            exchange: values.text("RABBITMQ_EXCHANGE_NAME") ?? "",
            routingKey: values.text("RABBITMQ_ROUTING_KEY") ?? "",
            retrySeconds: backoff,
            queueType: QueueType(
                rawValue: values.text("RABBITMQ_QUEUE_TYPE")?.lowercased() ?? ""
            ) ?? .classic
        )
        isConcurrencyAutomatic = fixed == nil
        self.concurrency = concurrency
        self.analysis = analysis
        batchMax = values.integer("BATCH_MAX")
        databaseSessionsMax = values.integer("DATABASE_SESSIONS_MAX", default: min(concurrency, 32))
        prefetchCount = values.optionalInteger("PREFETCH_COUNT")
        maxAttempts = values.integer("MAX_ATTEMPTS")
        maxCrashes = values.integer("QUARANTINE_AFTER_CRASHES")
        messageMaxBytes = values.integer("MESSAGE_MAX_BYTES")
        let memoryHigh = values.integer("MEMORY_HIGH_PERCENT")
        self.memoryHigh = memoryHigh < 100 ? Double(memoryHigh) / 100 : nil
        self.taskTimeout = .seconds(taskTimeout)
        self.consumerTimeout = .seconds(consumerTimeout)
        self.holdLimit = holdLimit
        sweepAfter = .seconds(values.integer("SWEEP_AFTER_SECONDS"))
        deadLetterRetentionDays = values.integer("DEAD_LETTER_RETENTION_DAYS")
        stallTimeout = .seconds(values.integer("STALL_TIMEOUT_SECONDS"))
        drainTimeout = .seconds(values.integer("DRAIN_TIMEOUT_SECONDS"))
        weights = ScoreWeights(
            perTurn: values.number("SCORE_PER_TURN"),
            perQuestion: values.number("SCORE_PER_QUESTION"),
            perMemory: values.number("SCORE_PER_MEMORY"),
            interesting: values.number("SCORE_EMOTION_INTERESTING"),
            boring: values.number("SCORE_EMOTION_BORING")
        )
        self.monitoring = monitoring
        logLevel = Logger.Level(rawValue: values.text("LOG_LEVEL")?.lowercased() ?? "") ?? .info
        logFormat = LogFormat(rawValue: values.text("LOG_FORMAT")?.lowercased() ?? "") ?? .auto
    }

    /// Most unsettled deliveries.
    ///
    /// - Parameters:
    ///   - batchLimit: most messages that a thread takes at once.
    ///   - isImmediate: whether the analyser may answer at once.
    package func prefetch(batchLimit: Int, isImmediate: Bool = true) -> UInt16 {
        if let prefetchCount { return UInt16(clamping: prefetchCount) }
        // What waits in line for services must not wait for so long that the broker takes it back.
        let most = analysis.mostInHand(threads: concurrency, within: holdLimit)
        let preset = Self.prefetch(
            threads: concurrency,
            batchLimit: batchLimit,
            isImmediate: isImmediate && most == nil
        )
        return min(preset, most.map { UInt16(clamping: $0) } ?? preset)
    }

    /// Where nothing else is said: what all threads have in hand, and as much again, so that a
    /// thread that comes free finds work while that of the others is not acked yet. Measured: with
    /// N × B single messages were a sixth slower, for each waited for the broker.
    ///
    /// Singles that wait for no service are read ahead: then so many wait that a read is of
    /// several, and that some may be settled with one frame. Measured: with 60 a tenth slower, with
    /// 128 a twentieth, with 256 and 320 no faster.
    ///
    /// With batches few threads are busy (see `Inbox`): then five and a half batches are enough.
    /// Two are worked on, one or two wait for the acks of earlier ones (see `SettlementLedger`),
    /// two wait here while the broker sends the next. Measured: with four a tenth slower, with six
    /// as fast within noise, and longer from delivery to ack in proportion. Of large batches three.
    package static func prefetch(
        threads: Int,
        batchLimit: Int,
        isImmediate: Bool = true
    ) -> UInt16 {
        if batchLimit == 1 { return UInt16(clamping: max(2 * threads, isImmediate ? 192 : 1)) }
        let most = max(256, min(11 * batchLimit / 2, 1024), 3 * batchLimit, 2 * threads)
        return UInt16(clamping: min(4 * threads * batchLimit, most))
    }
}
