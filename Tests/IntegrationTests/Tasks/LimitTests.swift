import Foundation
import Postgres
import TestSupport
import Testing

@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// Limits of types and of keys.
    struct LimitTests {
        static func type(
            _ name: String = "send",
            _ change: (inout TaskLimit) -> Void
        ) -> TaskType {
            var type = TaskType(name: name, handler: .swift)
            var limit = TaskLimit()
            change(&limit)
            type.limit = limit
            return type
        }

        private func scene(_ types: TaskType...) throws -> TaskScene {
            let scene = try TaskScene()
            try scene.ownersStore().apply(types)
            return scene
        }

        func submit(
            _ count: Int,
            _ key: TaskLimit.Key = .type,
            in scene: TaskScene,
            _ change: (inout NewTask) -> Void = { _ in }
        ) throws -> [TaskID] {
            let requests = (0..<count).map { _ in
                SubmitRequest([
                    TaskScene.task("send") {
                        $0.limitedBy = key.text
                        change(&$0)
                    }
                ])
            }
            return try scene.store.submit(requests).map { outcome in
                guard case .accepted(let made, _) = try outcome.get() else {
                    throw TaskScene.Refused()
                }
                return made.tasks[0].id
            }
        }

        func admit(_ scene: TaskScene, keys: Int = 500) throws -> [Publication] {
            var cursor = ""
            return try scene.store.admit(after: &cursor, keys: keys, room: 5_000).toPublish
        }

        // MARK: Keys

        /// Fault: a task waits for a limit that is another's, or for none.
        @Test func aKeyIsWhatItsTypeSays() throws {
            let scene = try scene(Self.type { $0.cap = 1 })
            func key(_ key: TaskLimit.Key, _ change: (inout NewTask) -> Void) throws -> String? {
                let id = try submit(1, key, in: scene, change)[0]
                let rows = try scene.sql(
                    "SELECT limit_key FROM amity_tasks WHERE id = $1::uuid",
                    .text(id.text)
                )
                let state = try scene.state(id)
                #expect(state == (rows.string(0, 0) == nil ? .queued : .waiting))
                return rows.string(0, 0)
            }
            #expect(try key(.type) { _ in } == "send")
            #expect(try key(.kb) { $0.kbID = "k" } == "send:k")
            #expect(try key(.kb) { _ in } == nil)
            let member = TaskLimit.Key.payload(["account", "id"])
            #expect(try key(member) { $0.payload = #"{"account":{"id":7}}"# } == "send:7")
            #expect(try key(member) { $0.payload = #"{"account":{"id":"a:b"}}"# } == "send:a:b")
            for payload in [#"{"account":{"id":null}}"#, "{}", "3", #"{"account":[]}"#] {
                #expect(try key(member) { $0.payload = payload } == nil)
            }
            let long = String(repeating: "x", count: 5_000)
            let digest = try key(member) { $0.payload = #"{"account":{"id":"\#(long)"}}"# }
            #expect(digest?.count == "send:".count + 64)
        }

        // MARK: Rates

        /// Begins and ends a run.
        ///
        /// - Returns: its key and when it began, in seconds.
        private func start(
            _ publication: Publication,
            _ outcome: RunOutcome?,
            in scene: TaskScene
        ) throws -> (key: String, at: Double) {
            let (id, run) = (publication.id, publication.run)
            try scene.claim(id, run: run)
            let row = try scene.sql(
                """
                SELECT limit_key, extract(epoch FROM started_at)::float8
                FROM amity_tasks WHERE id = $1::uuid
                """,
                .text(id.text)
            )
            if let outcome {
                _ = try scene.store.finish(id, run: run, as: outcome)
            } else {
                _ = try scene.store.giveBack(id, run: run, worker: TaskScene.worker)
            }
            return (row.string(0, 0) ?? "", row.double(0, 1) ?? 0)
        }

        /// Fault: some span of time has more starts than the burst and what the rate gives.
        @Test func noSpanOfTimeHasTooManyStarts() throws {
            let (rate, burst) = (100.0, 45)
            let scene = try scene(
                Self.type { ($0.key, $0.rate, $0.burst) = (.kb, rate, burst) }
            )
            var left = 0
            for kb in ["a", "b", "c"] {
                left += try submit(150, .kb, in: scene) { $0.kbID = kb }.count
            }
            var starts: [String: [Double]] = [:]
            var number = 0
            try eventually("all have ended", within: .seconds(60)) {
                for publication in try admit(scene) {
                    number += 1
                    // A tenth comes again: that is another start.
                    let isBack = publication.run == 1 && number % 10 == 0
                    let (key, at) = try start(
                        publication,
                        isBack ? nil : .succeeded(result: nil),
                        in: scene
                    )
                    starts[key, default: []].append(at)
                    if !isBack { left -= 1 }
                }
                return left == 0
            }
            #expect(starts.count == 3)
            for times in starts.values {
                let sorted = times.sorted()
                #expect(sorted.count > 150)
                for first in sorted.indices {
                    for last in first..<sorted.count {
                        let most = Double(burst) + rate * (sorted[last] - sorted[first])
                        if Double(last - first + 1) > most + 1e-6 {
                            Issue.record("\(last - first + 1) starts where \(most) may be")
                            return
                        }
                    }
                }
            }
        }

        /// Fault: after an hour without workers all that was let go meanwhile begins at once.
        @Test func whatIsQueuedCountsAgainstTheBurst() throws {
            let scene = try scene(Self.type { ($0.rate, $0.burst) = (1_000, 400) })
            _ = try submit(900, in: scene)
            var queued: [Publication] = []
            for _ in 0..<5 {
                try rest(scene)
                queued += try admit(scene)
                #expect(queued.count == 400)
            }
            for publication in queued.prefix(100) {
                _ = try start(publication, .succeeded(result: nil), in: scene)
            }
            // When they began is not known: what the rate gave before then had no room.
            for expected in [0, 100] {
                try rest(scene)
                #expect(try admit(scene).count == expected)
            }
        }

        private func rest(_ scene: TaskScene) throws {
            try scene.sql(
                "UPDATE amity_limit_keys SET refilled_at = refilled_at - interval '1 hour'"
            )
        }

        /// Fault: a key that has rested has no burst, because its last tasks were still queued when
        /// it was last looked at.
        @Test func aKeyThatHasRestedHasItsBurst() throws {
            let scene = try scene(Self.type { ($0.rate, $0.burst) = (10, 20) })
            _ = try submit(20, in: scene)
            for publication in try admit(scene) {
                _ = try start(publication, .succeeded(result: nil), in: scene)
            }
            #expect(try admit(scene).isEmpty)
            try rest(scene)
            _ = try submit(30, in: scene)
            #expect(try admit(scene).count == 20)
        }

        /// Fault: a bucket that is still filling is forgotten, and begins anew with all its burst.
        @Test func aBucketThatIsNotFullIsKept() throws {
            let scene = try scene(Self.type { ($0.rate, $0.burst) = (0.002, 1_000) })
            _ = try submit(1, in: scene)
            for publication in try admit(scene) {
                _ = try start(publication, .succeeded(result: nil), in: scene)
            }
            #expect(try admit(scene).isEmpty)
            let days = "refilled_at = refilled_at - interval '2 days'"
            try scene.sql("UPDATE amity_limit_keys SET tokens = 0, \(days)")
            #expect(try scene.store.forgetLimitKeys(atMost: 9) == 0)
            try scene.sql("UPDATE amity_limit_keys SET tokens = 700, \(days)")
            #expect(try scene.store.forgetLimitKeys(atMost: 9) == 1)
        }

        // MARK: Caps and order

        /// Fault: more than the cap run at a time, or those that wait never begin.
        @Test func aCapIsNeverExceeded() throws {
            let scene = try scene(Self.type { $0.cap = 3 })
            let ids = try submit(20, in: scene)
            var (done, running): (Set<TaskID>, [Publication]) = ([], [])
            for _ in 0..<40 where done.count < ids.count {
                running += try admit(scene)
                #expect((1...3).contains(running.count))
                #expect(try admit(scene).isEmpty)
                let publication = running.removeFirst()
                // One is cancelled before it begins, and frees its place.
                if done.count == 5 {
                    _ = try scene.store.cancel(publication.id)
                } else {
                    _ = try start(publication, .succeeded(result: nil), in: scene)
                }
                done.insert(publication.id)
            }
            #expect(done == Set(ids))
        }

        /// Fault: a later task of a key overtakes one that failed and waits for its next run, or
        /// an urgent one does.
        @Test func strictOrderWaitsForTheFirst() throws {
            let scene = try scene(
                Self.type { ($0.key, $0.cap, $0.isStrict) = (.kb, 1, true) }
            )
            let ids = try [Priority.low, .critical, .normal].map { priority in
                try submit(1, .kb, in: scene) { ($0.kbID, $0.priority) = ("k", priority) }[0]
            }
            let other = try submit(1, .kb, in: scene) { $0.kbID = "other" }[0]
            let first = try admit(scene)
            #expect(Set(first.map(\.id)) == [ids[0], other])
            let failed = RunOutcome.failed(code: "E", message: "", retries: true, after: 0.05)
            let publication = try #require(first.first { $0.id == ids[0] })
            _ = try start(publication, failed, in: scene)
            #expect(try admit(scene).isEmpty)
            var floor = ScanFloor()
            try eventually("its next run is due") {
                _ = try scene.store.leaseDue(&floor, budgets: [9, 9, 9, 9], at: 0)
                return try scene.state(ids[0]) == .waiting
            }
            let again = try admit(scene)
            #expect(again.map(\.id) == [ids[0]])
            _ = try start(try #require(again.first), .succeeded(result: nil), in: scene)
            #expect(try admit(scene).map(\.id) == [ids[1]])
        }

        /// Fault: urgent tasks of a key wait behind those that came first.
        @Test func withoutOrderUrgentOnesBeginFirst() throws {
            let scene = try scene(Self.type { $0.cap = 2 })
            let low = try submit(3, in: scene) { $0.priority = .low }
            let high = try submit(1, in: scene) { $0.priority = .high }
            #expect(Set(try admit(scene).map(\.id)) == [low[0], high[0]])
        }

        /// Fault: keys at the end of the alphabet wait for ever behind those before them.
        @Test func everyKeyHasItsTurn() throws {
            let scene = try scene(Self.type { ($0.key, $0.cap) = (.kb, 1) })
            for number in 0..<25 {
                _ = try submit(2, .kb, in: scene) { $0.kbID = "k\(number)" }
            }
            var (cursor, admitted) = ("", 0)
            for round in 0..<3 {
                let admission = try scene.store.admit(after: &cursor, keys: 10, room: 90)
                admitted += admission.toPublish.count
                #expect(admission.hasWaiting)
                #expect(cursor.isEmpty == (round == 2))
            }
            #expect(admitted == 25)
        }

        // MARK: Pauses

        @Test func whatIsPausedDoesNotBegin() throws {
            let scene = try scene(Self.type { ($0.key, $0.cap) = (.kb, 5) })
            for kb in ["a", "b"] { _ = try submit(2, .kb, in: scene) { $0.kbID = kb } }
            try scene.store.pause(.key("send:a"), by: "mia")
            #expect(try admit(scene).count == 2)
            let views = try scene.store.limits(atMost: 9)
            #expect(views.map(\.key) == ["send:a", "send:b"])
            #expect(views.map(\.waiting) == [2, 0] && views.map(\.queued) == [0, 2])
            #expect(views[0].pausedBy == "mia" && views[0].pausedAt != nil)
            #expect(views[1].pausedBy == nil)
            try scene.store.pause(.type("send"), by: "leo")
            #expect(try scene.store.resume(.key("send:a")))
            #expect(try admit(scene).isEmpty)
            #expect(try scene.store.resume(.type("send")))
            #expect(try admit(scene).count == 2)
            #expect(try !scene.store.resume(.type("send")))
        }

        // MARK: Types

        /// Fault: a limit that was taken away holds what waits for ever.
        @Test func aLimitThatIsTakenAwayLetsAllGo() throws {
            let scene = try scene(Self.type { $0.cap = 1 })
            _ = try submit(5, in: scene)
            #expect(try admit(scene).count == 1)
            let types = try scene.store.types()
            #expect(types.map(\.limit?.cap) == [1])
            var free = types[0]
            free.limit = nil
            try scene.ownersStore().apply([free])
            #expect(try scene.store.types().map(\.limit) == [nil])
            #expect(try admit(scene).count == 4)
        }

        // MARK: As a whole

        /// Fault: what waits is let go by no process, or the API shows nothing of it.
        @Test func aLimitedTypeRunsThroughTheAPI() throws {
            let scene = try TaskAPIScene()
            try scene.tasks.ownersStore().apply([
                Self.type("test") { ($0.key, $0.cap) = (.payload(["a"]), 1) }
            ])
            try eventually("the API knows the type") {
                let types = try scene.send("GET", "/types").list("types")
                return types.contains { ($0["limit"] as? [String: Any])?["cap"] as? Int == 1 }
            }
            let ids = try (0..<2).map { _ in try scene.submit(#""payload":{"a":"x"}"#) }
            try eventually("the first is queued") { try scene.tasks.state(ids[0]) == .queued }
            let limits = try scene.send("GET", "/limits").list("limits")
            #expect(limits.map { $0["key"] as? String } == ["test:x"])
            let (key, type) = (#"{"key":"test:x"}"#, #"{"type":"test"}"#)
            #expect(try scene.send("POST", "/limits/pause", key).status == 200)
            #expect(try scene.send("POST", "/limits/pause", type).status == 200)
            let paused = try scene.send("GET", "/limits?type=test").list("limits")[0]
            #expect(paused["paused_by"] as? String == "api")
            try scene.tasks.claim(ids[0], run: 1)
            _ = try scene.tasks.store.finish(ids[0], run: 1, as: .succeeded(result: nil))
            for body in [key, type] {
                #expect(try scene.send("POST", "/limits/resume", body).status == 200)
            }
            try eventually("the second is queued") { try scene.tasks.state(ids[1]) == .queued }
            for body in [#"{"type":"none"}"#, #"{"key":"none:a"}"#] {
                let unknown = try scene.send("POST", "/limits/pause", body)
                #expect(try unknown.status == 404 && unknown.code == "no_such_type")
            }
            for body in [
                "{}", #"{"type":"a","key":"b"}"#, #"{"key":"b"}"#, #"{"pool":"A"}"#,
                #"{"pool":"a","type":"b"}"#,
            ] {
                #expect(try scene.send("POST", "/limits/pause", body).status == 422)
            }
        }
    }
}
