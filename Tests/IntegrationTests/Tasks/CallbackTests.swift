import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Which ends make callbacks, and what these say.
    struct CallbackTests {
        private let scene: TaskScene

        init() throws { scene = try TaskScene() }

        static let callback = TaskCallback(
            url: "https://receiver.example/hook?key=canary",
            secret: "TASK_SECRET_CALLBACK_A",
            host: "receiver.example:443"
        )

        private func submit(_ change: (inout NewTask) -> Void = { _ in }) throws -> TaskID {
            try scene.submit {
                ($0.callback, $0.pool, $0.priority) = (Self.callback, "pool-a", .high)
                change(&$0)
            }
        }

        private func begin(_ change: (inout NewTask) -> Void = { _ in }) throws -> TaskID {
            let id = try submit(change)
            try scene.claim(id, run: 1)
            return id
        }

        private func events() throws -> [[String: Any]] {
            try scene.sql(
                """
                SELECT payload ->> 'event' FROM amity_tasks JOIN amity_task_data USING (id)
                WHERE type = 'amity.callback' ORDER BY id
                """
            ).map { row throws(PostgresError) in try row.text() ?? "" }.map { text in
                let json = try JSONSerialization.jsonObject(with: Data(text.utf8))
                return try #require(json as? [String: Any])
            }
        }

        private func content(_ event: [String: Any]) throws -> [String: Any] {
            try #require(event["data"] as? [String: Any])
        }

        private func expectOne(
            _ status: String,
            _ id: TaskID,
            code: String? = nil,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let found = try events()
            let ours = try found.filter { try content($0)["task_id"] as? String == id.text }
            #expect(ours.count == 1, sourceLocation: sourceLocation)
            guard let event = ours.first else { return }
            #expect(event["id"] as? String == "\(id).1.end", sourceLocation: sourceLocation)
            let data = try content(event)
            #expect(data["status"] as? String == status, sourceLocation: sourceLocation)
            let error = data["error"] as? [String: Any]
            #expect(error?["code"] as? String == code, sourceLocation: sourceLocation)
        }

        // MARK: Ends

        /// Fault: an end of one kind tells no one.
        @Test func everyKindOfEndIsTold() throws {
            let store = scene.store
            let done = try begin { $0.tags = #"["order-7"]"# }
            let result = RunOutcome.succeeded(result: #"{"a":1}"#)
            _ = try store.finish(done, run: 1, as: result)
            try expectOne("completed", done)
            let failed = try begin()
            let failure = RunOutcome.failed(code: "E", message: "why", retries: false)
            _ = try store.finish(failed, run: 1, as: failure)
            try expectOne("failed", failed, code: "E")
            let dropped = try submit()
            _ = try store.cancel(dropped)
            try expectOne("cancelled", dropped)
            let stopped = try begin()
            _ = try store.cancel(stopped)
            #expect(try events().count == 3)
            _ = try store.finish(stopped, run: 1, as: .stopped)
            try expectOne("cancelled", stopped)
            let given = try begin()
            _ = try store.cancel(given)
            _ = try store.giveBack(given, run: 1, worker: TaskScene.worker)
            try expectOne("cancelled", given)
            let handed = try begin()
            _ = try store.cancel(handed)
            _ = try store.handOver(handed, run: 1, worker: TaskScene.worker, timeout: 9)
            try expectOne("cancelled", handed)
            let late = try submit { $0.deadline = "2026-01-01T00:00:00Z" }
            try scene.sql("UPDATE amity_tasks SET due_at = now() WHERE deadline IS NOT NULL")
            _ = try store.expire(atMost: 9)
            try expectOne("failed", late, code: "DEADLINE_EXCEEDED")
            let silent = try begin { $0.retryLimit = 0 }
            _ = try store.handOver(silent, run: 1, worker: TaskScene.worker, timeout: 0)
            _ = try store.timeOut(atMost: 9)
            try expectOne("failed", silent, code: "TIMEOUT")
            let deadly = try begin()
            try scene.sql("UPDATE amity_tasks SET crashes = 3 WHERE state = 4")
            _ = try store.giveBackLost()
            try expectOne("failed", deadly, code: "WORKER_CRASHED")
            let needing = try submit { $0.needs = [.task(failed)] }
            _ = try store.lookAtDependents(atMost: 9)
            try expectOne("cancelled", needing, code: "NEED_FAILED")
            let many = try (0..<3).map { _ in try submit { $0.kbID = "k" } }
            var filter = TaskFilter()
            filter.kbID = "k"
            _ = try store.cancelAll(filter, isDry: false)
            for id in many { try expectOne("cancelled", id) }
        }

        /// Fault: an end with effects of the handler's own has another path, and tells no one.
        @Test func anEndWithEffectsIsTold() throws {
            let id = try begin()
            let effect = Statement("effect", "SELECT 1")
            let outcome = RunOutcome.succeeded(result: nil)
            _ = try scene.store.finish(id, run: 1, as: outcome, with: [(effect, [])])
            try expectOne("completed", id)
        }

        /// Fault: a receiver is told twice, because a second process wrote the end once more.
        @Test func anEndThatWasThereIsNotToldAgain() throws {
            let id = try begin()
            for _ in 0..<3 {
                _ = try scene.store.finish(id, run: 1, as: .succeeded(result: nil))
                _ = try scene.store.cancel(id)
                _ = try scene.store.giveBack(id, run: 1, worker: TaskScene.worker)
            }
            try expectOne("completed", id)
            // Nor is one that goes on.
            let again = try begin()
            let failure = RunOutcome.failed(code: "E", message: "", retries: true)
            _ = try scene.store.finish(again, run: 1, as: failure)
            #expect(try events().count == 1)
        }

        @Test func aTaskThatIsRetriedByHandIsToldOfAgain() throws {
            let id = try begin()
            let failure = RunOutcome.failed(code: "E", message: "", retries: false)
            _ = try scene.store.finish(id, run: 1, as: failure)
            _ = try scene.store.retry(id)
            try scene.claim(id, run: 2)
            _ = try scene.store.finish(id, run: 2, as: .succeeded(result: nil))
            #expect(
                try events().map { $0["id"] as? String } == ["\(id).1.end", "\(id).2.end"]
            )
        }

        @Test func aTaskWithoutACallbackMakesNone() throws {
            let id = try scene.submit()
            #expect(try !scene.claim(id, run: 1).hasCallback)
            #expect(try scene.claim(submit(), run: 1).hasCallback)
            _ = try scene.store.finish(id, run: 1, as: .succeeded(result: nil))
            #expect(try events().isEmpty)
        }

        // MARK: What is told

        /// Fault: a receiver gets what the task was given, or not what it answered.
        @Test func theEventHasTheResultAndNotThePayload() throws {
            let id = try begin {
                ($0.payload, $0.kbID) = (#"{"secret":"canary-payload"}"#, "kb-1")
                $0.tags = #"["order-7"]"#
            }
            _ = try scene.store.finish(id, run: 1, as: .succeeded(result: #"{"a":[1]}"#))
            let event = try events()[0]
            #expect(event["specversion"] as? String == "1.0")
            #expect(event["type"] as? String == "amity.task.completed")
            #expect(event["subject"] as? String == id.text)
            #expect(event["datacontenttype"] as? String == "application/json")
            let data = try content(event)
            #expect(data["task_type"] as? String == "test" && data["kb_id"] as? String == "kb-1")
            #expect(data["run"] as? Int == 1 && data["attempt"] as? Int == 1)
            #expect(data["tags"] as? [String] == ["order-7"])
            #expect((data["result"] as? [String: Any])?["a"] as? [Int] == [1])
            #expect(data["error"] is NSNull && event["time"] as? String != nil)
            #expect(!"\(event)".contains("canary"))
        }

        /// Fault: callbacks stand in the lists of a kb or a batch, count as members, or are
        /// cancelled with the tasks that they tell of.
        @Test func aCallbackIsATaskOfItsOwn() throws {
            let id = try submit { $0.kbID = "k" }
            _ = try scene.store.cancel(id)
            var filter = TaskFilter()
            filter.type = TaskCallback.type
            let call = try #require(try scene.store.list(filter, limit: 9).first)
            #expect(call.kbID == nil && call.batchID == nil && call.state == .waiting)
            #expect(call.pool == "pool-a" && call.priority == .high && call.maxAttempts == 11)
            var pending = TaskFilter()
            pending.state = .waiting
            #expect(try scene.store.cancelAll(pending, isDry: true).isEmpty)
            #expect(try scene.store.cancelAll(pending, isDry: false).isEmpty)
            #expect(try scene.store.cancelAll(filter, isDry: false).map(\.id) == [call.id])
            #expect(try events().count == 1)
        }

        /// Fault: all callbacks for a host that hangs are on the broker at once.
        @Test func aHostsCallbacksGoOnInBoundedNumber() throws {
            for _ in 0..<40 { _ = try scene.store.cancel(try submit()) }
            var cursor = ""
            let first = try scene.store.admit(after: &cursor, keys: 9, room: 5_000).toPublish
            #expect(first.count == 32)
            #expect(try scene.store.admit(after: &cursor, keys: 9, room: 5_000).toPublish.isEmpty)
            let view = try scene.store.limits(atMost: 9)[0]
            #expect(view.key == "amity.callback:receiver.example:443" && view.limit?.cap == 32)
            try scene.claim(first[0].id, run: 1)
            _ = try scene.store.finish(first[0].id, run: 1, as: .succeeded(result: nil))
            #expect(
                try scene.store.admit(after: &cursor, keys: 9, room: 5_000).toPublish.count == 1
            )
        }

        /// Fault: a worker that is killed while it calls is blamed on the receiver's callback.
        @Test func aCallbackIsNoSuspect() throws {
            _ = try scene.store.cancel(try submit())
            var cursor = ""
            let call = try scene.store.admit(after: &cursor, keys: 9, room: 9).toPublish[0]
            try scene.claim(call.id, run: 1)
            #expect(try scene.store.giveBackLost().count == 1)
            #expect(try scene.store.get(call.id)?.view.crashes == 0)
        }

        // MARK: Batches

        private func batch(_ count: Int) throws -> (id: TaskID, tasks: [TaskID]) {
            var request = SubmitRequest(
                (0..<count).map { _ in TaskScene.task { $0.pool = "pool-b" } }
            )
            (request.batch, request.callback) = (.new(), Self.callback)
            guard case .accepted(let made, _) = try scene.store.submit([request])[0].get() else {
                throw TaskScene.Refused()
            }
            return (try #require(made.batchID), made.tasks.map(\.id))
        }

        private func dueNow() throws { try scene.sql("UPDATE amity_batches SET due_at = now()") }

        /// Fault: members that end at the same moment end their batch twice, or not at all.
        @Test func aBatchIsToldOfOnce() throws {
            let (id, tasks) = try batch(40)
            for task in tasks { try scene.claim(task, run: 1) }
            let group = DispatchGroup()
            for part in 0..<4 {
                group.enter()
                startThread(name: "ends", stackBytes: 512 << 10) { [store = scene.store] in
                    defer { group.leave() }
                    do {
                        for number in stride(from: part, to: 40, by: 4) {
                            let isFailed = number % 10 == 0
                            _ = try store.finish(
                                tasks[number],
                                run: 1,
                                as: isFailed
                                    ? .failed(code: "E", message: "", retries: false)
                                    : .succeeded(result: nil)
                            )
                            _ = try store.lookAtBatches(atMost: 9)
                        }
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            for _ in 0..<50 {
                try dueNow()
                _ = try scene.store.lookAtBatches(atMost: 9)
            }
            group.wait()
            for _ in 0..<3 {
                try dueNow()
                _ = try scene.store.lookAtBatches(atMost: 9)
            }
            let found = try events()
            #expect(found.map { $0["id"] as? String } == ["\(id).end"])
            #expect(found[0]["type"] as? String == "amity.batch.finished")
            let data = try content(found[0])
            #expect(data["total"] as? Int == 40)
            let counts = data["tasks"] as? [String: Int]
            #expect(counts == ["completed": 36, "failed": 4, "cancelled": 0])
            var filter = TaskFilter()
            filter.type = TaskCallback.type
            #expect(try scene.store.list(filter, limit: 9).map(\.pool) == ["pool-b"])
        }

        @Test func aCancelledBatchIsTold() throws {
            let (id, _) = try batch(3)
            _ = try scene.store.cancelBatch(id)
            try dueNow()
            _ = try scene.store.lookAtBatches(atMost: 9)
            let found = try events()
            #expect(found.map { $0["type"] as? String } == ["amity.batch.cancelled"])
            #expect((try content(found[0])["tasks"] as? [String: Int])?["cancelled"] == 3)
        }

        /// Fault: a batch whose tasks have all ended by themselves is told as cancelled, because it
        /// was cancelled before the scheduler looked, or while they ended.
        @Test(arguments: [true, false])
        func aBatchOfWhichNothingWasCancelledHasFinished(endsBefore: Bool) throws {
            let (id, tasks) = try batch(2)
            for task in tasks { try scene.claim(task, run: 1) }
            if !endsBefore { _ = try scene.store.cancelBatch(id) }
            for task in tasks {
                _ = try scene.store.finish(task, run: 1, as: .succeeded(result: nil))
            }
            if endsBefore {
                guard case .done(let view) = try scene.store.cancelBatch(id) else {
                    throw TaskScene.Refused()
                }
                #expect(view.status == .finished && view.finishedAt != nil)
            }
            try dueNow()
            _ = try scene.store.lookAtBatches(atMost: 9)
            #expect(try scene.store.batch(id)?.status == .finished)
            let found = try events()
            #expect(found.map { $0["type"] as? String } == ["amity.batch.finished"])
            #expect(try content(found[0])["status"] as? String == "finished")
        }

        /// Fault: what had been cancelled before counts as the batch's own cancellation.
        @Test func aBatchThatHasEndedIsNotCancelled() throws {
            let (id, tasks) = try batch(2)
            for task in tasks { _ = try scene.store.cancel(task) }
            _ = try scene.store.cancelBatch(id)
            #expect(try scene.store.batch(id)?.status == .finished)
        }
    }
}
