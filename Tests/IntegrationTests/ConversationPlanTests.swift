import Postgres
import Testing

@testable import Conversations

extension Integration {
    /// The statements of the hot path find their rows by an index, whatever the tables were like
    /// when their plans were made.
    struct ConversationPlans {
        private static let statements: [(Statement, [Parameter])] = {
            let none = Parameter.textArray([])
            return [
                (SQL.readAndLock, [none, .text("speakers")]),
                (SQL.readAndLockWithTopics, [none, .text("speakers"), none]),
                (SQL.lockUsers, [none]), (SQL.readEvents, [none, .text("all")]),
                (SQL.readConversationsAndTopics, [none, .text("speakers")]),
                (SQL.readTopics, [none, none]), (SQL.insertNewUsers, [none]),
                (SQL.updateUsersAndTopic, .init(repeating: none, count: 6)),
                (SQL.updateEvents, [.integerArray([]), .doubleArray([]), none, none, none]),
            ]
        }()

        /// Fault: a plan that was made on empty tables reads full ones from their begin to their
        /// end, in each batch.
        @Test(arguments: [false, true])
        func hotStatementsFindRowsByTheirKeys(areEmpty: Bool) throws {
            let scene = try Scene()
            if !areEmpty {
                try scene.sql(
                    """
                    INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id,
                        bot_name, start_time, end_time, conversation_log)
                    SELECT 'c' || n, 'u' || n % 500, 'TALK', 'b', 'Pika', now(), now(), '[]'
                    FROM generate_series(1, 5000) AS n
                    """
                )
                try scene.sql(
                    "INSERT INTO friendship_status (user_id) SELECT 'u' || generate_series(0, 499)"
                )
                for table in ["conversation_events", "friendship_status"] {
                    try scene.sql("VACUUM ANALYZE \(table)")
                }
            }
            var session = try Session(to: scene.settings.database, applicationName: "plans")
            for (statement, parameters) in Self.statements {
                let plan = try session.plan(of: statement, parameters)
                let lines = plan.joined(separator: "\n")
                for table in ["conversation_events", "friendship_status"] {
                    #expect(!lines.contains("Seq Scan on \(table)"), "\(statement.name): \(lines)")
                }
                // What goes through an index as a whole has no condition.
                let scans = plan.indices.filter {
                    plan[$0].contains("Index") && plan[$0].contains("Scan")
                        && !plan[$0].contains("agenda")
                }
                for scan in scans {
                    let hasCondition = plan[scan...].dropFirst().prefix(3)
                        .contains { $0.contains("Index Cond") }
                    #expect(hasCondition, "\(statement.name): \(lines)")
                }
            }
        }
    }
}
