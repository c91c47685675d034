import Postgres
import Testing

@testable import FlowOperations
@testable import Operations
@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// The statements that run each second or for each task find their rows by an index, with the
    /// plans that a session of Amity's makes.
    struct PlanTests {
        private static let id = Parameter.text(TaskID(firstAt: 1).text)

        private static func list(_ change: (inout TaskFilter) -> Void) -> (Statement, [Parameter]) {
            var filter = TaskFilter()
            change(&filter)
            let (statement, parameters) = TaskStore.listing(filter)
            return (statement, [.integer(20)] + parameters)
        }

        private static func page(
            _ state: TaskState?,
            _ index: String
        ) -> (Statement, [Parameter], String) {
            var filter = TaskFilter()
            filter.state = state
            let (statement, parameters) = OverviewSQL.page(filter)
            return (statement, [.integer(20)] + parameters, index)
        }

        private static var floors: [Parameter] {
            let floors = Priority.allCases.map { _ in "2026-01-01T00:00:00Z" }
            return [
                .integerArray([0, 1, 2, 3]), .integerArray([9, 9, 9, 9]),
                .textArray(floors), .textArray([]),
            ]
        }

        private static let ids = Parameter.textArray([TaskID(firstAt: 1).text])

        private static var statements: [(Statement, [Parameter], String)] {
            let text = Parameter.text("x")
            return [
                (
                    RunSQL.claim, [id, .integer(1), id, .null, .text("t")], "amity_tasks_pkey"
                ),
                (RunSQL.succeed, [id, .integer(1), .null], "amity_tasks_pkey"),
                (RunSQL.isCompleted, [id, .integer(1), .null], "amity_tasks_pkey"),
                (
                    RunSQL.succeedTogether, [ids, .integerArray([1]), .textArray([nil])],
                    "amity_tasks_pkey"
                ),
                (
                    RunSQL.claimTogether, [ids, .integerArray([1]), id, .textArray([nil])],
                    "amity_tasks_pkey"
                ),
                (
                    RunSQL.fail, [id, .integer(1), text, text, .text("t"), .null],
                    "amity_tasks_pkey"
                ),
                (
                    RunSQL.published,
                    [
                        .textArray([TaskID(firstAt: 1).text]), .integerArray([1]),
                        .textArray(["-infinity"]),
                    ],
                    "amity_tasks_pkey"
                ),
                (
                    WorkerSQL.progress,
                    [
                        .textArray([TaskID(firstAt: 1).text]), .integerArray([1]),
                        .textArray(["1"]), .textArray([nil]),
                    ],
                    "amity_tasks_pkey"
                ),
                (WorkerSQL.ownRuns, [id], "amity_tasks_worker_idx"),
                (SchedulerSQL.leaseDue, floors, "amity_tasks_due_idx"),
                (SchedulerSQL.expire, [.integer(9)], "amity_tasks_deadline_idx"),
                (SchedulerSQL.timeOut, [.integer(9)], "amity_tasks_worker_idx"),
                (SchedulerSQL.giveBackLost, [], "amity_tasks_worker_idx"),
                (SchedulerSQL.depths, [], "amity_tasks_pool_idx"),
                (
                    SchedulerSQL.leaseMissing, [text, .integer(1), .integer(9)],
                    "amity_tasks_pool_idx"
                ),
                (SchedulerSQL.lockOld, [.double(1), .integer(9)], "amity_tasks_finished_idx"),
                (NeedsSQL.wake, [ids], "amity_task_needs_needs_idx"),
                (NeedsSQL.wakeAndCall, [ids], "amity_task_needs_needs_idx"),
                (NeedsSQL.lockDue, [.integer(9)], "amity_tasks_blocked_idx"),
                (NeedsSQL.decide, [ids], "amity_tasks_pkey"),
                (NeedsSQL.findLost, [.integer(9)], "amity_tasks_blocked_idx"),
                (
                    LimitSQL.waitingKeys, [.text(""), .integer(9)],
                    "amity_tasks_limit_waiting_idx"
                ),
                (
                    LimitSQL.admit, [.textArray(["x"]), .integer(9)],
                    "amity_tasks_limit_occupied_idx"
                ),
                (
                    LimitSQL.list, [.null, .integer(11), .integer(9), .null],
                    "amity_tasks_limit_occupied_idx"
                ),
                (
                    LimitSQL.holding, [.null, .integer(11), .integer(9)],
                    "amity_tasks_limit_waiting_idx"
                ),
                (BatchPageSQL.page, [.null, .integer(11)], "amity_tasks_batch_idx"),
                (BatchPageSQL.one, [id], "amity_tasks_batch_idx"),
                (BatchSQL.members, [id, .integer(9)], "amity_task_needs_pkey"),
                (BatchSQL.decide, [ids], "amity_tasks_living_members_idx"),
                (SubmitSQL.settleBatches, [ids, .textArray(["x"])], "amity_tasks_batch_idx"),
                (
                    SubmitSQL.readTwins,
                    [
                        .textArray([nil]), .textArray(["x"]), .textArray(["x"]),
                        .integerArray([1]),
                    ],
                    "amity_tasks_unique_idx"
                ),
                (OperatorSQL.cancel, [id, .null], "amity_tasks_pkey"),
                (StatisticsSQL.rates, [], "amity_tasks_finished_idx"),
                (OverviewSQL.failed, [], "amity_tasks_failed_idx"),
                (OverviewSQL.facts, [id], "amity_tasks_pkey"),
                page(.processing, "amity_tasks_worker_idx"),
                page(.failed, "amity_tasks_failed_idx"),
                page(nil, "amity_tasks_pkey"),
            ]
                + [
                    (list { _ in }, "amity_tasks_pkey"),
                    (list { $0.kbID = "k" }, "amity_tasks_kb_idx"),
                    (list { $0.batchID = TaskID(firstAt: 1) }, "amity_tasks_batch_idx"),
                    (list { $0.state = .failed }, "amity_tasks_failed_idx"),
                    (list { $0.createdAfter = 1 }, "amity_tasks_pkey"),
                ].map { ($0.0.0, $0.0.1, $0.1) }
        }

        /// Fault: a statement reads all tasks that ever were, in each turn.
        @Test func hotStatementsUseTheirIndexes() throws {
            let scene = try TaskScene()
            try scene.sql(
                """
                INSERT INTO amity_tasks (id, type, pool, priority, state, due_at, max_attempts,
                    worker, kb_id, batch_id, deadline, unique_key, created_at, finished_at)
                SELECT amity_uuid7(now() + n * interval '1 ms'), 't' || n % 20, 'p' || n % 3,
                    n % 4, state, CASE WHEN state < 4 AND n % 2 = 0 OR n % 997 = 0
                        THEN now() + (n - 5000) * interval '1 s' END,
                    4, CASE WHEN state = 4 AND n % 997 > 0 THEN
                        amity_uuid7(now() + n % 7 * interval '1 s') END, 'k' || n % 50,
                    CASE WHEN n % 9 = 0 THEN amity_uuid7(now() + n % 5 * interval '1 s') END,
                    CASE WHEN n % 30 = 0 THEN now() + n * interval '1 s' END,
                    CASE WHEN n % 11 = 0 THEN n::text END, now(),
                    CASE WHEN state > 4 THEN now() - n * interval '1 m' END
                FROM (SELECT n, CASE WHEN n % 10 < 6 THEN 5 WHEN n % 10 = 6 THEN 6
                    WHEN n % 10 = 7 THEN 3 WHEN n % 10 = 8 THEN 0
                    WHEN n % 40 = 9 THEN 4 WHEN n % 40 = 19 THEN 1 ELSE 7 END AS state
                    FROM generate_series(1, 10000) AS n) AS made
                """
            )
            try scene.sql(
                """
                INSERT INTO amity_task_data (id, payload, timeout_seconds)
                SELECT id, '{}', 300 FROM amity_tasks
                """
            )
            try scene.sql(
                """
                INSERT INTO amity_task_needs
                SELECT id, lag(id) OVER (ORDER BY id), true FROM amity_tasks
                WHERE state IN (1, 5) ORDER BY id OFFSET 1
                """
            )
            for table in ["tasks", "task_data", "task_needs"] {
                try scene.sql("ANALYZE amity_\(table)")
            }
            var session = try Session(to: scene.scene.owner, applicationName: "plans")
            _ = try session.flight([
                // Whatever the planner likes, not only what it is left with.
                (Statement("sequential", "SET enable_seqscan = on"), [])
            ])
            for (statement, parameters, index) in Self.statements {
                let lines = try session.plan(of: statement, parameters).joined(separator: "\n")
                #expect(lines.contains(index), "\(statement.name): \(lines)")
                let isRead =
                    lines.contains("Seq Scan on amity_task_data")
                    || lines.contains("Seq Scan on amity_tasks")
                    || lines.contains("Seq Scan on amity_task_needs")
                #expect(!isRead, "\(statement.name): \(lines)")
            }
        }

        /// Fault: a plan that was made while there were few tasks, or while few of many were
        /// queued, reads all of them later: an end took 12 ms with 8,000 tasks, a claim 35 ms among
        /// 11,000.
        @Test(arguments: [0, 10_000]) func aPlanOfFewTasksServesMany(scheduled: Int) throws {
            let scene = try TaskScene()
            try scene.sql(
                """
                INSERT INTO amity_tasks (id, type, pool, priority, state, due_at, max_attempts,
                    created_at)
                SELECT amity_uuid7(now() + n * interval '1 ms'), 'benchmark', 'default', 2, 0,
                    now() + interval '1 h', 4, now() FROM generate_series(1, \(scheduled)) AS n
                """
            )
            if scheduled > 0 { try scene.sql("ANALYZE amity_tasks") }
            var session = try Session(to: scene.scene.owner, applicationName: "plans")
            let byID = Self.statements.filter {
                $0.2 == "amity_tasks_pkey" && !$0.0.name.hasPrefix("list")
                    && !$0.0.name.hasPrefix("page")
            }
            let others = [
                RunSQL.isSuspect, RunSQL.unhandled, RunSQL.giveBack, RunSQL.handOver,
                NeedsSQL.wake, NeedsSQL.wakeAndCall, BatchSQL.decide, LimitSQL.admit,
                SubmitSQL.settleBatches,
            ]
            for statement in byID.map(\.0) + others {
                let plan = try genericPlan(of: statement, &session)
                for (number, line) in plan.enumerated() where line.contains("on amity_task") {
                    let isScan = line.contains("Index Scan") || line.contains("Index Only Scan")
                    let next = number + 1 < plan.count ? plan[number + 1] : ""
                    #expect(
                        !line.contains("Seq Scan") && (!isScan || next.contains("Index Cond")),
                        "\(statement.name): \(plan.joined(separator: "\n"))"
                    )
                }
            }
        }

        /// The one that is kept for all parameters.
        private func genericPlan(
            of statement: Statement,
            _ session: inout Session
        ) throws -> [String] {
            let count = (1...9).last { statement.sql.contains("$\($0)") } ?? 0
            let none = Array(repeating: "NULL", count: count).joined(separator: ", ")
            let name = "plan_\(statement.name)"
            let explain = "EXPLAIN (COSTS OFF) EXECUTE \(name)(\(none))"
            let rows = try session.flight([
                (Statement("p_" + name, "PREPARE \(name) AS \(statement.sql)"), []),
                (Statement("e_" + name, explain), []),
            ])
            return (0..<rows[1].count).compactMap { rows[1].string($0, 0) }
        }

        /// Fault: a plan does not know how short a page is, and a page of a million tasks reads all
        /// their data.
        @Test func aPageReadsNoMoreDataThanItShows() throws {
            let scene = try TaskScene()
            var session = try Session(to: scene.scene.owner, applicationName: "plans")
            // As the planner does not like it for a tenth of many rows.
            _ = try session.flight([(Statement("joins", "SET enable_nestloop = off"), [])])
            for page in [Self.page(nil, ""), Self.page(.processing, "")] {
                try expectOneReadEach(page.0, page.1, &session)
            }
            let (list, parameters) = Self.list { $0.kbID = "k" }
            try expectOneReadEach(list, parameters, &session)
        }

        private func expectOneReadEach(
            _ statement: Statement,
            _ parameters: [Parameter],
            _ session: inout Session
        ) throws {
            let explain = Statement(
                "explain_\(statement.name)",
                "EXPLAIN (COSTS OFF) \(statement.sql)"
            )
            let rows = try session.flight([(explain, parameters)])[0]
            let plan = (0..<rows.count).compactMap { rows.string($0, 0) }
            let reads = plan.indices.filter { plan[$0].contains("on amity_task_data") }
            let areByID = reads.allSatisfy { index in
                plan[min(index + 1, plan.count - 1)].contains("Index Cond: (id = task")
            }
            #expect(reads.count == 1 && areByID, "\(plan.joined(separator: "\n"))")
        }

        /// Fault: many tasks have come to wait since the statistics were made, and the end of each
        /// task, or each look at the limits, reads all of them.
        @Test func whatWaitsIsFoundByItsIDWhateverTheStatisticsSay() throws {
            let scene = try TaskScene()
            for table in ["tasks", "task_needs", "limit_keys"] {
                try scene.sql("ANALYZE amity_\(table)")
            }
            try scene.sql(
                """
                INSERT INTO amity_tasks (id, type, pool, priority, state, limit_key, max_attempts,
                    created_at)
                SELECT amity_uuid7(now() + n * interval '1 ms'), 't', 'p', 1, 1 + n % 2,
                    CASE WHEN n % 2 = 1 THEN 't' END, 4, now()
                FROM generate_series(1, 8000) AS n
                """
            )
            var session = try Session(to: scene.scene.owner, applicationName: "plans")
            for (statement, parameters, all) in [
                (NeedsSQL.wake, [Self.ids], "amity_tasks_blocked_idx"),
                (NeedsSQL.wakeAndCall, [Self.ids], "amity_tasks_blocked_idx"),
                (NeedsSQL.decide, [Self.ids], "amity_tasks_blocked_idx"),
                (
                    LimitSQL.admit, [.textArray(["t"]), .integer(9)],
                    "Filter: (id = ANY"
                ),
            ] {
                let plan = try session.plan(of: statement, parameters)
                let isRead = plan.joined().contains(all)
                #expect(!isRead, "\(plan.joined(separator: "\n"))")
            }
        }

        /// Fault: a backlog has become due since the statistics were made, and setting a thousand
        /// rows to rest reads all that is queued: it takes longer than their leases, and each is
        /// published again and again.
        @Test func confirmedRowsAreFoundByTheirIDsWhateverIsQueued() throws {
            let scene = try TaskScene()
            try scene.sql(
                """
                INSERT INTO amity_tasks (id, type, pool, priority, state, max_attempts, created_at)
                SELECT amity_uuid7(now() + n * interval '1 ms'), 'test', 'default', 2, 0, 4, now()
                FROM generate_series(1, 10000) AS n
                """
            )
            try scene.sql("ANALYZE amity_tasks")
            try scene.sql("UPDATE amity_tasks SET state = 3, due_at = now()")
            let ids = try scene.sql("SELECT id FROM amity_tasks LIMIT 1000").map {
                row throws(PostgresError) in
                try row.text() ?? ""
            }
            var session = try Session(to: scene.scene.owner, applicationName: "plans")
            let explain = Statement("explain", "EXPLAIN (COSTS OFF) \(RunSQL.published.sql)")
            let parameters: [Parameter] = [
                .textArray(ids), .integerArray(ids.map { _ in 1 }),
                .textArray(ids.map { _ in "-infinity" }),
            ]
            let rows = try session.flight([(explain, parameters)])[0]
            let plan = (0..<rows.count).compactMap { rows.string($0, 0) }
            let indexes = plan.filter { $0.contains("amity_tasks_") }
            #expect(indexes.count == 1 && indexes[0].contains("amity_tasks_pkey"), "\(indexes)")
        }
    }
}
