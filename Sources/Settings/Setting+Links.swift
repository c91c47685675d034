/// The settings of the links to the broker and to the database.
extension Setting {
    static let broker: [Setting] = [
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

    static let security: [Setting] = [
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

    static let database: [Setting] = [
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
}
