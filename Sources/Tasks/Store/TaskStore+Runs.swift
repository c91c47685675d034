import Digests
import Postgres

package enum ClaimOutcome: Sendable {
    case claimed(ClaimedTask)
    /// It may have ended a worker, and something else runs in this one: later, or elsewhere.
    case suspect
    /// Another worker has it, or it has ended, or a newer message is on its way.
    case outdated
}

/// A run that a message has named, for a worker that has room for it.
package struct TaskClaim: Sendable {
    package var id: TaskID
    package var run: Int
    package var worker: TaskID
    /// For a service that may report later.
    package var token: RunToken?

    package init(id: TaskID, run: Int, worker: TaskID, token: RunToken? = nil) {
        (self.id, self.run, self.worker, self.token) = (id, run, worker, token)
    }

    func parameters(mayRunAlone: Bool) -> [Parameter] {
        [
            .id(id), .integer(run), .id(worker), .optional(token?.digest.hexadecimal),
            .bool(mayRunAlone),
        ]
    }
}

/// How a run ended.
package enum RunOutcome: Sendable {
    /// JSON of at most `TaskStore.largestResult` bytes; nil for none.
    case succeeded(result: String?)
    /// - after: seconds until the next run, at most `RetryRule.longestDelay`; nil for the backoff.
    case failed(code: String, message: String, retries: Bool, after: Double? = nil)
    /// Not now; costs no attempt.
    ///
    /// - code: of the service's answer that asks for it; nil where none does.
    case snoozed(seconds: Double, code: String? = nil, message: String = "")
    /// The handler has stopped as it was asked to.
    case stopped
}

/// What may become of a run token.
package struct RunTokenHolder: Sendable, Equatable {
    package var state: TaskState
    package var run: Int
    package var isHandedOver: Bool
    package var isCancelAsked: Bool
}

extension TaskStore {
    /// In bytes of JSON.
    package static let largestResult = 64 << 10
    /// Of an error's message, in characters.
    private static let longestMessage = 1_000

    /// When this returns the message may be acked.
    ///
    /// - Parameter mayRunAlone: whether this worker runs nothing else, so that a suspect may begin.
    package func claim(
        _ claim: TaskClaim,
        mayRunAlone: Bool
    ) throws(PostgresError) -> ClaimOutcome {
        let parameters = claim.parameters(mayRunAlone: mayRunAlone)
        let claimed = try rows(of: RunSQL.claim, parameters, ClaimedTask.init)
        if let task = claimed.first { return .claimed(task) }
        if mayRunAlone { return .outdated }
        let key: [Parameter] = [.id(claim.id), .integer(claim.run)]
        return try count(of: RunSQL.isSuspect, key) > 0 ? .suspect : .outdated
    }

    /// Leaves a task to a worker that has a handler for it.
    package func unhandled(_ id: TaskID, run: Int) throws(PostgresError) -> Bool {
        try count(of: RunSQL.unhandled, [.id(id), .integer(run)]) > 0
    }

    /// Ends a run.
    ///
    /// - Parameters:
    ///   - effects: statements of the handler's own, in the same transaction: they take effect
    ///     once, or not at all where the run was fenced off.
    ///   - hasCallback: as the claim has told; true where that is not known.
    /// - Returns: what became of the task; nil where the run was fenced off.
    package func finish(
        _ id: TaskID,
        run: Int,
        as outcome: RunOutcome,
        with effects: [(Statement, [Parameter])] = [],
        hasCallback: Bool = true
    ) throws(PostgresError) -> MovedTask? {
        let (statement, parameters) = Self.ending(id, run, outcome)
        do throws(PostgresError) {
            if effects.isEmpty {
                return try move(id, by: statement, parameters, hasCallback: hasCallback)
            }
            return try end(id, with: (statement, parameters), effects, hasCallback: hasCallback)
        } catch {
            // What a handler answers may be no JSON for PostgreSQL; its own statements are its own
            // matter.
            guard case .succeeded(.some) = outcome, error.kind == .permanent,
                error.operation == statement.name
            else { throw error }
        }
        let (refused, rest) = Self.ending(id, run, Self.failure(.resultRefused))
        return try move(id, by: refused, rest)
    }

    private func end(
        _ id: TaskID,
        with ending: (Statement, [Parameter]),
        _ effects: [(Statement, [Parameter])],
        hasCallback: Bool
    ) throws(PostgresError) -> MovedTask? {
        try sessions.withSession { session throws(PostgresError) in
            let fenced = try session.flight([(.begin, []), ending])[1]
            guard let moved = try fenced.map(MovedTask.init).first else {
                _ = try session.flight([(.rollback, [])])
                return nil
            }
            _ = try session.flight(effects + [Self.waking(id, hasCallback), (.commit, [])])
            return moved
        }
    }

    private static func ending(
        _ id: TaskID,
        _ run: Int,
        _ outcome: RunOutcome
    ) -> (Statement, [Parameter]) {
        let key: [Parameter] = [.id(id), .integer(run)]
        switch outcome {
        case .succeeded(let result?) where result.utf8.count > largestResult:
            return ending(id, run, failure(.resultTooLarge))
        case .succeeded(let result): return (RunSQL.succeed, key + [.optional(result)])
        case .failed(let code, let message, let retries, let seconds):
            return (
                RunSQL.fail,
                key + [
                    .text(storable(code)), .text(storable(message)), .bool(retries),
                    delay(seconds).map(Parameter.double) ?? .null,
                ]
            )
        case .snoozed(let seconds, let code, let message):
            let answer: [Parameter] = [
                .optional(code.map(storable)), .text(storable(message)),
            ]
            return (RunSQL.snooze, key + [.double(max(0, seconds))] + answer)
        case .stopped: return (RunSQL.stop, key)
        }
    }

    /// What a handler computes may be no span of time.
    private static func delay(_ seconds: Double?) -> Double? {
        guard let seconds, !seconds.isNaN else { return nil }
        return min(max(0, seconds), RetryRule.longestDelay)
    }

    /// Another run would answer the same.
    private static func failure(_ code: TaskErrorCode) -> RunOutcome {
        .failed(code: code.rawValue, message: code.message, retries: false)
    }

    /// PostgreSQL's text holds no NUL.
    static func storable(_ text: String) -> String {
        String(text.prefix(longestMessage)).replacing("\0", with: "\u{FFFD}")
    }

    /// For a process that lost the answer to the COMMIT of an end: where the task ended with this
    /// run, that was it. Else the end has to be tried again, and may be fenced off.
    package func lastState(of id: TaskID, run: Int) throws(PostgresError) -> TaskState? {
        let found = try rows(of: OperatorSQL.look, [.id(id), .null], MovedTask.init).first
        return found.flatMap { $0.state.isFinal && $0.run == run ? $0.state : nil }
    }

    /// For a service that lost the answer to its report: whether the task was completed by this run
    /// with the same result.
    package func isCompleted(
        _ id: TaskID,
        run: Int,
        result: String?
    ) throws(PostgresError) -> Bool {
        try count(of: RunSQL.isCompleted, [.id(id), .integer(run), .optional(result)]) > 0
    }

    /// Gives a run back that this worker will not do: no attempt.
    package func giveBack(
        _ id: TaskID,
        run: Int,
        worker: TaskID
    ) throws(PostgresError) -> MovedTask? {
        try move(id, by: RunSQL.giveBack, [.id(id), .integer(run), .id(worker)])
    }

    /// A service reports later: from now on the run has no worker, and a time limit.
    ///
    /// - Parameter timeout: in seconds.
    package func handOver(
        _ id: TaskID,
        run: Int,
        worker: TaskID,
        timeout: Int
    ) throws(PostgresError) -> MovedTask? {
        let parameters: [Parameter] = [
            .id(id), .integer(run), .id(worker), .integer(timeout),
        ]
        return try move(id, by: RunSQL.handOver, parameters)
    }

    /// Progress that a service tells of. The time limit of a run that was handed over begins anew.
    ///
    /// - Returns: whether the run is still its own.
    package func reportProgress(
        _ id: TaskID,
        run: Int,
        percent: Int?,
        note: String?
    ) throws(PostgresError) -> Bool {
        let parameters: [Parameter] = [
            .id(id), .integer(run), percent.map(Parameter.integer) ?? .null,
            .optional(note.map(Self.storable)),
        ]
        if try count(of: RunSQL.reportProgress, parameters) > 0 { return true }
        return try count(of: RunSQL.tellProgress, parameters) > 0
    }

    /// - Returns: nil where the token is not the task's, or not its latest.
    package func holder(
        of token: RunToken,
        task: TaskID
    ) throws(PostgresError) -> RunTokenHolder? {
        let parameters: [Parameter] = [.id(task), .text(token.digest.hexadecimal)]
        return try rows(of: RunSQL.tokenHolder, parameters) { row throws(PostgresError) in
            RunTokenHolder(
                state: try row.integer().flatMap(TaskState.init(rawValue:)) ?? .failed,
                run: try row.integer() ?? 0,
                isHandedOver: try row.bool() ?? false,
                isCancelAsked: try row.bool() ?? false
            )
        }.first
    }
}
