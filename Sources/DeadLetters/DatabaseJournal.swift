import Concurrency
import Foundation
import JSON
import Logging
import Messaging
import Postgres
import WorkerRuntime

/// Writes the rows of dead letters, on a thread of its own that begins with the first of them.
///
/// A dead letter waits for its row for `patience` at most. While the database is away, or its table
/// is missing, dead letters do not wait at all; their rows are kept, up to `mostRows`, and written
/// when they can be. What is lost with the process then is counted by all who count: a message in
/// the queue without a row.
package final class DatabaseJournal: DeadLetterJournal {
    private struct State {
        var rows: [DeadLetterRow] = []
        /// Of dead letters whose rows are among `rows`.
        var gates: [Gate] = []
        var hasThread = false
        /// Whether the last write failed.
        var isAway = false
        var isClosing = false
    }

    /// Chosen: a failover may take longer, and a late dead letter does no harm.
    private static let patience: Duration = .seconds(2)
    /// Chosen: about 10 MB.
    private static let mostRows = 10_000
    private static let mostRowsInOneStatement = 500

    private let sessions: SessionPool
    private let queue: String
    private let logger: Logger
    private let state = Locked(State())
    private let wake = MonotonicSemaphore(value: 0)
    private let closed = MonotonicSemaphore(value: 0)

    /// - Parameter queue: the main queue's name.
    package init(sessions: SessionPool, queue: String, logger: Logger) {
        self.sessions = sessions
        self.queue = queue
        self.logger = logger
    }

    package func record(
        _ records: [DeadLetterRecord],
        then proceed: @escaping @Sendable () -> Void
    ) {
        let rows = records.map(DeadLetterRow.init)
        let gate = Gate(proceed)
        let (waits, isFirst) = state.withLock { state in
            let room = Self.mostRows - state.rows.count
            state.rows += rows.prefix(room)
            let waits = !state.isAway && !state.isClosing
            if waits { state.gates.append(gate) }
            defer { state.hasThread = true }
            return (waits, !state.hasThread)
        }
        if isFirst { startThread(name: "amity-journal", stackBytes: 512 << 10) { self.run() } }
        wake.signal()
        guard waits else { return gate.open() }
        let deadline = DispatchTime.now() + Self.patience / .seconds(1)
        DispatchQueue.global().asyncAfter(deadline: deadline) { gate.open() }
    }

    /// Writes what is left, within a second.
    package func close() {
        let hasThread = state.withLock { state in
            state.isClosing = true
            return state.hasThread
        }
        wake.signal()
        if hasThread { closed.wait(atMost: .seconds(1)) }
    }

    // MARK: Its thread

    private func run() {
        var backoff = Backoff(first: .milliseconds(200), cap: .seconds(30))
        var pause: Duration?
        var isReported = false
        while true {
            let isClosing = waitForWork(atLeast: pause)
            // One turn for all that came meanwhile.
            while wake.wait(atMost: .zero) {}
            do throws(PostgresError) {
                try writeAll()
                pause = nil
                isReported = false
                backoff.reset()
            } catch {
                pause = backoff.next()
                if !isReported {
                    logger.error(
                        "dead-letters.not-recorded",
                        metadata: [
                            "error": "\(error)",
                            "remedy": error.isMissingOrForbidden
                                ? "amity migrate, deploy/grants.sql" : "written when it is back",
                        ]
                    )
                }
                isReported = true
            }
            if isClosing { break }
        }
        closed.signal()
    }

    /// - Parameter pause: after a failure; nil waits for the next dead letter.
    /// - Returns: whether this is the last turn.
    private func waitForWork(atLeast pause: Duration?) -> Bool {
        guard let pause else {
            wake.wait()
            return state.withLock { $0.isClosing }
        }
        let due = ContinuousClock.now + pause
        var isWoken = true
        while isWoken, !state.withLock({ $0.isClosing }) {
            isWoken = wake.wait(atMost: max(.zero, ContinuousClock.now.duration(to: due)))
        }
        return state.withLock { $0.isClosing }
    }

    /// - Throws: when rows are left that may be written later.
    private func writeAll() throws(PostgresError) {
        while true {
            let (rows, gates) = state.withLock { state in
                let rows = Array(state.rows.prefix(Self.mostRowsInOneStatement))
                // Those of later rows may wait a little for these.
                let gates = rows.count == state.rows.count ? state.gates : []
                return (rows, gates)
            }
            do throws(PostgresError) {
                try write(rows)
            } catch {
                // Nothing waits for a database that is away.
                let gates = state.withLock { state in
                    state.isAway = true
                    // They may have been written all the same.
                    for index in rows.indices { state.rows[index].isRedelivered = true }
                    defer { state.gates = [] }
                    return state.gates
                }
                for gate in gates { gate.open() }
                throw error
            }
            let isDone = state.withLock { state in
                state.rows.removeFirst(rows.count)
                state.gates.removeFirst(gates.count)
                state.isAway = false
                return state.rows.isEmpty
            }
            for gate in gates { gate.open() }
            if isDone { return }
        }
    }

    /// Writes rows together, or else one by one, so that a row that the server does not take keeps
    /// no other from being written.
    private func write(_ rows: [DeadLetterRow]) throws(PostgresError) {
        if rows.isEmpty { return }
        do throws(PostgresError) {
            try insert(rows)
        } catch {
            if error.isOutage || error.kind == .conflict || error.kind == .timeout { throw error }
            if rows.count > 1 {
                for row in rows { try write([row]) }
                return
            }
            logger.error(
                "dead-letter.not-recorded",
                metadata: ["letter": "\(rows[0].id)", "error": "\(error)"]
            )
        }
    }

    private func insert(_ rows: [DeadLetterRow]) throws(PostgresError) {
        // A statement may touch a row once.
        var merged: [String: DeadLetterRow] = [:]
        var copies: [String: Int] = [:]
        for row in rows {
            merged[row.id] = row
            copies[row.id, default: 0] += row.isRedelivered ? 0 : 1
        }
        for (id, count) in copies { merged[id]?.copies = max(1, count) }
        let known = copies.filter { $0.value == 0 }.map(\.key)
        let json = DeadLetterRow.json(Array(merged.values))
        let parameters: [Parameter] = [.text(json), .text(queue), .textArray(known)]
        try sessions.withSession { session throws(PostgresError) in
            _ = try session.flight([(DeadLetterSQL.record, parameters)])
        }
    }
}

/// Lets its dead letters go once: when their rows are written, or when the limit of time is over.
private final class Gate: Sendable {
    private let proceed: Locked<(@Sendable () -> Void)?>

    init(_ proceed: @escaping @Sendable () -> Void) {
        self.proceed = Locked(proceed)
    }

    func open() {
        let proceed = proceed.withLock { $0.take() }
        proceed?()
    }
}

/// What is written of a dead letter.
private struct DeadLetterRow: Encodable, Sendable {
    var id: String
    var code: String
    var reason: String
    var attempts: Int
    var replays: Int
    var firstFailureAt: Date?
    var lastFailureAt: Date?
    var worker: String
    var bodyBytes: Int
    var bodySHA256: String
    var headers: [String: Scalar]
    var conversationID: String?
    var userID: String?
    var messageID: String?
    var copies = 1
    /// Not written.
    var isRedelivered: Bool

    enum Scalar: Encodable, Sendable {
        case text(String), number(Int64)

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .text(let text): try value.encode(text)
            case .number(let number): try value.encode(number)
            }
        }
    }

    /// Characters that `conversation_events`' columns hold; a longer text cannot be an id.
    private static let longestID = 255

    init(_ record: DeadLetterRecord) {
        let properties = record.message.properties
        isRedelivered = record.isRedelivered
        id = record.message.deadLetterID ?? ""
        code = record.failure.code
        reason = Self.storable(record.failure.reason)
        attempts = record.attempts
        replays = RetryPolicy.replays(of: record.message)
        bodyBytes = record.message.body.count
        // Others' headers may hold anything.
        var headers: [String: Scalar] = [:]
        for (name, value) in properties.headers where name.hasPrefix("amity-") {
            switch value {
            case .string(let text): headers[name] = .text(Self.storable(text))
            case .integer(let number): headers[name] = .number(number)
            case .bool, .double, .bytes, .timestamp: break
            }
        }
        let ours = headers
        self.headers = ours
        func text(_ name: String) -> String {
            if case .text(let text) = ours[name] { text } else { "" }
        }
        firstFailureAt = DeadLetterFilter.date(text(HeaderName.firstFailure))
        lastFailureAt = DeadLetterFilter.date(text(HeaderName.lastFailure))
        worker = text(HeaderName.worker)
        bodySHA256 = text(HeaderName.bodyDigest)
        messageID = properties.messageID.map(Self.storable)
        if record.isReadable {
            let members = DeadLetterMembers(body: record.message.body)
            conversationID = members.conversationID.flatMap(Self.identifier)
            userID = members.userID.flatMap(Self.identifier)
        }
    }

    private static func identifier(_ text: String) -> String? {
        text.unicodeScalars.count <= longestID && !text.unicodeScalars.contains("\0") ? text : nil
    }

    /// No text of PostgreSQL's holds NUL.
    private static func storable(_ text: String) -> String {
        text.utf8.contains(0) ? text.replacing("\0", with: " ") : text
    }

    private enum CodingKeys: String, CodingKey {
        case id, code, reason, attempts, replays, worker, headers, copies
        case firstFailureAt = "first_failure_at", lastFailureAt = "last_failure_at"
        case bodyBytes = "body_bytes", bodySHA256 = "body_sha256"
        case conversationID = "conversation_id", userID = "user_id", messageID = "message_id"
    }

    static func json(_ rows: [DeadLetterRow]) -> String {
        let encoder = JSONEncoder.stored
        encoder.dateEncodingStrategy = .iso8601
        return encoder.certainText(rows)
    }
}
