import AMQP
import Foundation
import TestSupport
import Testing

@testable import Settings

/// A file that is gone when the test is.
private final class TemporaryFile {
    let path: String

    init(_ content: String) throws {
        path = NSTemporaryDirectory() + UUID().uuidString
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
    }

    deinit { unlink(path) }
}

struct SettingsTests {
    @Test func theDefaultsAreTheDocumentedOnes() throws {
        let settings = try settings([:])
        #expect(settings.endpoint.addresses == [.init(host: "localhost", port: 5672)])
        #expect(settings.endpoint.virtualHost == "/")
        #expect(settings.topology.names.main == "conversation_events_processing")
        #expect(settings.topology.retrySeconds == [1, 5, 30, 120, 600])
        #expect(settings.concurrency == 10 && settings.batchMax == 64)
        #expect(settings.prefetch(batchLimit: 64) == 352)
        #expect(settings.prefetch(batchLimit: 32) == 256)
        #expect(!settings.isConcurrencyAutomatic)
        #expect(settings.databaseSessionsMax == 10)
        #expect(settings.weights == .init())
        #expect(settings.http?.host == "127.0.0.1" && settings.http?.port == 8080)
        #expect(settings.monitoring.management == nil)
        #expect(settings.database.keywords["password"] == nil)
    }

    @Test func whatFollowsFromOtherSettingsFollows() throws {
        let many = try settings(["MESSAGE_CONCURRENCY_PER_WORKER": "480", "BATCH_MAX": "1000"])
        #expect(many.databaseSessionsMax == 32)
        #expect(many.prefetch(batchLimit: 1000) == 3000)
        #expect(many.prefetch(batchLimit: 1) == 960)
    }

    @Test func concurrencyCanBeFoundUpToAMaximum() throws {
        let preset = try settings(["MESSAGE_CONCURRENCY_PER_WORKER": "Auto"])
        #expect(preset.isConcurrencyAutomatic && preset.concurrency == 64)
        #expect(preset.databaseSessionsMax == 32)
        #expect(preset.prefetch(batchLimit: 32) == 256)
        #expect(preset.prefetch(batchLimit: 1) == 192)
        let few = try settings([
            "MESSAGE_CONCURRENCY_PER_WORKER": "auto", "MESSAGE_CONCURRENCY_MAX": "3",
            "PREFETCH_COUNT": "50",
        ])
        #expect(few.concurrency == 3 && few.databaseSessionsMax == 3)
        #expect(few.prefetch(batchLimit: 32) == 50)
        let fixed = try settings([
            "MESSAGE_CONCURRENCY_PER_WORKER": "5", "MESSAGE_CONCURRENCY_MAX": "3",
        ])
        #expect(!fixed.isConcurrencyAutomatic && fixed.concurrency == 5)
        #expect(
            mistakes(["MESSAGE_CONCURRENCY_MAX": "1001"]) == [
                "MESSAGE_CONCURRENCY_MAX: '1001' is not accepted; use 1 to 1000 threads"
            ]
        )
    }

    /// Fault: an operator mends one mistake a deploy because only the first is shown.
    @Test func everyMistakeIsNamedAtOnceWithItsRange() {
        let found = mistakes([
            "RABBITMQ_PORT": "0", "MESSAGE_CONCURRENCY_PER_WORKER": "many", "LOG_LEVEL": "loud",
            "RETRY_BACKOFF_SECONDS": "1,,5", "SCORE_PER_TURN": "nan", "BATCH_MAX": "1.5",
            "RABBITMQ_URL": "amqp://", "DATABASE_URL": "postgresql://[",
        ])
        let names = found.map { String($0.prefix { $0 != ":" }) }
        #expect(
            Set(names) == [
                "RABBITMQ_PORT", "MESSAGE_CONCURRENCY_PER_WORKER", "LOG_LEVEL",
                "RETRY_BACKOFF_SECONDS", "SCORE_PER_TURN", "BATCH_MAX", "RABBITMQ_URL",
                "DATABASE_URL",
            ]
        )
        #expect(found.contains("RABBITMQ_PORT: '0' is not accepted; use 1 to 65535"))
        #expect(
            found.contains(
                "MESSAGE_CONCURRENCY_PER_WORKER: 'many' is not accepted; use auto or "
                    + "1 to 1000 threads"
            )
        )
    }

    @Test func aSecretIsNeverShown() {
        let secret = "canary-7319"
        let found = mistakes([
            "RABBITMQ_URL": "http://user:\(secret)@host", "BATCH_MAX": "0",
            "DATABASE_URL": "postgresql://user:\(secret)@[host/x",
            "POSTGRES_PASSWORD": secret, "POSTGRES_PASSWORD_FILE": "/nowhere/\(secret)",
        ])
        #expect(found.count == 5)
        #expect(!found.joined().contains(secret))
    }

    @Test func aSecretCanComeFromAFile() throws {
        let file = try TemporaryFile("p@ss word\n")
        let settings = try settings([
            "RABBITMQ_PASSWORD_FILE": file.path, "POSTGRES_PASSWORD_FILE": file.path,
        ])
        #expect(settings.endpoint.password == "p@ss word")
        #expect(settings.database.keywords["password"] == "p@ss word")
        #expect(
            mistakes(["POSTGRES_PASSWORD_FILE": "/nowhere"]) == [
                "POSTGRES_PASSWORD_FILE: cannot read the file it names: No such file or directory"
            ]
        )
    }

    /// Compose passes a variable that is not set as an empty one.
    @Test func emptyMeansNotSet() throws {
        #expect(try settings(["BATCH_MAX": "", "RABBITMQ_URL": ""]).batchMax == 64)
    }

    /// Fault: a list without an element is taken as not set, and a worker runs no tasks, or a
    /// program asks another host.
    @Test(arguments: [
        "TASK_QUEUES", "EVENTS", "HTTP_TARGET_HOSTS", "POSTGRES_HOST", "RABBITMQ_HOST",
        "RETRY_BACKOFF_SECONDS",
    ])
    func aListOfNothingIsRefused(name: String) {
        for text in [",", " , ,", ",;"] {
            let found = mistakes([name: text])
            #expect(found.count == 1 && found[0].hasPrefix("\(name): "), "\(found)")
        }
    }

    @Test(arguments: [
        ("amqp://u:p%40ss@h:1234/v%2Fhost", "h", 1234, "v/host", "u", "p@ss"),
        ("amqp://h", "h", 5672, "/", "guest", "guest"),
        ("amqp://h/", "h", 5672, "/", "guest", "guest"),
        ("amqp://h/%2F", "h", 5672, "/", "guest", "guest"),
        ("amqp://u:p@[::1]:5673/", "::1", 5673, "/", "u", "p"),
        ("amqps://h", "h", 5671, "/", "guest", "guest"),
    ])
    func readsABrokerURL(
        url: String,
        host: String,
        port: UInt16,
        vhost: String,
        user: String,
        password: String
    ) throws {
        let endpoint = try settings(["RABBITMQ_URL": url, "RABBITMQ_HOST": "ignored"]).endpoint
        #expect(endpoint.addresses == [.init(host: host, port: port)])
        #expect(endpoint.virtualHost == vhost)
        #expect(endpoint.username == user && endpoint.password == password)
    }

    @Test(arguments: [
        ["RABBITMQ_URL": "amqp://h:99999/"], ["RABBITMQ_URL": "amqp://h/?heartbeat=5"],
        ["RABBITMQ_URL": "amqps://h/?verify=verify_none"],
        ["RABBITMQ_URL": "amqps://a/,amqp://b/"],
        ["RABBITMQ_URL": "amqp://h/", "RABBITMQ_TLS": "true"], ["RABBITMQ_TLS": "yes"],
        ["DATABASE_URL": "postgresql://h/d?sslmode=bogus"],
        ["RABBITMQ_QUEUE_NAME": String(repeating: "q", count: 250)],
        ["TASK_TIMEOUT_SECONDS": "1800"], ["RABBITMQ_MANAGEMENT_URL": "amqp://h"],
    ])
    func refusesWhatWouldFailLaterOrBeIgnored(variables: [String: String]) {
        #expect(mistakes(variables).count == 1)
    }

    @Test func readsAManagementURL() throws {
        let url = "https://u:p%2Fw@h:15671/under/"
        let management = try settings(["RABBITMQ_MANAGEMENT_URL": url]).monitoring.management
        #expect(management?.url == "https://h:15671/under")
        #expect(management?.username == "u" && management?.password == "p/w")
    }

    @Test func encryptsWhereItIsToldTo() throws {
        #expect(try settings([:]).endpoint.security == nil)
        let parts = try settings(["RABBITMQ_TLS": "True", "RABBITMQ_HOST": "a,b:1"]).endpoint
        #expect(parts.security == TransportSecurity())
        #expect(parts.addresses.map(\.port) == [5671, 1])
        let url = try settings(["RABBITMQ_URL": "amqps://a/,amqps://b:1/"]).endpoint
        #expect(url.security == TransportSecurity())
        #expect(url.addresses.map(\.port) == [5671, 1])
    }

    /// Faults: a link that its owner believes encrypted; a worker that finds out at night, when it
    /// connects again, that its certificate is not there.
    @Test func namesWhatItCannotEncryptWith() throws {
        let junk = try TemporaryFile("no certificate")
        for name in ["RABBITMQ_TLS_CA", "RABBITMQ_TLS_CERTIFICATE", "RABBITMQ_TLS_KEY"] {
            #expect(
                mistakes([name: "/nowhere"]).allSatisfy { $0.contains("the link to the broker") }
            )
        }
        let url = ["RABBITMQ_URL": "amqps://h/"]
        for path in ["/nowhere", junk.path] {
            let authority = mistakes(url.merging(["RABBITMQ_TLS_CA": path]) { $1 })
            #expect(authority.count == 1 && authority[0].hasPrefix("RABBITMQ_TLS_CA: "))
            let both = ["RABBITMQ_TLS_CERTIFICATE": path, "RABBITMQ_TLS_KEY": path]
            let certificate = mistakes(url.merging(both) { $1 })
            #expect(certificate.count == 1)
            #expect(certificate[0].hasPrefix("RABBITMQ_TLS_CERTIFICATE: "))
        }
        let half = mistakes(url.merging(["RABBITMQ_TLS_KEY": "/nowhere"]) { $1 })
        #expect(
            half == ["RABBITMQ_TLS_CERTIFICATE and RABBITMQ_TLS_KEY: set both of them or neither"]
        )
        let missing = mistakes(["RABBITMQ_TLS": "true", "RABBITMQ_TLS_CA": "/nowhere"])
        #expect(missing.first?.contains("No such file") == true, "\(missing)")
    }

    /// Teams bring the URL their Python service used, driver and all.
    @Test(arguments: ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+asyncpg"])
    func readsADatabaseURL(scheme: String) throws {
        let url = "\(scheme)://u:p%2Fw@h:5433/db?sslmode=require"
        let keywords = try settings(["DATABASE_URL": url]).database.keywords
        let expected = [
            "user": "u", "password": "p/w", "host": "h", "port": "5433", "dbname": "db",
            "sslmode": "require",
        ]
        #expect(keywords == expected)
    }
}

struct SettingsTextTests {
    @Test func theExampleFileAgreesWithTheTable() throws {
        let file = Document.root.appending(path: ".env.example")
        let isEqual =
            try String(contentsOf: file, encoding: .utf8) == SettingsText.environmentExample
        #expect(isEqual, "renew it: amity settings --env > .env.example")
    }

    @Test func theArticleAgreesWithTheTable() throws {
        let isEqual = try Document.article("Settings").text == SettingsText.article
        #expect(
            isEqual,
            "renew it: amity settings --markdown > Sources/AmityCLI/Amity.docc/Settings.md"
        )
    }

    @Test func helpNamesEverySetting() {
        for setting in Setting.all { #expect(SettingsText.help.contains(setting.name)) }
    }

    /// A default outside its own range would fail the first start.
    @Test func everyDefaultIsAccepted() {
        let defaults = Dictionary(
            uniqueKeysWithValues: Setting.all.compactMap { setting in
                setting.defaultValue.map { (setting.name, $0) }
            }
        )
        #expect(mistakes(defaults) == [])
    }
}

struct DotEnvTests {
    /// The common part of what python-dotenv and docker compose read.
    @Test func readsWhatTeamsBring() {
        let file = DotEnv(
            text: """
                # a comment
                A=1
                export B=two
                C = "three # not a comment"  # a comment
                D='it''s'
                E=10 # ten
                F=a#b
                G=
                H="x=y"\r
                """
        )
        #expect(
            file.variables == [
                "A": "1", "B": "two", "C": "three # not a comment", "E": "10", "F": "a#b", "G": "",
                "H": "x=y",
            ]
        )
        #expect(file.mistakes == [".env: line 5 is not NAME=value"])
    }

    /// A line that is passed over in silence is a setting that does nothing.
    @Test(arguments: ["secret", "=secret", "A B=secret", "A=\"secret", "A='secret"])
    func namesALineItCannotReadWithoutQuotingIt(line: String) {
        let file = DotEnv(text: "A=1\n\(line)\n")
        #expect(file.mistakes == [".env: line 2 is not NAME=value"])
    }
}
