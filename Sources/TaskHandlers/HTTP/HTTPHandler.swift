import Foundation
import HTTPCalling
import JSON
import TaskRunning
import Tasks

/// Runs tasks of a type by a service that is called: what it answers decides how the run ends.
package struct HTTPHandler: RunHandler {
    package let needsToken = true

    private let url: String
    private let secret: Secret
    private let client: GuardedClient

    private enum Secret {
        case none
        case usable(WebhookSecret)
        /// The variable has no key, or none of the form it should have.
        case unusable(variable: String)
    }

    /// - Parameters:
    ///   - variable: the name of the environment variable with the type's secret; nil for none:
    ///     requests are not signed.
    ///   - client: many handlers may share one.
    package init(
        url: String,
        secret variable: String?,
        environment: [String: String],
        client: GuardedClient
    ) {
        self.url = url
        self.client = client
        secret =
            switch variable {
            case nil: .none
            case let variable?:
                environment[variable].flatMap { WebhookSecret($0) }.map(Secret.usable)
                    ?? .unusable(variable: variable)
            }
    }

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        var request = HTTPRequest(
            .post,
            url,
            headers: ["content-type": "application/json", "user-agent": "amity"],
            timeout: .seconds(task.timeout),
            responseLimit: TaskStore.largestResult
        )
        request.body = Self.body(of: task)
        if let token = context.token { request.headers["amity-run-token"] = token.text }
        let (id, now) = ("\(task.id).\(task.run)", Int(Date().timeIntervalSince1970))
        request.headers["webhook-id"] = id
        request.headers["webhook-timestamp"] = "\(now)"
        switch secret {
        case .none: break
        case .usable(let secret):
            request.headers["webhook-signature"] =
                secret.signature(id: id, timestamp: now, body: request.body)
        case .unusable(let variable):
            // Another worker may have it.
            let message = "\(variable) is not set here, or is not whsec_ and base64"
            return .failed(.secretUnusable, message, retries: true)
        }
        do throws(HTTPError) {
            let response = try client.sendAndWait(request) { cancel in
                context.onStop { _ in cancel() }
            }
            return Self.end(with: response, at: Date())
        } catch {
            return Self.end(with: error)
        }
    }

    private static func body(of task: ClaimedTask) -> Data {
        let members = [
            ("task_id", JSONValue.string(task.id.text)),
            ("task_type", JSONValue.string(task.type)),
            ("run", "\(task.run)"),
            ("attempt", "\(task.attempt)"),
            ("kb_id", task.kbID.map(JSONValue.string) ?? "null"),
            ("payload", task.payload),
            ("timeout_seconds", "\(task.timeout)"),
        ]
        return Data("{\(members.map { "\"\($0)\":\($1)" }.joined(separator: ","))}".utf8)
    }
}

// MARK: - What an answer means

extension HTTPHandler {
    /// In seconds. A service that asks for less than the first would be asked without a pause.
    private static let pauses = 1.0...RetryRule.longestPutOff

    /// Names the status, never the body.
    static func end(with response: HTTPResponse, at now: Date) -> RunEnd {
        switch response.status {
        case 202: return .handedOver
        case 200..<300: return result(response.body)
        case let status:
            let pause = response.headers["retry-after"]
                .flatMap { RetryAfter.delay($0, at: now) }
                .map { min(max($0 / .seconds(1), pauses.lowerBound), pauses.upperBound) }
            let (code, message) = ("HTTP_\(status)", "the service answered with status \(status)")
            if let pause, status == 429 || status == 503 {
                return .putOff(
                    seconds: pause,
                    code: code,
                    message: "\(message) and Retry-After"
                )
            }
            let retries = [408, 425, 429].contains(status) || (500..<600).contains(status)
            return .failed(
                code: code,
                message: message,
                retries: retries,
                after: retries ? pause : nil
            )
        }
    }

    private static func result(_ body: Data) -> RunEnd {
        if body.isEmpty { return .completed(result: nil) }
        do throws(JSONReader.Malformed) {
            let json = try JSONReader.read(body) { json throws(JSONReader.Malformed) in
                String(decoding: try json.readRaw(), as: UTF8.self)
            }
            return .completed(result: json)
        } catch {
            let refusal = "is no JSON, or is nested more than \(JSONReader.deepest) levels deep"
            return failure(.resultRefused, "the service's answer \(refusal)", retries: false)
        }
    }

    static func end(with error: HTTPError) -> RunEnd {
        switch error {
        case .cancelled: .stopped
        case .timeout: failure(.timeout, "the service gave no complete answer in time")
        case .tooLarge:
            failure(.resultTooLarge, "the service's answer is over 64 KB", retries: false)
        case .unreachable(.addressRefused):
            .failed(
                .addressRefused,
                "the URL is not https to a public address, nor in HTTP_TARGET_HOSTS",
                retries: false
            )
        case .unreachable(let failure):
            .failed(.unreachable, failure.text, retries: true)
        }
    }

    private static func failure(
        _ code: TaskErrorCode,
        _ message: String,
        retries: Bool = true
    ) -> RunEnd {
        .failed(code: code.rawValue, message: message, retries: retries)
    }
}
