import Postgres

/// Why `amity migrate` stopped; nothing was changed. In one line for people, with what to do.
package enum MigrationError: Error, CustomStringConvertible {
    case incompleteTable(name: String, missing: [String])
    /// It has one of our names.
    case notOurs(table: String, lacks: String)
    /// The service has its table, where the search_path does not lead.
    case elsewhere(table: String, schemas: [String])
    case noSchema(path: String, role: String)
    case standby
    case readOnly
    case forbidden(String)
    case locked(Duration)
    case doubleRows

    /// - Returns: nil where the error itself says enough.
    init?(_ error: PostgresError, lockTimeout: Duration) {
        switch error.sqlState {
        case "3F000": self = .noSchema(path: "", role: "")
        case "42501": self = .forbidden("\(error)")
        case "55P03": self = .locked(lockTimeout)
        case "25006": self = .readOnly
        case "23505": self = .doubleRows
        case _: return nil
        }
    }

    package var description: String {
        switch self {
        case .incompleteTable(let name, let missing):
            """
            table \(name) exists but lacks \(missing.joined(separator: ", ")). Amity does not \
            alter tables it did not make: add the columns as the service that owns them does
            """
        case .notOurs(let table, let lacks):
            """
            there is a table \(table) that Amity has not made: it lacks \(lacks). Give Amity a \
            schema of its own (CREATE SCHEMA …, first in the search_path), or rename that table; \
            if it is what is left of Amity's, drop it, and run amity migrate again
            """
        case .elsewhere(let table, let schemas):
            """
            table \(table) is in schema \(schemas.joined(separator: ", ")), which the search_path \
            does not lead to; a second, empty set of tables was not made. \
            \(Self.way(to: schemas)). To make a second set nevertheless: amity migrate --separate
            """
        case .noSchema(let path, let role):
            """
            no schema of the search_path\(path.isEmpty ? "" : " (\(path))") exists, or may be used\
            \(role.isEmpty ? "" : " by role \(role)"): create it, GRANT USAGE, CREATE on it, or \
            name another: \(Self.settings(for: "SCHEMA"))
            """
        case .standby:
            """
            the server is a standby, which takes no changes: name the primary in DATABASE_URL, or \
            all hosts with target_session_attrs=read-write
            """
        case .readOnly:
            """
            the server takes no changes (default_transaction_read_only, or it has become a \
            standby): name the primary, or switch that off for this role
            """
        case .forbidden(let what):
            """
            the role may not do what is needed (\(what)): run amity migrate as the owner of the \
            tables, with CREATE on the schema; deploy/grants.sql gives workers what they need
            """
        case .locked(let limit):
            """
            other sessions used a table for \(limit / .seconds(1)) s (pg_stat_activity shows them, \
            a long transaction or a backup perhaps): run it again when they have ended
            """
        case .doubleRows:
            """
            a table of Amity's has lost its primary key, and has two rows of one key since: delete \
            one of each, and run amity migrate again
            """
        }
    }

    /// How to have them found.
    package static func way(to schemas: [String]) -> String {
        guard let schema = schemas.first, schemas.count == 1 else {
            return "Have the right one found: \(settings(for: "SCHEMA"))"
        }
        return "Have it found: \(settings(for: schema))"
    }

    private static func settings(for schema: String) -> String {
        """
        ALTER ROLE … SET search_path = \(schema), or add options=-csearch_path%3D\(schema) to \
        DATABASE_URL
        """
    }
}
