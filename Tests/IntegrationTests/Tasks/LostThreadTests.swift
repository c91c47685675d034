import Concurrency
import Foundation
import TaskRunning
import Testing

@testable import TaskAPI
@testable import Tasks

extension Integration {
    /// Handlers that do not return.
    struct LostThreadTests {
        /// Runs that wait until as many are there at once as are asked for.
        private final class Meeting: Sendable {
            private let present = Locked((now: 0, most: 0))
            private let changed = MonotonicCondition()

            var most: Int { present.withLock(\.most) }

            func handler(of count: Int) -> TestHandler {
                TestHandler { _, context in
                    self.changed.change {
                        self.present.withLock {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                    }
                    context.onStop { _ in self.changed.change {} }
                    self.changed.wait(atMost: .seconds(20)) {
                        self.most >= count || context.stopReason != nil
                    }
                    // Long enough for one more to be seen.
                    usleep(20_000)
                    self.present.withLock { $0.now -= 1 }
                    return .completed(result: nil)
                }
            }
        }

        private func deaf(_ gate: Gate) -> TestHandler {
            TestHandler { _, _ in
                gate.wait()
                return .completed(result: "\"too late\"")
            }
        }

        private func lost(_ scene: TaskWorkerScene) throws -> Int? {
            let facts = try #require(try scene.store.workers().first?.facts)
            let read = try JSONSerialization.jsonObject(with: Data(facts.utf8))
            return (read as? [String: Any])?["lost"] as? Int
        }

        /// Fault: one task that hangs has one thread less for all others, until the worker ends.
        @Test func aLostThreadIsReplaced() throws {
            let scene = try TaskWorkerScene()
            let (gate, pair, many) = (Gate(), Meeting(), Meeting())
            let worker = try scene.start(
                threads: 2,
                handlers: [
                    "deaf": deaf(gate), "pair": pair.handler(of: 2), "many": many.handler(of: 2),
                ]
            ) { $0.drainTimeout = .seconds(1) }
            let id = try scene.submit(type: "deaf") { ($0.timeout, $0.retryLimit) = (1, 0) }[0]
            try scene.wait(for: id, toBe: .failed, within: .seconds(40))
            #expect(try scene.view(id).errorCode == "TIMEOUT")
            for id in try scene.submit(2, type: "pair") {
                try scene.wait(for: id, toBe: .completed)
            }
            #expect(pair.most == 2, "both ran at once")
            try eventually("it says how many are lost") { try lost(scene) == 1 }
            gate.open()
            try eventually("it has come back") { try lost(scene) == 0 }
            for id in try scene.submit(20, type: "many") {
                try scene.wait(for: id, toBe: .completed)
            }
            #expect(many.most == 2, "and takes no place")
            #expect(try scene.store.get(id)?.result == nil)
            let isExhausted = scene.isExhausted.withLock(\.self)
            #expect(!isExhausted)
            scene.stop(worker)
        }

        /// Fault: a suspect runs alone, and keeps its worker from everything where it hangs.
        @Test func aSuspectThatHangsHoldsNothingUp() throws {
            let scene = try TaskWorkerScene()
            let (gate, pair) = (Gate(), Meeting())
            let id = try scene.submit(type: "deaf") { ($0.timeout, $0.retryLimit) = (1, 0) }[0]
            try scene.tasks.sql("UPDATE amity_tasks SET crashes = 1")
            let worker = try scene.start(
                threads: 2,
                handlers: ["deaf": deaf(gate), "pair": pair.handler(of: 2)]
            ) { $0.drainTimeout = .seconds(1) }
            try scene.wait(for: id, toBe: .processing)
            let others = try scene.submit(2, type: "pair")
            try scene.wait(for: id, toBe: .failed, within: .seconds(40))
            for id in others { try scene.wait(for: id, toBe: .completed) }
            #expect(pair.most == 2)
            gate.open()
            scene.stop(worker)
        }

        /// Fault: handlers that hang hold more and more memory, and no one is told.
        @Test func aWorkerThatHasLostAsManyThreadsAsItHasEnds() throws {
            let tasks = try TaskWorkerScene()
            let worker = try tasks.tasks.scene.startWorker([
                "TASK_QUEUES": tasks.pool, "TASK_CONCURRENCY": "2",
                "AMITY_FAILPOINT": "benchmark-begun:1:hang",
            ])
            try eventually("it consumes") { !worker.events("task-consumer.started").isEmpty }
            func hang() throws {
                let id = try tasks.submit(type: "benchmark") {
                    ($0.timeout, $0.retryLimit) = (1, 0)
                }[0]
                try tasks.wait(for: id, toBe: .failed, within: .seconds(60))
            }
            try hang()
            for id in try tasks.submit(10) { try tasks.wait(for: id, toBe: .completed) }
            #expect(worker.events("tasks.threads-lost").isEmpty)
            try hang()
            #expect(try worker.waitForExit() == 70)
            let hangs = worker.events("task.hangs")
            #expect(hangs.map { $0["lost_threads"] as? Int } == [1, 2])
            #expect(hangs.allSatisfy { $0["type"] as? String == "benchmark" })
            #expect(worker.events("tasks.threads-lost").count == 1)
        }
    }
}
