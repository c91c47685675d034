/// One row of the table that makes the parser, `amity worker --help`, `.env.example` and the
/// README agree.
package struct Setting: Sendable {
    package enum Kind: Sendable {
        case text
        /// Never shown, and read from the file that `<NAME>_FILE` names where that is set.
        case secret
        case integer(ClosedRange<Int>)
        /// The same, or `auto`.
        case integerOrAuto(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        /// Comma-separated; at least one.
        case integers(ClosedRange<Int>)
        case choice([String])
    }

    package let name: String
    package let kind: Kind
    /// What it is counted in; empty for names and choices.
    package let unit: String
    /// nil where there is none, or where it follows from other settings (the meaning says how).
    package let defaultValue: String?
    package let meaning: String

    /// The accepted values, for people.
    package var range: String {
        switch kind {
        case .text, .secret: "text"
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .integerOrAuto(let range): "auto or \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "\(Self.short(range.lowerBound)) to \(Self.short(range.upperBound))"
        case .integers(let range): "list of \(range.lowerBound) to \(range.upperBound)"
        case .choice(let names): names.joined(separator: ", ")
        }
    }

    package var isSecret: Bool { if case .secret = kind { true } else { false } }

    private static func short(_ number: Double) -> String {
        number == number.rounded() ? String(Int(number)) : String(number)
    }
}

extension Setting {
    private init(
        _ name: String,
        _ kind: Kind,
        unit: String = "",
        default defaultValue: String? = nil,
        _ meaning: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.defaultValue = defaultValue
        self.meaning = meaning
    }

    /// Every setting there is. Names that the Python worker has are its own.
    package static let all: [Setting] =
        broker + database + work + analysis + score + output

    private static let broker: [Setting] = [
        .init(
            "RABBITMQ_URL",
            .secret,
            "amqp://user:password@host:port/vhost, several with commas between; wins over the parts"
        ),
        .init(
            "RABBITMQ_HOST",
            .text,
            default: "localhost",
            "broker's host, or several as host or host:port with commas between, tried in turn"
        ),
        .init("RABBITMQ_PORT", .integer(1...65535), default: "5672", "broker's port"),
        .init("RABBITMQ_USERNAME", .text, default: "guest", "user on the broker"),
        .init("RABBITMQ_PASSWORD", .secret, default: "guest", "that user's password"),
        .init("RABBITMQ_VHOST", .text, default: "/", "virtual host"),
        .init(
            "RABBITMQ_QUEUE_NAME",
            .text,
            default: "conversation_events_processing",
            "queue to consume; its delay and dead-letter queues are named after it"
        ),
        .init(
            "RABBITMQ_EXCHANGE_NAME",
            .text,
            default: "conversation_exchange",
            "direct exchange bound to the queue"
        ),
        .init(
            "RABBITMQ_ROUTING_KEY",
            .text,
            default: "conversation.end",
            "routing key of that binding"
        ),
        .init(
            "HEARTBEAT_SECONDS",
            .integer(1...60),
            unit: "s",
            default: "15",
            "AMQP heartbeat; a dead link is noticed within two"
        ),
    ]

    private static let database: [Setting] = [
        .init(
            "DATABASE_URL",
            .secret,
            "postgresql://user:password@host:port/database?sslmode=…; wins over the parts"
        ),
        .init(
            "POSTGRES_HOST",
            .text,
            default: "localhost",
            "PostgreSQL's host, or several with commas between, tried in turn"
        ),
        .init("POSTGRES_PORT", .integer(1...65535), default: "5432", "PostgreSQL's port"),
        .init("POSTGRES_USERNAME", .text, default: "postgres", "role to log in as"),
        .init("POSTGRES_PASSWORD", .secret, "that role's password"),
        .init("POSTGRES_DATABASE", .text, default: "postgres", "database"),
        .init(
            "DATABASE_SESSIONS_MAX",
            .integer(1...1000),
            unit: "sessions",
            "most PostgreSQL sessions a worker holds; default: one a thread, at most 32"
        ),
    ]

    private static let work: [Setting] = [
        .init(
            "MESSAGE_CONCURRENCY_PER_WORKER",
            .integerOrAuto(1...1000),
            unit: "threads",
            default: "10",
            "N: handlers that run at once in one worker; with auto it finds out what is best"
        ),
        .init(
            "MESSAGE_CONCURRENCY_MAX",
            .integer(1...1000),
            unit: "threads",
            default: "64",
            "N at most, where it is auto; work that waits long wants hundreds"
        ),
        .init(
            "BATCH_MAX",
            .integer(1...1000),
            unit: "messages",
            default: "32",
            "B: most conversations in one transaction; they gather only while all threads are busy"
        ),
        .init(
            "PREFETCH_COUNT",
            .integer(1...65535),
            unit: "messages",
            "most unsettled deliveries in one worker; default: N × B, with auto twice the most it can be"
        ),
        .init(
            "MAX_ATTEMPTS",
            .integer(1...100),
            unit: "attempts",
            default: "6",
            "runs a message is given before it is dead-lettered"
        ),
        .init(
            "QUARANTINE_AFTER_CRASHES",
            .integer(1...100),
            unit: "crashes",
            default: "3",
            "times a message may kill the worker that runs it alone before it is dead-lettered"
        ),
        .init(
            "MESSAGE_MAX_BYTES",
            .integer(1024...536_870_912),
            unit: "bytes",
            default: "1048576",
            "largest body that is looked at; a larger one is dead-lettered as it is"
        ),
        .init(
            "RETRY_BACKOFF_SECONDS",
            .integers(1...86400),
            unit: "s",
            default: "1,5,30,120,600",
            "delay after the 1st, 2nd, … failure, or the next step by chance; one queue for each"
        ),
        .init(
            "TASK_TIMEOUT_SECONDS",
            .integer(1...86400),
            unit: "s",
            default: "30",
            "time a statement is given before the attempt counts as failed"
        ),
        .init(
            "CONSUMER_TIMEOUT_SECONDS",
            .integer(1...86400),
            unit: "s",
            default: "1800",
            "the broker's consumer_timeout, as it is set there; TASK_TIMEOUT_SECONDS must be less"
        ),
        .init(
            "STALL_TIMEOUT_SECONDS",
            .integer(1...3600),
            unit: "s",
            default: "30",
            "silence after which the worker asks whether the queue has messages it is not given"
        ),
        .init(
            "SWEEP_AFTER_SECONDS",
            .integer(0...86400),
            unit: "s",
            default: "600",
            "age at which a conversation that nobody has scored is put on the queue again; 0 for never"
        ),
        .init(
            "DEAD_LETTER_RETENTION_DAYS",
            .integer(0...3650),
            unit: "days",
            default: "0",
            "age at which dead letters are thrown away; 0 for never"
        ),
        .init(
            "DRAIN_TIMEOUT_SECONDS",
            .integer(1...3600),
            unit: "s",
            default: "20",
            "time that running work is given to finish after SIGTERM"
        ),
    ]

    private static let analysis: [Setting] = [
        .init(
            "LLM_ANALYSIS_ENABLED",
            .choice(["true", "false"]),
            "false: nobody looks for questions, emotion and memories; default: the built-in analyser does"
        )
    ]

    private static let points = -1_000_000.0...1_000_000.0

    private static let score: [Setting] = [
        .init(
            "SCORE_PER_TURN",
            .number(points),
            unit: "points",
            default: "1",
            "for each exchange"
        ),
        .init(
            "SCORE_PER_QUESTION",
            .number(points),
            unit: "points",
            default: "3",
            "for each question the user asked of their own accord"
        ),
        .init(
            "SCORE_PER_MEMORY",
            .number(points),
            unit: "points",
            default: "5",
            "for each new memory"
        ),
        .init(
            "SCORE_EMOTION_INTERESTING",
            .number(points),
            unit: "points",
            default: "15",
            "when the conversation was interesting"
        ),
        .init(
            "SCORE_EMOTION_BORING",
            .number(points),
            unit: "points",
            default: "-15",
            "when it was boring"
        ),
    ]

    private static let output: [Setting] = [
        .init(
            "LOG_LEVEL",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            default: "info",
            "least severe level that is logged, in any case"
        ),
        .init(
            "LOG_FORMAT",
            .choice(["auto", "json", "text"]),
            default: "auto",
            "auto is text on a terminal, JSON elsewhere; logs go to standard error"
        ),
    ]
}
