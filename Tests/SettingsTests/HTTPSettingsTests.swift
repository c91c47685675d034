import Foundation
import Testing

@testable import Settings

struct HTTPSettingsTests {
    private func http(_ variables: [String: String]) throws -> HTTPSettings? {
        try WorkerSettings(SettingValues { variables[$0] }).http
    }

    private func mistakes(_ variables: [String: String]) -> [String] {
        do {
            _ = try http(variables)
            return []
        } catch {
            return (error as? SettingsError)?.mistakes ?? ["\(error)"]
        }
    }

    private let token = "0123456789abcdef"

    @Test func byDefaultOnlyThisMachineIsServed() throws {
        #expect(try http([:]) == HTTPSettings(host: "127.0.0.1", port: 8080, token: nil))
        #expect(try http(["HTTP_PORT": "0"]) == nil)
        #expect(try http(["HTTP_PORT": "0", "HTTP_HOST": "0.0.0.0"]) == nil)
    }

    /// Fault: metrics, and what else will be there, open to a whole network by one setting.
    @Test(arguments: [
        "0.0.0.0", "::", "10.1.2.3", "worker-1", "127.0.0.1.evil.example", "128.0.0.1",
    ])
    func whatOthersReachNeedsAToken(host: String) throws {
        #expect(
            mistakes(["HTTP_HOST": host]) == [
                """
                HTTP_TOKEN: it must be set where HTTP_HOST, '\(host)', is not a loopback address; \
                or set HTTP_PORT to 0 for no server
                """
            ]
        )
        let open = try http(["HTTP_HOST": host, "HTTP_TOKEN": token])
        #expect(open == HTTPSettings(host: host, port: 8080, token: token))
    }

    @Test(arguments: ["127.0.0.1", "127.8.0.1", "::1", "localhost", "LocalHost"])
    func loopbackNeedsNone(host: String) {
        #expect(mistakes(["HTTP_HOST": host]).isEmpty)
    }

    /// Fault: a token that a header cannot carry locks all clients out, a short one keeps none out.
    @Test(arguments: ["short", "with a blank in it", "täglich-ein-apfel"])
    func aTokenIsLongAndCanStandInAHeader(token: String) {
        let found = mistakes(["HTTP_TOKEN": token])
        #expect(
            found == [
                "HTTP_TOKEN: its value is not accepted; use 16 or more visible ASCII characters"
            ]
        )
        #expect(!"\(found)".contains(token))
    }
}
