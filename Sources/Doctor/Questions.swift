import Foundation
import Postgres

/// Asks one question after the other. What one of them meets does not hide the answers to the
/// others: a session that it has broken is replaced.
struct Questions: ~Copyable {
    private let target: ConnectionTarget
    private var session: Session
    /// What could not be asked, and why.
    private(set) var unseen: [String] = []

    /// A statement that takes longer is given up: the doctor must not be a load.
    private static let patience: Duration = .seconds(2)

    init(to target: ConnectionTarget) throws(PostgresError) {
        self.target = target
        session = try Self.open(target)
    }

    var announcedProcess: Int { session.announcedProcess }
    var isEncrypted: Bool { session.isEncrypted }

    private static func open(_ target: ConnectionTarget) throws(PostgresError) -> Session {
        try Session(to: target, applicationName: "amity doctor", statementTimeout: patience)
    }

    /// nil where there was no answer. A table, column or grant that is missing is left to the
    /// checks that are about those.
    ///
    /// - Parameters:
    ///   - what: what is asked, for people.
    ///   - read: reads one row of the answer.
    mutating func ask<Answer>(
        _ what: String,
        _ sql: String,
        _ parameters: [Parameter],
        _ read: (inout RowReader) throws(PostgresError) -> Answer
    ) -> [Answer]? {
        do throws(PostgresError) {
            return try ask(sql, parameters, read)
        } catch {
            let isChecked = error.isMissingOrForbidden || error.sqlState == "42703"
            if !isChecked { unseen.append("\(what) (\(Self.reason(error)))") }
            return nil
        }
    }

    mutating func ask<Answer>(
        _ sql: String,
        _ parameters: [Parameter] = [],
        _ read: (inout RowReader) throws(PostgresError) -> Answer
    ) throws(PostgresError) -> [Answer] {
        if session.isBroken { session = try Self.open(target) }
        // Under a name of its own: behind a pooler that of another session may be there.
        return try session.flight([(Statement(Self.name(), sql), parameters)])[0].map(read)
    }

    /// Prepares a statement, unless it has done so before, and runs it.
    mutating func run(_ statement: Statement) throws(PostgresError) {
        _ = try session.flight([(statement, [])])
    }

    private static func reason(_ error: PostgresError) -> String {
        if error.kind == .timeout { return "no answer within \(patience / .seconds(1)) s" }
        return error.sqlState.isEmpty ? "no answer" : "SQLSTATE \(error.sqlState)"
    }

    static func name() -> String { "doctor_" + UUID().uuidString.prefix(13) }
}
