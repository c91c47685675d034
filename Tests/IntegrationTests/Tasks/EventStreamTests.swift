import Foundation
import Postgres
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    /// Tasks and batches as clients follow them live.
    struct EventStreamTests {
        /// One client and what it has got so far.
        private final class Follower {
            private let connection: RawConnection
            private(set) var text = ""

            init(_ scene: TaskAPIScene, _ path: String, after id: String? = nil) throws {
                connection = try RawConnection(port: scene.port, patience: .seconds(20))
                let header = id.map { "Last-Event-ID: \($0)\r\n" } ?? ""
                connection.send(
                    "GET /api/v1\(path)/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\(header)"
                        + "Connection: close\r\n\r\n"
                )
            }

            func wait(for wanted: String) {
                if !text.contains(wanted) { text += connection.read(until: wanted) }
                #expect(text.contains(wanted), "\(text)")
            }

            func end() -> Bool {
                let (rest, hasEnded) = connection.readToEnd()
                text += rest
                return hasEnded
            }

            /// Names and ids of the events, in order.
            var events: [String] {
                text.matches(of: /id: (\S+)\r?\nevent: (\w+)/).map { "\($0.2) \($0.1)" }
            }
        }

        /// Fault: a page that follows a task polls, or misses its end.
        @Test func aTaskIsFollowedToItsEnd() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            let follower = try Follower(scene, "/tasks/\(id)")
            follower.wait(for: "event: state")
            try scene.tasks.claim(id, run: 1)
            follower.wait(for: "1.processing.0")
            let progress = RunProgress(id: id, run: 1, percent: 40, note: nil)
            _ = try scene.tasks.store.write([progress])
            follower.wait(for: "1.processing.40")
            _ = try scene.tasks.store.finish(id, run: 1, as: .succeeded(result: "1"))
            follower.wait(for: "event: end")
            #expect(follower.end())
            #expect(
                follower.events == [
                    "state 1.queued.0", "state 1.processing.0", "progress 1.processing.40",
                    "end 1.completed.40",
                ]
            )
            #expect(follower.text.contains(#""status":"completed","run":1,"progress":40"#))
            #expect(follower.text.contains("Content-Type: text/event-stream"))
        }

        /// Fault: a client whose connection broke gets nothing more, or all over again for ever.
        @Test func aClientThatComesAgainGoesOn() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            let path = "/tasks/\(id)"
            let other = try Follower(scene, path, after: "1.scheduled.0")
            other.wait(for: "1.queued.0")
            let same = try Follower(scene, path, after: "1.queued.0")
            same.wait(for: "retry:")
            _ = try scene.tasks.store.cancel(id)
            for follower in [other, same] { follower.wait(for: "event: end") }
            #expect(same.events == ["end 1.cancelled.0"])
            // It has ended: the end once more, and nothing for a client that knows it.
            let late = try scene.send("GET", "\(path)/events")
            #expect(late.status == 200 && late.raw.body.contains("event: end"))
            let known = ["Last-Event-ID: 1.cancelled.0"]
            #expect(try scene.send("GET", "\(path)/events", headers: known).status == 204)
        }

        /// Fault: a batch has no end for its page, or one task of it is taken for all.
        @Test func aBatchIsFollowedToItsEnd() throws {
            let scene = try TaskAPIScene()
            let task = #"{"task_type":"test","payload":{}}"#
            let body = #"{"tasks":["# + [task, task].joined(separator: ",") + "]}"
            let made = try scene.send("POST", "/tasks/batch", body)
            let batch = try made.text("batch_id")
            let ids = try made.list("results").compactMap { $0["task_id"] as? String }
                .map { TaskID(stored: $0) }
            let follower = try Follower(scene, "/batches/\(batch)")
            follower.wait(for: "event: state")
            _ = try scene.tasks.store.cancel(ids[0])
            follower.wait(for: "event: progress")
            _ = try scene.tasks.store.cancel(ids[1])
            follower.wait(for: "event: end")
            #expect(follower.end())
            #expect(follower.text.contains(#""progress":50"#))
        }

        /// Fault: one can follow what one may not read.
        @Test func whatMayNotBeReadIsNotFollowed() throws {
            let scene = try TaskAPIScene(token: "a-token-of-many-signs")
            let id = try scene.submit()
            let path = "/tasks/\(id)/events"
            #expect(try scene.send("GET", path, token: "wrong").status == 401)
            let other = try scene.tasks.ownersStore().createToken(
                name: "other",
                scopes: [.readTasks],
                kbID: "another"
            ).secret
            #expect(try scene.send("GET", path, token: other).status == 404)
            let unknown = "/batches/11111111-1111-4111-8111-111111111111/events"
            #expect(try scene.send("GET", unknown).status == 404)
        }

        /// Fault: clients that follow keep the process from its end, or are cut in silence.
        @Test func aProcessThatStopsEndsThem() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            let follower = try Follower(scene, "/tasks/\(id)")
            follower.wait(for: "event: state")
            let begin = ContinuousClock.now
            scene.api.signal(SIGTERM)
            #expect(follower.end())
            #expect(try scene.api.waitForExit() == 0)
            #expect(begin.duration(to: .now) < .seconds(6))
            // The end of a chunked body.
            #expect(follower.text.hasSuffix("0\r\n\r\n"))
        }

        /// Fault: clients without end fill the process.
        @Test func theirNumberIsBounded() throws {
            let scene = try TaskAPIScene()
            let id = try scene.submit()
            let followers = try (0..<500).map { _ in try Follower(scene, "/tasks/\(id)") }
            for follower in followers { follower.wait(for: "event: state") }
            let refused = try scene.send("GET", "/tasks/\(id)/events")
            #expect(try refused.status == 503 && refused.code == "overloaded")
            #expect(refused.raw.header("Retry-After") == ["10"])
            // Others are answered all the same.
            #expect(try scene.send("GET", "/tasks/\(id)").status == 200)
            _ = try scene.tasks.store.cancel(id)
            for follower in followers { follower.wait(for: "event: end") }
            try eventually("there is room again") {
                try scene.send("GET", "/tasks/\(id)/events").status == 200
            }
        }
    }
}
