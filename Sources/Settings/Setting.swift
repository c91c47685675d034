/// One row of the table that makes the parser, `amity worker --help`, `.env.example` and the
/// article Settings.md agree.
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
    init(
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

    /// Every setting, under the heading that the article gives it. Names that the Python worker has
    /// are its own.
    package static let groups: [(heading: String, settings: [Setting])] = [
        ("Broker", broker), ("TLS to the broker", security), ("Database", database),
        ("Work", work), ("Analysis", analysis), ("Score", score), ("HTTP", http), ("API", api),
        ("Tasks", tasks),
        ("Monitoring", monitoring), ("Logs", output),
    ]

    package static let all: [Setting] = groups.flatMap(\.settings)

    private static let broker: [Setting] = [
        .init(
            "RABBITMQ_URL",
            .secret,
            """
            amqp://user:password@host:port/vhost, or amqps:// for TLS, several with commas \
            between; wins over the parts
            """
        ),
        .init(
            "RABBITMQ_HOST",
            .text,
            default: "localhost",
            "broker's host, or several as host or host:port with commas between, tried in turn"
        ),
        .init(
            "RABBITMQ_PORT",
            .integer(1...65535),
            "broker's port; default: 5672, with RABBITMQ_TLS 5671"
        ),
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
            "RABBITMQ_QUEUE_TYPE",
            .choice(["classic", "quorum"]),
            default: "classic",
            """
            type of the queues that Amity declares; in a cluster quorum queues survive the loss of \
            a node (RabbitMQ 3.10 and later)
            """
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

    private static let security: [Setting] = [
        .init(
            "RABBITMQ_TLS",
            .choice(["true", "false"]),
            default: "false",
            "whether the link to RABBITMQ_HOST is encrypted; a URL says it by amqps://"
        ),
        .init(
            "RABBITMQ_TLS_CA",
            .text,
            "path of the CA certificates (PEM) for the broker's certificate; default: the system's"
        ),
        .init(
            "RABBITMQ_TLS_CERTIFICATE",
            .text,
            "path of the worker's own certificate (PEM), for a broker that requires one"
        ),
        .init("RABBITMQ_TLS_KEY", .text, "path of that certificate's key (PEM, no passphrase)"),
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
            "N: handlers that run at once in one worker; with auto the worker finds the best number"
        ),
        .init(
            "MESSAGE_CONCURRENCY_MAX",
            .integer(1...1000),
            unit: "threads",
            default: "64",
            "largest N where it is auto; work that waits for services needs hundreds"
        ),
        .init(
            "BATCH_MAX",
            .integer(1...1000),
            unit: "messages",
            default: "64",
            "B: most conversations in one transaction; batches grow while others are worked on"
        ),
        .init(
            "PREFETCH_COUNT",
            .integer(1...65535),
            unit: "messages",
            "most unsettled deliveries; default: 4 × N × B, at most "
                + "max(256, 2 × N, 5.5 × B up to 1024, 3 × B); where B is 1, 2 × N, and 192 at "
                + "least unless services are called"
        ),
        .init(
            "MAX_ATTEMPTS",
            .integer(1...100),
            unit: "attempts",
            default: "6",
            "runs of a message before it is dead-lettered"
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
            "largest body that is read; a larger one is dead-lettered unread"
        ),
        .init(
            "MEMORY_HIGH_PERCENT",
            .integer(50...100),
            unit: "%",
            default: "90",
            """
            share of the memory it may use, its container's or the machine's, from which on a \
            worker begins less at once; 100 for never
            """
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
            "limit of one database statement; after it the attempt counts as failed"
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
            "time without deliveries after which the worker checks whether the queue has messages"
        ),
        .init(
            "SWEEP_AFTER_SECONDS",
            .integer(0...86400),
            unit: "s",
            default: "600",
            "age at which an unscored conversation is put on the queue again; 0 for never"
        ),
        .init(
            "DEAD_LETTER_RETENTION_DAYS",
            .integer(0...3650),
            unit: "days",
            default: "0",
            "age at which dead letters are deleted; 0 for never"
        ),
        .init(
            "DRAIN_TIMEOUT_SECONDS",
            .integer(1...3600),
            unit: "s",
            default: "20",
            "time for running work to finish after SIGTERM"
        ),
    ]

    private static let http: [Setting] = [
        .init(
            "HTTP_HOST",
            .text,
            default: "127.0.0.1",
            """
            address that serves health, metrics and the dashboard; any but a loopback address \
            needs HTTP_TOKEN
            """
        ),
        .init(
            "HTTP_PORT",
            .integer(0...65535),
            default: "8080",
            "its port; a different one for each worker of a host, 0 for no server"
        ),
        .init(
            "HTTP_TOKEN",
            .secret,
            """
            bearer token of 16 or more characters, required for everything but /health; it reads \
            the metrics of an API, too
            """
        ),
    ]

    private static let api: [Setting] = [
        .init(
            "API_HOST",
            .text,
            default: "127.0.0.1",
            "address of `amity api`; any but a loopback address needs API_TOKEN"
        ),
        .init("API_PORT", .integer(1...65535), default: "8084", "its port"),
        .init(
            "API_TOKEN",
            .secret,
            "bearer token of 16 or more characters, required for everything but /health"
        ),
    ]

    private static let monitoring: [Setting] = [
        .init(
            "MONITOR_INTERVAL_SECONDS",
            .integer(1...60),
            unit: "s",
            default: "10",
            "time between two inspections of the queue, made by one worker for all"
        ),
        .init(
            "ALERT_QUEUE_DEPTH",
            .integer(0...1_000_000_000),
            unit: "messages",
            default: "10000",
            "alert at this many messages in the queue; 0 for never"
        ),
        .init(
            "ALERT_OLDEST_AGE_SECONDS",
            .integer(0...31_536_000),
            unit: "s",
            default: "900",
            "alert at this age of the oldest pending conversation; 0 for never"
        ),
        .init(
            "ALERT_DEAD_LETTERS",
            .integer(0...1_000_000_000),
            unit: "messages",
            default: "1",
            "alert at this many dead letters; 0 for never"
        ),
        .init(
            "RABBITMQ_MANAGEMENT_URL",
            .secret,
            "http://user:password@host:15672, optional: for facts that AMQP does not give"
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
