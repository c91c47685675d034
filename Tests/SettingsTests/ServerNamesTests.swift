import Testing

@testable import Settings

struct ServerNamesTests {
    private func names(
        _ variables: [String: String],
        _ environment: [String: String] = [:]
    ) throws -> ServerNames {
        ServerNames(
            of: try WorkerSettings(SettingValues { variables[$0] }),
            environment: { environment[$0] }
        )
    }

    /// Fault: production is taken for this machine, and nothing is asked.
    @Test(arguments: [
        ["RABBITMQ_HOST": "localhost,rabbit"], ["POSTGRES_HOST": "localhost,db"],
        ["DATABASE_URL": "host=localhost hostaddr=10.0.0.1"], ["DATABASE_URL": "service=live"],
        ["RABBITMQ_HOST": "127.evil.example"], ["DATABASE_URL": "postgresql:///d?host=db"],
    ])
    func serversElsewhereAreNotThisMachine(variables: [String: String]) throws {
        #expect(try !names(variables).areLocal)
    }

    @Test(arguments: [
        [:], ["POSTGRES_HOST": "/run/postgresql"], ["DATABASE_URL": "postgresql:///d"],
        ["DATABASE_URL": "host=db hostaddr=127.0.0.1"], ["RABBITMQ_URL": "amqp://[::1]/"],
    ])
    func thisMachineNeedsNoQuestion(variables: [String: String]) throws {
        #expect(try names(variables).areLocal)
    }

    /// libpq reads its own variables where a URL says nothing.
    @Test func libpqsVariablesCount() throws {
        let url = ["DATABASE_URL": "postgresql:///d"]
        for name in ["PGHOST", "PGHOSTADDR", "PGSERVICE"] {
            #expect(try !names(url, [name: "elsewhere"]).areLocal)
            #expect(try names(url, [name: ""]).areLocal)
        }
        #expect(try names(["POSTGRES_HOST": "localhost"], ["PGHOST": "elsewhere"]).areLocal)
    }

    @Test func noPasswordIsNamed() throws {
        let lines = try names([
            "RABBITMQ_URL": "amqp://u:canary@a:1/v,amqp://u:canary@b/v",
            "DATABASE_URL": "postgresql://u:canary@c:2,d/e?sslmode=require",
        ]).lines
        #expect(lines == ["broker a:1, b:5672, vhost v", "database e at c:2, d"])
    }
}
