import Testing

@testable import Settings

struct UnknownNameTests {
    /// Fault: a misspelt setting is ignored without a word.
    @Test(
        arguments: [
            ("MESSAGE_CONCURENCY_PER_WORKER", "MESSAGE_CONCURRENCY_PER_WORKER"),
            ("message_concurrency_per_worker", "MESSAGE_CONCURRENCY_PER_WORKER"),
            ("RABBITMQ_URI", "RABBITMQ_URL"), ("RABITMQ_HOST", "RABBITMQ_HOST"),
            ("PREFECTH_COUNT", "PREFETCH_COUNT"), ("BATCHMAX", "BATCH_MAX"),
            ("LOG-LEVEL", "LOG_LEVEL"), ("POSTGRES_PASWORD_FILE", "POSTGRES_PASSWORD_FILE"),
            ("RABBITMQ_HOST_FILE", "RABBITMQ_HOST"), ("LLM_API_KEYS", "LLM_API_KEY"),
        ]
    )
    func aNameThatResemblesASettingIsFound(name: String, likely: String) {
        #expect(UnknownName.among([name]) == [.init(name: name, likely: likely)])
    }

    /// What the images of RabbitMQ and PostgreSQL, libpq, Kubernetes, the Python service and others
    /// set.
    @Test func namesOfOthersAreNone() {
        let names = [
            "RABBITMQ_NODENAME", "RABBITMQ_HOME", "RABBITMQ_BASE", "RABBITMQ_NODE_PORT",
            "RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS", "RABBITMQ_DEFAULT_VHOST",
            "RABBITMQ_DEFAULT_USER_FILE", "RABBITMQ_ERLANG_COOKIE", "RABBITMQ_CONFIG_FILE",
            "RABBITMQ_LOGS", "RABBITMQ_LOG_BASE", "RABBITMQ_DATA_DIR", "RABBITMQ_VERSION",
            "RABBITMQ_USER", "RABBITMQ_PASS", "RABBITMQ_SERVICE_HOST", "RABBITMQ_SERVICE_PORT",
            "RABBITMQ_PORT_5672_TCP", "RABBITMQ_PORT_5672_TCP_PORT", "RABBITMQ_QUEUE",
            "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_INITDB_ARGS", "POSTGRES_HOST_AUTH_METHOD",
            "POSTGRES_USER_FILE", "POSTGRES_DB_FILE", "POSTGRES_SERVICE_HOST", "PGHOST", "PGPORT",
            "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGDATABASE", "PGSSLMODE", "PGDATA", "PATH",
            "HOME", "HOSTNAME", "LANG", "TERM", "TZ", "PORT", "HOST", "HTTP_PROXY", "HTTPS_PROXY",
            "HTTPS_PORT", "NO_PROXY", "REDIS_URL", "REDIS_HOST", "REDIS_PORT", "GROQ_BASE_URL",
            "OPENAI_API_KEY", "OPENAI_MODEL", "OPENAI_BASE_URL", "WORKER_REPLICAS", "NOTIFY_SOCKET",
            "WATCHDOG_USEC", "INVOCATION_ID", "JOURNAL_STREAM", "AMITY_IMAGE", "AMITY_FAILPOINT",
            "DATABASE_HOST", "DATABASE_NAME", "DB_HOST", "LOG_FILE", "LOG_DIR", "DEBUG",
        ]
        #expect(UnknownName.among(names + Setting.all.map(\.name)) == [])
        let twins = Setting.all.filter(\.isSecret).map { "\($0.name)_FILE" }
        #expect(UnknownName.among(twins) == [])
    }
}
