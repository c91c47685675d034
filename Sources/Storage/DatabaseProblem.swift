import Postgres
import WorkerHealth

extension LinkHealth.Problem {
    /// nil for what is no error of the database's.
    package init?(of error: any Error) {
        guard let error = error as? PostgresError else { return nil }
        self = error.problem
    }
}

extension PostgresError {
    /// The error as a problem of the database link.
    package var problem: LinkHealth.Problem {
        let kind = problemKind
        return .init(
            link: .database,
            kind: kind,
            code: isRestart ? "no answer" : sqlState,
            text: "\(self)",
            remedy: remedy(kind)
        )
    }

    /// The link is gone, or the server is going down or coming up, perhaps behind PgBouncer: one
    /// cause, with many words.
    private var isRestart: Bool {
        ["", "57P01", "57P02", "57P03"].contains(sqlState) || isFromPgBouncer
    }

    private var problemKind: LinkHealth.Kind {
        switch kind {
        case .misconfigured: isFromConnecting ? .refused : .schema
        case .unavailable: sqlState.hasPrefix("53") && isFromConnecting ? .refused : .away
        case .conflict: isGuard ? .schema : outdatesSession ? .refused : .away
        case .timeout: .away
        case .permanent, .unknown: .schema
        }
    }

    private func remedy(_ kind: LinkHealth.Kind) -> String? {
        switch sqlState {
        case "28000", "28P01":
            return "check the user and the password, and the server's pg_hba.conf"
        case "3D000": return "check the name of the database"
        case "53300": return "lower DATABASE_SESSIONS_MAX, or let the role have more connections"
        case "25006": return "point DATABASE_URL at the primary, or wait for the failover"
        case "42501":
            return "give the role what deploy/grants.sql lists"
        case "23502":
            let column = [place.table, place.column].compactMap(\.self).joined(separator: ".")
            return "give \(column.isEmpty ? "the column" : column) a default, or let it be null"
        case _: break
        }
        switch kind {
        case .schema where self.kind == .misconfigured:
            return "run amity migrate; check the search_path"
        case .schema:
            return "look for a trigger, constraint, generated column or policy that refuses them"
        case .away, .refused, .blocked, .missing, .notTaken, .badAnswer, .short: return nil
        }
    }
}
