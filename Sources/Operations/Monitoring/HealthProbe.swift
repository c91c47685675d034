import Foundation
import HTTPCalling
import Settings

/// Asks this host's worker over HTTP whether it is well: for container checks, in images that have
/// no other client.
package struct HealthProbe: Sendable {
    package enum Question: String, Sendable {
        /// Whether it does what it is there for.
        case ready
        /// Whether it runs at all.
        case live
    }

    package struct Answer: Sendable, Equatable {
        package var isHealthy: Bool
        /// For people, in one line.
        package var text: String
    }

    private static let largestAnswer = 64 << 10
    private let settings: HTTPSettings?

    package init(_ settings: HTTPSettings?) {
        self.settings = settings
    }

    /// - Parameter timeout: for the whole answer.
    package func ask(_ question: Question, timeout: Duration) async -> Answer {
        guard let settings else {
            return Answer(isHealthy: false, text: "HTTP_PORT is 0: no worker can be asked")
        }
        let url = Self.url(of: question, at: settings)
        let request = HTTPRequest(
            .get,
            url,
            timeout: timeout,
            responseLimit: Self.largestAnswer
        )
        do throws(HTTPError) {
            let response = try await HTTPClient(connections: 1).send(request)
            let text = Self.text(response.body) ?? "HTTP status \(response.status)"
            return Answer(isHealthy: response.status == 200, text: text)
        } catch {
            return Answer(isHealthy: false, text: "no answer from \(url): \(error)")
        }
    }

    /// A worker that listens on every address listens on this host's own, too.
    private static func url(of question: Question, at settings: HTTPSettings) -> String {
        let host =
            switch settings.host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "[::1]"
            case let host where host.contains(":"): "[\(host)]"
            case let host: host
            }
        return "http://\(host):\(settings.port)/health/\(question.rawValue)"
    }

    /// - Returns: nil for what no worker has said.
    private static func text(_ body: Data) -> String? {
        struct Health: Decodable {
            struct Problem: Decodable {
                var link: String
                var subject: String?
                var kind: String
                var code: String
                var text: String?
            }
            var status: String
            var reasons: [String]?
            var problems: [Problem]?
        }
        do {
            let health = try JSONDecoder().decode(Health.self, from: body)
            let reasons = (health.reasons ?? []).joined(separator: ", ")
            let problems = (health.problems ?? []).map { problem in
                "; \(problem.link) \(problem.subject.map { "\($0) " } ?? "")\(problem.kind) "
                    + "(\(problem.code))\(problem.text.map { ": \($0)" } ?? "")"
            }
            return health.status + (reasons.isEmpty ? "" : ": \(reasons)") + problems.joined()
        } catch {
            return nil
        }
    }
}
