import AMQP
import Foundation
import Postgres
import Testing

@testable import Settings

struct AddressTests {
    private static let analysis = [
        "LLM_ANALYSIS_ENABLED": "true", "LLM_MODEL": "m", "LLM_API_KEY": "k",
        "MEMORY_API_URL": "http://127.0.0.1:9",
    ]

    /// Values that are no address, or may be two. Each holds `KAN`, `ARI` or both where its
    /// password is.
    private static let refused: [(String, String)] =
        ["@", "/", "#", "?", "%", "%4-", " ", "\n", "://", "/@"].flatMap { mark in
            [
                ("RABBITMQ_URL", "amqp://u:KAN\(mark)ARI@h/"),
                ("RABBITMQ_URL", "amqp://u:KAN\(mark)ARI@h:5672/v,amqp://u:KAN\(mark)ARI@h2/v"),
                ("RABBITMQ_MANAGEMENT_URL", "http://u:KAN\(mark)ARI@h:15672"),
                ("LLM_BASE_URL", "https://u:KAN\(mark)ARI@h/v1"),
                ("MEMORY_API_URL", "https://u:KAN\(mark)ARI@h/v1"),
            ]
        }
        + ["@", "/", "%", "%4-", " ", "\n", "://", "/@"].map { mark in
            ("DATABASE_URL", "postgresql://u:KAN\(mark)ARI@h/d")
        }
        + [
            ("RABBITMQ_URL", "amqp://u:KAN@h//|amqp://u:ARI@h2//"),
            ("RABBITMQ_URL", "amqp://u:KAN@h/,u:ARI@h2/"), ("RABBITMQ_URL", "amqp://h/KAN%40ARI"),
            ("RABBITMQ_URL", "amqp://h/KAN;ARI"), ("RABBITMQ_URL", "amqp://h/KAN%3A%2F%2FARI"),
            ("RABBITMQ_URL", "amqp://u:KAN/"), ("RABBITMQ_URL", "amqp://u:KAN%00ARI@h/"),
            ("RABBITMQ_URL", "u:KAN@h"), ("RABBITMQ_URL", "amqp://u:1/KAN@h"),
            ("RABBITMQ_VHOST", "amqp://u:KAN@h"), ("RABBITMQ_VHOST", "KAN@h"),
            ("RABBITMQ_HOST", "u:KAN@h"), ("RABBITMQ_HOST", "amqp://u:KAN@h"),
            ("RABBITMQ_USERNAME", "u:KAN@h"), ("RABBITMQ_PORT", "amqp://u:KAN@h"),
            ("DATABASE_URL", "postgresql://u:KAN@h/d,postgresql://u:ARI@h2/d"),
            ("DATABASE_URL", "postgresql://u:KAN@h/d postgresql://u:ARI@h2/d"),
            ("DATABASE_URL", "postgresql://u:KAN/d"), ("DATABASE_URL", "postgresql://u:1/KAN@h/d"),
            ("DATABASE_URL", "postgresql://u:KAN@h/a%40b"),
            ("DATABASE_URL", "host=h@KAN password=ARI"),
            ("DATABASE_URL", "host=h password=KAN ARI"),
            ("DATABASE_URL", "host=h port=KAN"), ("DATABASE_URL", "host=h dbname=KAN@ARI"),
            ("DATABASE_URL", "host=h hostaddr=KAN!"), ("DATABASE_URL", "u:KAN@h"),
            ("POSTGRES_HOST", "u:KAN@h"), ("POSTGRES_HOST", "postgresql://u:KAN@h/d"),
            ("POSTGRES_DATABASE", "KAN@h/ARI"), ("POSTGRES_USERNAME", "u:KAN@h"),
            ("POSTGRES_PORT", "KAN@ARI"), ("HTTP_HOST", "u:KAN@h"),
            ("RABBITMQ_PASSWORD", "KAN\nARI"), ("HTTP_PORT", "KAN://ARI"),
        ]

    /// Fault: what follows an unencoded character, or a separator that is not understood, is taken
    /// for a host, a vhost or a database, and printed in the log of every connect.
    @Test(arguments: refused)
    func whatIsNotUnderstoodIsRefusedAndNotShown(setting: String, value: String) {
        let found = mistakes(Self.analysis.merging([setting: value]) { $1 })
        #expect(found.count == 1 && found.first?.hasPrefix("\(setting): ") == true, "\(found)")
        #expect(!found.joined().contains("KAN") && !found.joined().contains("ARI"), "\(found)")
    }

    @Test func itSaysWhatToDo() {
        let encode = "percent-encode"
        for url in ["amqp://u:a@b@h/", "amqp://u:a/b@h/", "amqp://u:a#b@h/"] {
            #expect(mistakes(["RABBITMQ_URL": url]).first?.contains(encode) == true)
        }
        let list = mistakes(["DATABASE_URL": "postgresql://u@h/d,postgresql://u@g/d"])
        #expect(list.first?.contains("host1:port,host2:port in one URL") == true, "\(list)")
    }

    /// Fault: a service of the name `rabbitmq` in Kubernetes sets RABBITMQ_PORT, and the worker
    /// does not start.
    @Test func aServiceLinkOfKubernetesIsNamed() {
        let found = mistakes(["RABBITMQ_PORT": "tcp://10.0.0.1:5672"])
        #expect(found.count == 1 && found.first?.contains("enableServiceLinks") == true)
        #expect(found.first?.contains("10.0.0.1") == false)
    }

    /// Celery separates by semicolons, others by blanks, and line breaks come with files.
    @Test(
        arguments: [
            "amqp://u:p@a//;amqp://u:p@b:1//", "amqp://u:p@a// amqp://u:p@b:1//",
            "amqp://u:p@a//,\n amqp://u:p@b:1//\n", "AMQP://u:p@a/%2F;AMQP://u:p@b:1/%2f;",
        ]
    )
    func readsAListOfBrokers(urls: String) throws {
        let endpoint = try settings(["RABBITMQ_URL": urls]).endpoint
        #expect(endpoint.addresses.map(\.description) == ["a:5672", "b:1"])
        #expect(endpoint.virtualHost == "/" && endpoint.password == "p")
    }

    /// What is unambiguous stays accepted, encoded or not.
    @Test(
        arguments: [
            ("p%40%2F%3A%23%3F%25%20", "p@/:#?% "), ("p:q", "p:q"), ("p,q;r", "p,q;r"),
            ("%E2%82%AC", "€"), ("a+b!$&'()*=~", "a+b!$&'()*=~"),
        ]
    )
    func readsAPassword(text: String, password: String) throws {
        let settings = try settings([
            "RABBITMQ_URL": "amqp://u%40realm:\(text)@h/",
            "DATABASE_URL": "postgres://u%40realm:\(text)@h:1,g:2/d",
            "RABBITMQ_MANAGEMENT_URL": "http://u:\(text)@h:15672/",
        ])
        #expect(settings.endpoint.password == password)
        #expect(settings.endpoint.username == "u@realm")
        #expect(settings.database.keywords["password"] == password)
        #expect(settings.database.keywords["host"] == "h,g")
        #expect(settings.monitoring.management?.password == password)
        // libpq looks for nothing but the @.
        let odd = try AddressText("postgres://u:a?b#c@h/d", isForPostgres: true)
        #expect(odd.password == "a?b#c" && odd.hosts == [.init(name: "h", port: nil)])
    }

    /// Fault: a line break at the end of a value becomes a part of a vhost, and the broker says 530
    /// for ever.
    @Test(arguments: ["\n", "\r\n", "\n\n"])
    func aLineBreakAtTheEndBelongsToNothing(ending: String) throws {
        let parts = try settings([
            "RABBITMQ_VHOST": "v\(ending)", "RABBITMQ_PASSWORD": " p \(ending)",
            "RABBITMQ_HOST": "h\(ending)", "POSTGRES_DATABASE": "d\(ending)",
            "BATCH_MAX": "7\(ending)", "LOG_FORMAT": "text\(ending)",
        ])
        #expect(parts.endpoint.virtualHost == "v" && parts.endpoint.password == " p ")
        #expect(parts.endpoint.addresses == [.init(host: "h", port: 5672)])
        #expect(parts.database.keywords["dbname"] == "d" && parts.batchMax == 7)
        let urls = try settings([
            "RABBITMQ_URL": "amqp://h/v\(ending)", "DATABASE_URL": "postgresql://h/d\(ending)",
        ])
        #expect(urls.endpoint.virtualHost == "v" && urls.database.keywords["dbname"] == "d")
    }

    /// As for the broker.
    @Test(
        arguments: [
            ("a:1,b:2", "a,b", "1,2"), ("a,b:2", "a,b", "5432,2"), ("a, b", "a,b", "5432"),
            ("[::1]:7,::1", "::1,::1", "7,5432"), ("/run/postgresql", "/run/postgresql", "5432"),
        ]
    )
    func readsHostsOfTheDatabase(text: String, hosts: String, ports: String) throws {
        let keywords = try settings(["POSTGRES_HOST": text]).database.keywords
        #expect(keywords["host"] == hosts && keywords["port"] == ports)
    }

    /// Fault: a URL that asyncpg, Prisma, node or JDBC takes is refused without a word about which
    /// parameter.
    @Test(
        arguments: [
            ("ssl=require", "ssl ", "sslmode=require"),
            ("prepared_statement_cache_size=0", "prepared_statement_cache_size ", "pool_mode"),
            ("schema=x", "schema ", "options=-csearch_path%3Dname"),
            ("currentSchema=x", "currentSchema ", "options=-csearch_path%3Dname"),
            ("pgbouncer=true", "pgbouncer ", "pool_mode"),
            ("connection_limit=5", "connection_limit ", "DATABASE_SESSIONS_MAX"),
            ("sslmode=no-verify", "sslmode ", "require"),
            ("bogus=1", "bogus ", "leave it out"), ("b%6Fgus=1", "libpq cannot", "percent-encoded"),
            ("p.KANARI=1", "a parameter ", "leave it out"),
        ]
    )
    func namesAParameterOfAnotherDriver(query: String, name: String, instead: String) {
        let found = mistakes(["DATABASE_URL": "postgresql://h/d?\(query)"])
        #expect(found.count == 1)
        #expect(found.first?.contains(name) == true && found.first?.contains(instead) == true)
        #expect(!found.joined().contains("KANARI"), "\(found)")
    }

    @Test func takesWhatLibpqTakes() throws {
        let query = "ssl=true&connect_timeout=3&options=-csearch_path%3Dx&target_session_attrs=any"
        let keywords = try settings(["DATABASE_URL": "postgresql:///d?\(query)&host=/run/x"])
            .database.keywords
        #expect(keywords["sslmode"] == "require" && keywords["host"] == "/run/x")
        let words = try settings(["DATABASE_URL": "host=h password='a b@c' user=u"]).database
        #expect(words.keywords["password"] == "a b@c")
    }
}

struct LoopbackTests {
    /// Fault: a host elsewhere whose name begins like this machine's address gets what children say
    /// in the clear.
    @Test(
        arguments: [
            "127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.1", "127",
            "2130706433", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.256", "127.0.0.1.", "::2", "::",
            "0.0.0.0", "::ffff:128.0.0.1", "::127.0.0.1", "fe80::1%lo", "evil", "", "[::1].evil",
            "127.0.0.１", "localhost..",
        ]
    )
    func whatMayLeadElsewhereIsNotThisMachine(host: String) { #expect(!Loopback.contains(host)) }

    @Test(
        arguments: [
            "127.0.0.1", "127.255.0.3", "::1", "[::1]", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1",
            "localhost", "LocalHost", "localhost.",
        ]
    )
    func thisMachineIs(host: String) { #expect(Loopback.contains(host)) }

    @Test func analysisOverANetworkIsNotTakenForLocal() throws {
        let settings = try settings([
            "LLM_ANALYSIS_ENABLED": "true", "LLM_MODEL": "m", "LLM_API_KEY": "k",
            "LLM_BASE_URL": "http://127.evil.example/v1", "MEMORY_API_URL": "http://[::1]:9/",
        ])
        guard case .services(let services) = settings.analysis.mode else {
            return #expect(Bool(false), "services are asked for")
        }
        #expect(services.plainText == ["LLM_BASE_URL"])
        #expect(services.memory?.url == "http://[::1]:9/extract_facts")
    }
}
