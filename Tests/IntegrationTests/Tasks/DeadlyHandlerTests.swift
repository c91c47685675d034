import Foundation
import Postgres
import Testing

@testable import Tasks

extension Integration {
    /// A handler that really kills its worker, as a fault of memory does.
    struct DeadlyHandlerTests {
        private let scene: WorkerProcessScene
        private let gate = FileGate()

        init() throws {
            let types = ["deadly", "waiting"].map { ($0, #"{"kind": "swift"}"#) }
            scene = try WorkerProcessScene(types: Dictionary(uniqueKeysWithValues: types))
            // Else each worker that comes to lead waits 15 s before it calls another one lost.
            let api = scene.api.api
            try eventually("the API leads") { !api.events("scheduler.leads").isEmpty }
        }

        /// Waits for the end of a worker, and has its lease be over as after 15 s.
        private func lose(_ worker: RunningWorker) throws {
            #expect(try worker.waitForExit() == SIGKILL)
            try scene.sql(
                """
                UPDATE amity_leases SET lease_until = now() - interval '1 s'
                WHERE name LIKE 'worker %'
                """
            )
        }

        private func isUncharged(_ id: TaskID, crashes: Int) throws -> Bool {
            let view = try scene.view(id)
            return view.attempts == 0 && view.crashes == crashes
        }

        /// Faults: a task that kills its worker does so for ever; or it takes others along, that
        /// ran beside it, or come after it.
        @Test func aTaskThatKillsThreeWorkersAsTheOnlyOneHasFailed() throws {
            let other = FileGate()
            func submit(_ type: String, _ gate: FileGate) throws -> TaskID {
                try scene.submit(type, #"{"gate":"\#(gate.path)"}"#)
            }
            var worker = try scene.startWorker()
            let deadly = try submit("deadly", gate)
            let beside = try submit("waiting", other)
            for id in [deadly, beside] { try scene.wait(for: id, toBe: .processing) }
            gate.open()
            try lose(worker)
            for id in [deadly, beside] {
                // The API itself has to be there for 15 s before it calls a worker lost.
                try eventually("\(id) is a suspect", within: .seconds(40)) {
                    try scene.view(id).crashes == 1
                }
                #expect(try scene.view(id).state == .queued && isUncharged(id, crashes: 1))
            }
            // What ran beside it does no harm, but is not alone again while it waits.
            other.open()
            var later: [TaskID] = []
            for death in 2...4 {
                gate.close()
                worker = try scene.startWorker()
                try scene.wait(for: deadly, toBe: .processing)
                #expect(try scene.view(beside).state != .processing, "a suspect runs alone")
                // It would still run when its worker dies.
                other.close()
                let one = try submit("waiting", other)
                try eventually("its message is the worker's") {
                    try scene.view(one).dueAt == nil && scene.queue.ready() == 0
                }
                later.append(one)
                gate.open()
                try lose(worker)
                other.open()
                try eventually("death \(death) counts") {
                    try scene.view(deadly).crashes == death
                }
                #expect(try scene.view(deadly).state == (death < 4 ? .queued : .failed))
            }
            #expect(try scene.error(of: deadly).code == "WORKER_CRASHED")
            #expect(try scene.view(deadly).attempts == 0)
            try scene.startWorker()
            for id in later + [beside] { try scene.wait(for: id, toBe: .completed) }
            #expect(try isUncharged(beside, crashes: 1))
            for id in later { #expect(try isUncharged(id, crashes: 0) && scene.view(id).run == 1) }
            #expect(try scene.view(deadly).state == .failed)
        }
    }
}
