import Concurrency
import HTTPServing
import Logging
import Postgres
import Tasks

/// Calls the store from Swift's tasks, on threads of their own, and answers for its errors.
struct StoreCalls: Sendable {
    /// Sessions for them. Chosen: short statements by primary key, and a list now and then.
    static let mostAtOnce = 4

    let store: TaskStore
    /// Told what the database did: nil where it answered.
    let note: @Sendable (PostgresError?) -> Void
    let logger: Logger
    private let places = AsyncSemaphore(mostAtOnce)
    private let isSetUp = Locked(true)

    /// - Throws: `Problem`, or `CancellationError`.
    func callAsFunction<Value: Sendable>(
        _ body: @escaping @Sendable (TaskStore) throws(PostgresError) -> Value
    ) async throws -> Value {
        guard await places.acquire() else { throw CancellationError() }
        defer { places.release() }
        let store = store
        do throws(PostgresError) {
            let value = try await onThread(named: "amity-tasks", stackBytes: 512 << 10) {
                () throws(PostgresError) in
                try body(store)
            }
            note(nil)
            return value
        } catch {
            throw problem(error)
        }
    }

    /// What a client is told. Without the error's words: they name hosts and tables.
    func problem(_ error: PostgresError) -> Problem {
        if error.kind == .misconfigured && !error.isFromConnecting {
            noteMissing(error)
            return Problem(
                .serviceUnavailable,
                code: Problem.notSetUp,
                "the tables of tasks are missing, or not for this role: run amity migrate, and "
                    + "deploy/grants.sql with -v tasks=1",
                retryAfter: 60
            )
        }
        if error.endsSession || [.unavailable, .timeout, .misconfigured].contains(error.kind) {
            note(error)
            return .unavailable
        }
        switch error.kind {
        case .conflict: return .unavailable
        case .permanent:
            return Problem(
                .unprocessableContent,
                code: "refused",
                "the database cannot store these values"
            )
        case _:
            logger.error("tasks.database-failed", metadata: ["error": "\(error)"])
            return Problem(.internalServerError, code: "internal", "the server failed")
        }
    }

    /// Once: intake may be all that this process is for.
    private func noteMissing(_ error: PostgresError) {
        let isFirst = isSetUp.withLock { isSetUp in
            defer { isSetUp = false }
            return isSetUp
        }
        if isFirst { logger.warning("tasks.not-set-up", metadata: ["error": "\(error)"]) }
    }
}

extension Problem {
    static let notSetUp = "tasks_not_set_up"
    static let unavailable = Problem(
        .serviceUnavailable,
        code: "database_unavailable",
        "the database does not answer; try again",
        retryAfter: 5
    )
}
