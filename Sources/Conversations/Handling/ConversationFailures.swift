import Messaging
import Postgres
import WorkerHealth

extension Outcome {
    static func deadLetter(_ error: PostgresError, _ id: ExactText) -> Outcome {
        .deadLetter(.refused(error, id))
    }

    /// Another transaction holds its row. Not the message's fault, so no attempt is spent, for
    /// hours.
    static func inConflict(_ id: ExactText) -> Outcome {
        let failure = Failure(
            code: "CONFLICT",
            reason: "another transaction has its rows locked, or changes them all the time",
            subject: id.text
        )
        return .postpone(failure, isBounded: true)
    }
}

extension Failure {
    /// One conversation that the database refuses.
    static func refused(_ error: PostgresError, _ id: ExactText) -> Failure {
        if error.isGuard { return .notWritten.about(id.text) }
        return Failure(
            code: error.kind == .timeout ? "TASK_TIMEOUT" : "UNEXPECTED_ERROR",
            reason: error.description,
            subject: id.text
        )
    }

    static let notWritten = Failure(
        code: "NOT_WRITTEN",
        reason: "the database left its rows as they were, without an error: a trigger that returns "
            + "NULL, or row level security, on conversation_events or friendship_status"
    )
    static let conversationNotFound = Failure(
        code: "CONVERSATION_NOT_FOUND",
        reason: "conversation_events has no row with this conversation_id"
    )
    static let invalidScore = Failure(
        code: "INVALID_SCORE",
        reason: "the change is not a finite number"
    )
}

extension LinkHealth.Problem {
    static let hidden = LinkHealth.Problem(
        link: .database,
        subject: "conversation_events",
        kind: .schema,
        code: "row-security",
        text: "conversation_events: row level security hides rows from the worker's role",
        remedy: "a policy for the role (FOR ALL USING (true)), or ALTER ROLE … BYPASSRLS"
    )
    static let noneFound = LinkHealth.Problem(
        link: .database,
        subject: "conversation_events",
        kind: .schema,
        code: "none-found",
        text: "conversation_events has none of the last conversations that were looked for",
        remedy: "check that the producers write to this database and this schema"
    )
}
