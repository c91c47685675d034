import Concurrency
import CoreMetrics
import Digests
import Foundation
import HTTPCalling
import Metering
import Postgres
import TaskRunning
import Tasks

/// Tells a receiver that a task or a batch has ended, with a signed CloudEvent. What it answers
/// decides whether it is told again.
///
/// A callback that is under way has no thread: a receiver that hangs keeps tasks from nothing.
package final class CallbackHandler: WaitingHandler {
    package let needsToken = false

    /// Of the whole request, and of the answer's body, which is not read.
    private static let timeout = Duration.seconds(10)
    private static let largestAnswer = 64 << 10
    /// Under way here at once; each host's are bounded by a limit of the fleet's. Chosen: each
    /// takes a descriptor and some 100 KB.
    static let mostUnderWay = 256
    /// Seconds until it is looked at again where more are under way, or the database is away.
    private static let rest = 1.0...3.0

    private let store: TaskStore
    private let client: GuardedClient
    private let environment: [String: String]
    private let underWay = Locked(0)
    private let delivered = Metric.callbacks.counter("delivered")
    private let failed = Metric.callbacks.counter("failed")
    private let gone = Metric.callbacks.counter("gone")

    /// - Parameter environment: has the secrets.
    package init(store: TaskStore, client: GuardedClient, environment: [String: String]) {
        (self.store, self.client, self.environment) = (store, client, environment)
    }

    package func begin(
        _ task: ClaimedTask,
        in context: RunContext,
        _ done: @escaping @Sendable (_ end: @escaping @Sendable () -> RunEnd) -> Void
    ) {
        guard let call = CallbackRequest(task.payload) else {
            return done { Self.end(.invalidPayload, "is no callback of this version") }
        }
        let request: HTTPRequest
        switch prepared(call) {
        case .success(let prepared): request = prepared
        case .failure(let reason): return done { reason.end(after: task.attempt) }
        }
        let mayBegin = underWay.withLock { count in
            if count >= Self.mostUnderWay { return false }
            count += 1
            return true
        }
        if !mayBegin { return done { .snoozed(seconds: .random(in: Self.rest)) } }
        client.send(request) { cancel in
            context.onStop { _ in cancel() }
        } _: { [self] answer in
            underWay.withLock { $0 -= 1 }
            done { self.end(of: task, call, answer) }
        }
    }

    // MARK: The request

    private enum Obstacle: Error {
        case secretUnusable(variable: String)
        case disabled
        case databaseAway

        func end(after attempt: Int) -> RunEnd {
            switch self {
            case .secretUnusable(let variable):
                // Another worker may have it.
                .failed(
                    code: HandlerErrorCode.secretUnusable.rawValue,
                    message: "\(variable) is not set here, or is not whsec_ and base64",
                    retries: true,
                    after: CallbackHandler.pause(after: attempt)
                )
            case .disabled:
                CallbackHandler.end(
                    .callbackDisabled,
                    "the receiver has said that it is gone: amity callbacks enable"
                )
            case .databaseAway: .snoozed(seconds: CallbackHandler.rest.upperBound)
            }
        }
    }

    private func prepared(_ call: CallbackRequest) -> Result<HTTPRequest, Obstacle> {
        do throws(PostgresError) {
            if try store.isDisabled(call.urlID) { return .failure(.disabled) }
        } catch {
            // Without the table, or a right to it, none is disabled.
            if !error.isMissingOrForbidden { return .failure(.databaseAway) }
        }
        var request = HTTPRequest(
            .post,
            call.url,
            headers: [
                "content-type": "application/cloudevents+json; charset=utf-8",
                "user-agent": "amity", "webhook-id": call.eventID,
            ],
            timeout: Self.timeout,
            responseLimit: Self.largestAnswer
        )
        request.body = call.event
        let now = Int(Date().timeIntervalSince1970)
        request.headers["webhook-timestamp"] = "\(now)"
        if let variable = call.secret {
            guard TaskCallback.isSecretName(variable),
                let secret = environment[variable].flatMap({ WebhookSecret($0) })
            else { return .failure(.secretUnusable(variable: variable)) }
            request.headers["webhook-signature"] =
                secret.signature(id: call.eventID, timestamp: now, body: call.event)
        }
        return .success(request)
    }

    // MARK: The answer

    private func end(
        of task: ClaimedTask,
        _ call: CallbackRequest,
        _ answer: Result<HTTPResponse, HTTPError>
    ) -> RunEnd {
        switch answer {
        case .success(let response) where response.status == 410:
            gone.increment()
            do throws(PostgresError) {
                try store.disable(call.urlID, url: call.shownURL, because: task.id)
            } catch {
                // It is asked once more, and will say so again; where it can never be stored, this
                // callback ends all the same.
                if !error.isMissingOrForbidden { return .snoozed(seconds: Self.rest.upperBound) }
            }
        case .success(let response) where response.isSuccess: delivered.increment()
        // What its body says does not matter.
        case .failure(.tooLarge): delivered.increment()
        case .failure(.cancelled): break
        case .success, .failure: failed.increment()
        }
        return Self.end(with: answer, after: task.attempt, at: Date())
    }

    /// Names the status, never the body.
    static func end(
        with answer: Result<HTTPResponse, HTTPError>,
        after attempt: Int,
        at now: Date
    ) -> RunEnd {
        switch answer {
        case .success(let response) where response.isSuccess:
            return .completed(result: "{\"status\":\(response.status)}")
        case .failure(.tooLarge): return .completed(result: nil)
        case .failure(.cancelled): return .stopped
        case .success(let response) where response.status == 410:
            return end(.callbackDisabled, "the receiver is gone: it answered with status 410")
        case .success(let response):
            let asked = response.headers["retry-after"].flatMap { RetryAfter.delay($0, at: now) }
            return .failed(
                code: "HTTP_\(response.status)",
                message: "the receiver answered with status \(response.status)",
                retries: true,
                after: max(pause(after: attempt), min(asked.map { $0 / .seconds(1) } ?? 0, longest))
            )
        case .failure(.unreachable(.addressRefused)):
            return end(
                .addressRefused,
                "the URL is not https to a public address, nor in HTTP_TARGET_HOSTS"
            )
        case .failure(.timeout):
            return again(.timeout, "the receiver gave no complete answer in time", after: attempt)
        case .failure(.unreachable(let failure)):
            return again(.unreachable, failure.text, after: attempt)
        }
    }

    private static var longest: Double { TaskCallback.pauses.last ?? 0 }

    /// In seconds, a fifth more or less: what failed together does not come back together.
    static func pause(after attempt: Int) -> Double {
        let pauses = TaskCallback.pauses
        return pauses[min(max(attempt, 1), pauses.count) - 1] * .random(in: 0.8...1.2)
    }

    private static func end(_ code: HandlerErrorCode, _ message: String) -> RunEnd {
        .failed(code, message, retries: false)
    }

    private static func again(
        _ code: HandlerErrorCode,
        _ message: String,
        after attempt: Int
    ) -> RunEnd {
        .failed(
            code: code.rawValue,
            message: message,
            retries: true,
            after: pause(after: attempt)
        )
    }
}
