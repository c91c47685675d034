import Foundation
import Postgres
import TestSupport
import Testing

@testable import TaskRunning
@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// Pools and types that an operator has paused.
    struct PauseTests {
        private let scene: TaskWorkerScene

        init() throws { scene = try TaskWorkerScene() }

        /// Fault: a paused pool's tasks begin, or those that a worker had been given wait in it.
        @Test func aPausedPoolIsLeftByItsWorkers() throws {
            let gate = Gate()
            let handler = TestHandler { _, context in
                gate.wait(orStopOf: context)
                return .completed(result: nil)
            }
            try scene.start(threads: 1, handlers: ["test": handler])
            let ids = try scene.submit(4)
            try eventually("one runs, the others wait in the worker") {
                try handler.count == 1 && scene.queue().ready() == 0
            }
            try scene.store.pause(.pool(scene.pool), by: "mia")
            try eventually("its workers have left", within: .seconds(3)) {
                try scene.queue(.critical).consumers() == 0 && scene.queue().consumers() == 0
                    && scene.queue().ready() == 3
            }
            gate.open()
            // What runs goes on.
            try scene.wait(for: ids[0], toBe: .completed)
            #expect(handler.count == 1)
            #expect(try scene.store.pauses().map(\.by) == ["mia"])
            #expect(try scene.store.resume(.pool(scene.pool)))
            for id in ids { try scene.wait(for: id, toBe: .completed, within: .seconds(3)) }
            #expect(try ids.allSatisfy { try scene.view($0).run == 1 })
        }

        /// Fault: a worker that starts begins tasks of a paused pool before it knows; or another
        /// pool of it stops, too.
        @Test func otherPoolsGoOn() throws {
            let other = try TaskWorkerScene()
            let handler = TestHandler { _, _ in .completed(result: nil) }
            try scene.store.pause(.pool(other.pool), by: "mia")
            let held = try scene.submit(5) { $0.pool = other.pool }
            try scene.start(handlers: ["test": handler]) { $0.pools.append(other.pool) }
            let id = try scene.submit()[0]
            try scene.wait(for: id, toBe: .completed)
            #expect(try other.queue().consumers() == 0)
            #expect(handler.count == 1)
            #expect(try held.allSatisfy { try scene.tasks.state($0) == .queued })
        }

        /// Fault: tasks of a paused type begin, or come back to the workers again and again.
        @Test func aPausedTypeWithoutALimitWaitsAtRest() throws {
            let handler = TestHandler { _, _ in .completed(result: nil) }
            try scene.start(handlers: ["test": handler, "other": handler])
            try scene.store.pause(.type("test"), by: "mia")
            try eventually("the worker knows it", within: .seconds(5)) {
                let id = try scene.submit()[0]
                try eventually("it has been looked at") {
                    try [.waiting, .completed].contains(scene.tasks.state(id))
                }
                return try scene.tasks.state(id) == .waiting
            }
            let begun = handler.count
            let ids = try scene.submit(20)
            for id in ids { try scene.wait(for: id, toBe: .waiting) }
            let view = try scene.view(ids[0])
            #expect(view.dueAt == nil && view.run == 1 && view.attempts == 0)
            #expect(try scene.queue().ready() == 0 && handler.count == begun)
            let other = try scene.submit(type: "other")[0]
            try scene.wait(for: other, toBe: .completed)
            let process = try SchedulingScene.process(scene.tasks.scene.variables)
            defer { process.stop() }
            let cancelled = ids[0]
            _ = try scene.store.cancel(cancelled)
            #expect(try scene.store.resume(.type("test")))
            for id in ids.dropFirst() {
                try scene.wait(for: id, toBe: .completed, within: .seconds(10))
            }
            #expect(try scene.tasks.state(cancelled) == .cancelled)
        }

        /// Fault: the pause of one key holds the others, or what was queued of it begins.
        @Test func aPausedKeyHoldsWhatIsQueued() throws {
            let handler = TestHandler { _, _ in .completed(result: nil) }
            let id = try scene.submit { ($0.kbID, $0.limitedBy) = ("a", "kb_id") }[0]
            let free = try scene.submit { ($0.kbID, $0.limitedBy) = ("b", "kb_id") }[0]
            var cursor = ""
            let admitted = try scene.store.admit(after: &cursor, keys: 9, room: 9).toPublish
            #expect(admitted.count == 2)
            try scene.store.pause(.key("test:a"), by: "mia")
            try scene.start(handlers: ["test": handler])
            try eventually("the worker knows it") {
                try scene.tasks.sql("SELECT 1 FROM amity_leases WHERE name LIKE 'worker %'").count
                    == 1
            }
            usleep(200_000)
            for publication in admitted { try scene.publish(publication) }
            try scene.wait(for: free, toBe: .completed)
            try scene.wait(for: id, toBe: .waiting)
        }

        @Test func subjectsAreReadAsTheyAreWritten() {
            for subject in [
                PauseSubject.type("a.b"), .key("a:b/c"), .key("a:pool/x"), .pool("default"),
            ] {
                #expect(PauseSubject(subject.text) == subject)
            }
        }
    }
}
