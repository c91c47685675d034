import Concurrency
import Foundation
import HTTPCalling

/// Conversations that are sent to an `amity api` over HTTP: each client sends its next one when the
/// one before is answered.
struct IntakeTrial {
    let run: BenchmarkRun

    /// Chosen: enough to share commits.
    private static let users = 100
    private static let length = Duration.seconds(5)

    private struct Found: Sendable {
        var milliseconds: [Double] = []
        var refusal: String?
    }

    func measure() throws -> Sample {
        let port = try freePort()
        var environment = run.fixture.variables
        environment["API_PORT"] = "\(port)"
        let api = try WorkerProcess(["api"], environment: environment, in: run.folder)
        _ = try api.wait(for: "http.started")
        let client = HTTPClient(connections: Self.users)
        defer { client.stop() }
        let (found, isDone) = (Locked(Found()), MonotonicSemaphore(value: 0))
        let begin = ContinuousClock.now
        for user in 0..<Self.users {
            startThread(name: "amity-bench-user", stackBytes: 512 << 10) {
                while begin.duration(to: .now) < Self.length, Self.send(user, port, client, found) {
                }
                isDone.signal()
            }
        }
        for _ in 0..<Self.users { isDone.wait() }
        let seconds = begin.duration(to: .now) / .seconds(1)
        let peak = api.peakResidentMegabytes
        let result = found.withLock(\.self)
        if let refusal = result.refusal {
            throw BenchmarkError.refused(refusal, log: api.logTail)
        }
        _ = try api.stop()
        var sample: Sample = [
            .intakePerSecond: Double(result.milliseconds.count) / seconds,
            .intakePeakMegabytes: peak,
        ]
        sample[.intakeP50] = percentile(50, of: result.milliseconds)
        sample[.intakeP99] = percentile(99, of: result.milliseconds)
        return sample
    }

    /// Sends one conversation of twenty items.
    ///
    /// - Returns: whether it was taken.
    private static func send(
        _ user: Int,
        _ port: Int,
        _ client: HTTPClient,
        _ found: Locked<Found>
    ) -> Bool {
        var request = HTTPRequest(
            .post,
            "http://127.0.0.1:\(port)/v1/conversations/end",
            headers: ["Content-Type": "application/json"],
            timeout: .seconds(30),
            responseLimit: 64 << 10
        )
        request.body = Data(body(of: user).utf8)
        let begin = ContinuousClock.now
        do throws(HTTPError) {
            let answer = try client.sendAndWait(request)
            let took = begin.duration(to: .now) / .milliseconds(1)
            return found.withLock { found in
                guard answer.status == 202 else {
                    found.refusal = "\(answer.status)"
                    return false
                }
                found.milliseconds.append(took)
                return true
            }
        } catch {
            found.withLock { $0.refusal = "\(error)" }
            return false
        }
    }

    private static let log = (1...20).map { turn in
        """
        {"speaker": "\(turn.isMultiple(of: 2) ? "user" : "pika")", "turn_id": \(turn), \
        "text": "Item \(turn) of a talk about dinosaurs and what is for dinner"}
        """
    }.joined(separator: ",")

    private static func body(of user: Int) -> String {
        """
        {"conversation_id": "\(UUID().uuidString)", "user_id": "bench-\(user)", \
        "bot_type": "TALK", "bot_id": "pika-1", "bot_name": "Pika", \
        "start_time": "2026-01-01T10:00:00Z", "end_time": "2026-01-01T10:20:00Z", \
        "conversation_log": [\(log)]}
        """
    }
}
