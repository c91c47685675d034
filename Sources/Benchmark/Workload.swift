import Postgres

/// What conversations a benchmark makes up, and on what tables.
package enum Workload: String, CaseIterable, Sendable {
    /// Users that are all known, no agents, the tables as Amity makes them.
    case plain
    /// As a service has it: few users, all new at first, an agent with a topic on every
    /// conversation, and the indexes of its tables that most of them have.
    case service
    /// The same with all indexes of the Python service, those over whole logs among them.
    case legacy

    /// Chosen: a user for each conversation of a run as long as the default; ten for each user.
    package var users: Int { self == .plain ? 20_000 : 2000 }

    var hasAgents: Bool { self != .plain }
    var usersAreKnown: Bool { self == .plain }

    var indexes: [Statement] {
        let serviceIndexes = ["(status)", "(next_attempt_at)", "(user_id)"]
        let legacyIndexes = [
            "(created_at)", "(bot_type)", "(bot_id)", "(status, next_attempt_at)",
            "USING gin (conversation_log)", "USING gin (raw_conversation_log)",
        ]
        let events =
            switch self {
            case .plain: [String]()
            case .service: serviceIndexes
            case .legacy: serviceIndexes + legacyIndexes
            }
        let users =
            self == .legacy
            ? ["(friendship_score)", "(friendship_level)", "(updated_at DESC)"] : []
        return events.map { Self.index("conversation_events", $0) }
            + users.map { Self.index("friendship_status", $0) }
    }

    private static func index(_ table: String, _ columns: String) -> Statement {
        Statement("index_\(table)_\(columns)", "CREATE INDEX ON \(table) \(columns)")
    }
}
