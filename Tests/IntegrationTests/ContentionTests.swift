import Concurrency
import Consuming
import Dispatch
import FriendshipScoring
import Messaging
import Postgres
import TestSupport
import Testing
import WorkerHealth

@testable import Conversations
@testable import WorkerRuntime

extension Integration {
    /// Batches that meet on users.
    struct Contention {
        private struct NoAnalysis: LocalAnalyser {
            let isImmediate = true
            let source = AnalysisSource.zeros
            let calls = Locked(0)

            func analyse(_ conversation: FinishedConversation) -> Analysis {
                calls.withLock { $0 += 1 }
                return .none
            }
        }

        let scene: Scene
        private let analyser = NoAnalysis()
        let handler: ConversationHandler

        init(batchLimit: Int = 32) throws {
            scene = try Scene()
            let settings = scene.settings
            handler = ConversationHandler(
                store: ConversationStore(
                    sessions: SessionPool(
                        target: settings.database,
                        limit: 3,
                        applicationName: "test",
                        statementTimeout: settings.taskTimeout
                    ),
                    readAheadFor: .seconds(60)
                ),
                analyser: analyser,
                weights: settings.weights,
                batchLimit: batchLimit,
                taskTimeout: settings.taskTimeout,
                holdLimit: settings.holdLimit,
                outage: DatabaseOutage(
                    consumption: Consumption(),
                    readiness: Readiness(logger: quiet),
                    logger: quiet
                ),
                logger: quiet
            )
        }

        /// - Parameters:
        ///   - overdue: those that have been put back three times.
        ///   - upcoming: those that wait for a thread.
        func handle(
            _ ids: [String],
            overdue: Set<String> = [],
            upcoming: [String] = []
        ) -> [Outcome] {
            begin(ids, overdue: overdue, upcoming: upcoming)()
        }

        /// - Returns: what waits for the outcomes.
        func begin(
            _ ids: [String],
            overdue: Set<String> = [],
            upcoming: [String] = [],
            patience: Duration = .milliseconds(250)
        ) -> () -> [Outcome] {
            var handler = handler
            handler.patience = patience
            let pool = ThreadPool(count: 1, name: "test")
            let outcomes = Locked<[Outcome]>([])
            let done = DispatchSemaphore(value: 0)
            let deliveries = ids.enumerated().map { tag, id in
                var delivery = Delivery(
                    id: DeliveryID(session: 1, tag: UInt64(tag + 1)),
                    message: Self.message(id),
                    redelivered: false,
                    receivedAt: .now
                )
                delivery.deferrals = overdue.contains(id) ? 3 : 0
                return delivery
            }
            pool.run { [handler = handler] slot in
                let context = HandlerContext(slot: slot, drain: DrainSignal()) { most in
                    upcoming.prefix(most).map(Self.message)
                }
                outcomes.withLock { $0 = handler.handle(deliveries, in: context) }
                done.signal()
            }
            return {
                done.wait()
                pool.close()
                return outcomes.withLock { $0 }
            }
        }

        private static func message(_ id: String) -> Message {
            Message(properties: MessageProperties(), body: Scene.body(id, ignoring: 0))
        }

        /// Fault: a batch waits for another's commit because they have one user of many in common,
        /// and a processor is idle.
        @Test func aBatchPassesOverUsersThatAnotherHolds() throws {
            for id in ["held", "a", "b", "c", "d"] { try scene.addConversation(id, user: id) }
            for id in ["new", "newer"] { try scene.addConversation(id, user: id) }
            try scene.addConversation("late", user: "held")
            for id in ["1", "2", "3", "4"] { try scene.addConversation(id, user: "a") }
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id)
                SELECT unnest(ARRAY['held', 'a', 'b', 'c', 'd'])
                """
            )
            try scene.lock("SELECT 1 FROM friendship_status WHERE user_id = 'held' FOR UPDATE")
            let first = handle(["a", "held", "b", "c", "d", "a"])
            #expect(first == [.done, .deferred, .done, .done, .done, .duplicate])

            // The same where users are made on the way.
            #expect(handle(["new", "1"]) == [.done, .done])
            let second = handle(["2", "held", "newer", "3", "4", "late"])
            #expect(second == [.done, .deferred, .done, .done, .done, .deferred])

            // It is not put back for ever.
            let last = handle(["held", "a"], overdue: ["held", "a"])
            guard case .postpone(_, isBounded: _) = last[0] else {
                Issue.record("\(last[0])")
                return
            }
            #expect(last[1] == .duplicate)
            try scene.sql("COMMIT")
            #expect(handle(["held", "late"]) == [.done, .done])
            #expect(try scene.count("status = 'PROCESSED'") == 12)
            #expect(try scene.score(of: "held") == 2)
        }

        /// Fault: where few users have most conversations each batch reads and judges its own while
        /// it holds them, and batches of one worker wait for each other in the database, and so
        /// other workers' batches for all of them.
        @Test func whereUsersAreContendedOneBatchAtATimeLocksThemWhenItHasJudged() throws {
            for id in ["a", "b", "c", "d", "e"] { try scene.addConversation(id, user: id) }
            handler.store.expected.passedOver(1, of: 3)
            handler.turn.wait()
            let outcomes = begin(["a", "b"], patience: .seconds(60))
            try eventually("all are judged") { analyser.calls.withLock { $0 } == 2 }
            // Longer than it would take the other one to go on.
            #expect(handle(["c"]) == [.done])
            #expect(try scene.count("status = 'PROCESSED'") == 1)
            // What probably waits for something else is not waited for.
            #expect(begin(["d", "e"], patience: .zero)() == [.done, .done])
            handler.turn.signal()
            #expect(outcomes() == [.done, .done])
            #expect(analyser.calls.withLock { $0 } == 5)
            #expect(handler.turn.wait(atMost: .zero), "it is given back")
        }

        /// Fault: a conversation that is corrected while its batch waits is scored as it was.
        @Test func whatIsJudgedAheadIsJudgedAnewInTheNextTransaction() throws {
            for id in ["a", "held"] { try scene.addConversation(id, user: id) }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('a'), ('held')")
            try scene.lock("SELECT 1 FROM friendship_status WHERE user_id = 'held' FOR UPDATE")
            handler.store.expected.passedOver(1, of: 3)
            let outcomes = begin(["a", "held"])
            try eventually("both are judged") { analyser.calls.withLock { $0 } == 2 }
            var other = try Session(to: scene.settings.database, applicationName: "other")
            let correction = Statement(
                "correction",
                "UPDATE conversation_events SET conversation_log = '[]' WHERE user_id = 'a'"
            )
            _ = try other.flight([(correction, [])])
            try eventually("it waits in vain, and judges again") {
                analyser.calls.withLock { $0 } > 2
            }
            try scene.sql("COMMIT")
            _ = outcomes()
            #expect(try scene.score(of: "a") == 0)
        }

        /// Fault: one conversation that has been put back often makes a whole batch wait for its
        /// user, with the locks of the others in hand.
        @Test func theOthersDoNotWaitForOneThatMayNotBePutBackAgain() throws {
            for id in ["held", "a", "b", "c"] { try scene.addConversation(id, user: id) }
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id)
                SELECT unnest(ARRAY['held', 'a', 'b', 'c'])
                """
            )
            try scene.lock("SELECT 1 FROM friendship_status WHERE user_id = 'held' FOR UPDATE")
            let outcomes = begin(["held", "a", "b", "c"], overdue: ["held"])
            try eventually("the others are scored while one waits") {
                try scene.isWorkerWaiting() && scene.count("status = 'PROCESSED'") == 3
            }
            try scene.sql("COMMIT")
            #expect(outcomes() == [.done, .done, .done, .done])
        }

        /// Fault: a batch waits for a user that another batch has made or changed, where it makes
        /// users of its own.
        @Test func makingUsersWaitsForNoUserThatIsBeingChanged() throws {
            for id in ["held", "a", "b", "c", "d"] { try scene.addConversation(id, user: id) }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('held'), ('a')")
            #expect(handle(["b", "a"]) == [.done, .done])
            try scene.lock(
                "UPDATE friendship_status SET friendship_score = 9 WHERE user_id = 'held'"
            )
            let outcomes = handle(["c", "held", "d", "a", "a"])
            #expect(outcomes == [.done, .deferred, .done, .duplicate, .duplicate])
            try scene.sql("COMMIT")
            #expect(handle(["held", "a"]) == [.done, .duplicate])
            #expect(try scene.score(of: "held") == 10)
        }

        /// Fault: an event comes to light while a batch that expects new users waits for a lock, so
        /// its user is read and not locked, and what another process adds meanwhile is lost.
        @Test func aUserWhoseEventComesLateIsLockedAsWell() throws {
            for id in ["n1", "n2", "u1"] { try scene.addConversation(id, user: id) }
            try scene.addConversation("u2", user: "u2", status: "SKIPPED")
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score)
                VALUES ('u1', 0), ('u2', 100)
                """
            )
            // After these new users are expected.
            #expect(handle(["n1", "n2"]) == [.done, .done])
            try scene.lock("SELECT 1 FROM friendship_status WHERE user_id = 'u1' FOR UPDATE")
            let outcomes = begin(["u1", "u2"], overdue: ["u1", "u2"])
            try eventually("the batch waits for u1") { try scene.isWorkerWaiting() }
            var other = try Session(to: scene.settings.database, applicationName: "other")
            func run(_ sql: String, as name: String) throws {
                _ = try other.flight([(Statement(name, sql), [])])
            }
            try run(
                "UPDATE conversation_events SET status = 'PENDING' WHERE user_id = 'u2'",
                as: "a"
            )
            try run("BEGIN", as: "b")
            try run(
                "UPDATE friendship_status SET friendship_score = 150 WHERE user_id = 'u2'",
                as: "c"
            )
            try scene.sql("COMMIT")
            try eventually("the batch is at u2") { try scene.isWorkerWaiting() }
            try run("COMMIT", as: "d")
            #expect(outcomes() == [.done, .done])
            #expect(try scene.score(of: "u2") == 151)
            #expect(try scene.score(of: "u1") == 1)
        }

        /// Has a batch stop after it has begun to read and before it locks a user, while `body`
        /// changes what it reads.
        private func whileABatchReads(
            _ ids: [String],
            _ body: (_ change: (String) throws -> Void) throws -> Void
        ) throws -> [Outcome] {
            try scene.sql("ALTER TABLE conversation_events RENAME TO events")
            try scene.sql(
                """
                CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                IF current_query() LIKE '%SKIP LOCKED%' THEN
                    PERFORM pg_advisory_xact_lock_shared(7); END IF;
                RETURN true; END $$
                """
            )
            try scene.sql("CREATE VIEW conversation_events AS SELECT * FROM events WHERE gate()")
            try scene.sql("GRANT ALL ON conversation_events TO \(scene.name)")
            try scene.lock("SELECT pg_advisory_xact_lock(7)")
            let outcomes = begin(ids)
            try eventually("the batch reads") { try scene.isWorkerWaiting() }
            var other = try Session(to: scene.settings.database, applicationName: "other")
            var number = 0
            try body { change in
                number += 1
                _ = try other.flight([(Statement("change\(number)", change), [])])
            }
            try scene.sql("COMMIT")
            return outcomes()
        }

        /// Fault: what another process has committed between a batch's snapshot and its locks is
        /// overwritten.
        @Test(arguments: [nil, "agent"]) func aUserIsReadAsTheLockFindsIt(agent: String?) throws {
            try scene.sql(
                """
                INSERT INTO agenda_agent_prompting
                    (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
                VALUES ('topic', 'agent', '', 'PHASE1_STRANGER', '')
                """
            )
            for id in ["first", "a", "b"] { try scene.addConversation(id, user: id, agent: agent) }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('a'), ('b')")
            // After this one its agent is expected.
            #expect(handle(["first"]) == [.done])
            let outcomes = try whileABatchReads(["a", "b"]) { change in
                try change(
                    """
                    UPDATE friendship_status SET friendship_score = 100,
                        topic_metrics = '{"topic": {"score": 30, "turns": 30}}'
                    WHERE user_id = 'a'
                    """
                )
            }
            #expect(outcomes == [.done, .done])
            #expect(try scene.score(of: "a") == 101)
            #expect(try scene.score(of: "b") == 1)
            let topics = try scene.sql(
                "SELECT topic_metrics #>> '{topic,turns}' FROM friendship_status ORDER BY user_id"
            )
            let expected = agent == nil ? ["30", nil, nil] : ["31", "1", "1"]
            #expect((0..<3).map { topics.string($0, 0) } == expected)
        }

        /// Fault: an event that another process settles while a batch reads it counts twice.
        @Test func anEventSettledWhileItIsReadCountsOnce() throws {
            for id in ["a", "b"] { try scene.addConversation(id, user: id) }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('a'), ('b')")
            let outcomes = try whileABatchReads(["a", "b"]) { change in
                try change("UPDATE events SET status = 'PROCESSED' WHERE user_id = 'a'")
                try change(
                    "UPDATE friendship_status SET friendship_score = 50 WHERE user_id = 'a'"
                )
            }
            #expect(outcomes == [.duplicate, .done])
            #expect(try scene.score(of: "a") == 50)
            #expect(try scene.score(of: "b") == 1)
        }

        /// Fault: another spelling of a user is never found among those that are held, and its
        /// conversations are put back for ever, or counted for a second user.
        @Test func spellingsOfOneUserMeetInTwoWorkers() throws {
            try scene.sql("CREATE EXTENSION citext SCHEMA \(scene.name)")
            for table in ["friendship_status", "conversation_events"] {
                try scene.sql("ALTER TABLE \(table) ALTER user_id TYPE citext")
            }
            let ids = (0..<400).map { "c\($0)" }
            for (number, id) in ids.enumerated() {
                let user = "user-\(number % 40)"
                try scene.addConversation(id, user: number % 3 == 0 ? user.uppercased() : user)
            }
            try scene.publish(ids: ids)
            let workers = try [scene.startWorker(), scene.startWorker()]
            try eventually("all are scored", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED' AND attempt_count = 1") == ids.count
            }
            let users = try scene.sql(
                """
                SELECT count(*), min(friendship_score), max(friendship_score)
                FROM friendship_status
                """
            )
            #expect((0..<3).map { users.string(0, $0) } == ["40", "10", "10"])
            for worker in workers { #expect(worker.events("message.dead-lettered").isEmpty) }
        }

        /// Fault: a person's session that holds a user stops the others' conversations, or costs
        /// its own an attempt; on a quorum queue, which counts what comes back.
        @Test func aUserThatIsHeldForSecondsStopsNoOther() throws {
            let scene = try Scene(settings: ["RABBITMQ_QUEUE_TYPE": "quorum"])
            let ids = (0..<600).map { "c\($0)" }
            for (number, id) in ids.enumerated() {
                try scene.addConversation(id, user: number % 30 == 0 ? "held" : "u\(number % 30)")
            }
            try scene.sql("INSERT INTO friendship_status (user_id) VALUES ('held')")
            try scene.lock("UPDATE friendship_status SET updated_at = now() WHERE user_id = 'held'")
            try scene.publish(ids: ids)
            let worker = try scene.startWorker()
            try eventually("the others are scored", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED'") == 580
            }
            #expect(try scene.count("user_id = 'held' AND status = 'PROCESSED'") == 0)
            try scene.sql("COMMIT")
            try eventually("those that had to wait are, too", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED' AND attempt_count = 1") == ids.count
            }
            #expect(try scene.score(of: "held") == 20)
            #expect(worker.events("message.dead-lettered").isEmpty)
        }
    }
}
