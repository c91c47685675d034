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

            func analyse(_ conversation: FinishedConversation) -> Analysis { .none }
        }

        private let scene: Scene
        private let handler: ConversationHandler

        init() throws {
            scene = try Scene()
            let settings = scene.settings
            handler = ConversationHandler(
                store: ConversationStore(
                    sessions: SessionPool(
                        target: settings.database,
                        limit: 1,
                        applicationName: "test",
                        statementTimeout: settings.taskTimeout
                    )
                ),
                analyser: NoAnalysis(),
                weights: settings.weights,
                batchLimit: 32,
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

        private func handle(_ ids: [String], deferrals: Int = 0) throws -> [Outcome] {
            let pool = ThreadPool(count: 1, name: "test")
            defer { pool.close() }
            let outcomes = Locked<[Outcome]>([])
            let done = DispatchSemaphore(value: 0)
            let deliveries = ids.enumerated().map { tag, id in
                var delivery = Delivery(
                    id: DeliveryID(session: 1, tag: UInt64(tag + 1)),
                    message: Message(
                        properties: MessageProperties(),
                        body: Scene.body(id, ignoring: 0)
                    ),
                    redelivered: false,
                    receivedAt: .now
                )
                delivery.deferrals = deferrals
                return delivery
            }
            pool.run { [handler] slot in
                let context = HandlerContext(slot: slot, drain: DrainSignal())
                outcomes.withLock { $0 = handler.handle(deliveries, in: context) }
                done.signal()
            }
            done.wait()
            return outcomes.withLock { $0 }
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
            let first = try handle(["a", "held", "b", "c", "d", "a"])
            #expect(first == [.done, .deferred, .done, .done, .done, .duplicate])

            // The same where users are made on the way.
            #expect(try handle(["new", "1"]) == [.done, .done])
            let second = try handle(["2", "held", "newer", "3", "4", "late"])
            #expect(second == [.done, .deferred, .done, .done, .done, .deferred])

            // It is not put back for ever.
            let last = try handle(["held", "a"], deferrals: 3)
            guard case .postpone(_, isBounded: _) = last[0] else {
                Issue.record("\(last[0])")
                return
            }
            #expect(last[1] == .duplicate)
            try scene.sql("COMMIT")
            #expect(try handle(["held", "late"]) == [.done, .done])
            #expect(try scene.count("status = 'PROCESSED'") == 12)
            #expect(try scene.score(of: "held") == 2)
        }
    }
}
