import Foundation
import TestSupport
import Testing

@testable import Schedules
@testable import Tasks

extension Integration {
    struct ScheduleRoutes {
        private static let nightly = #""cron":"30 2 * * *","task_type":"test""#

        @Test func aScheduleIsMadeReadChangedAndDeleted() throws {
            let scene = try TaskAPIScene()
            let made = try scene.send(
                "PUT",
                "/schedules/nightly",
                """
                {\(Self.nightly),"time_zone":"Europe/Berlin","catch_up":"all","kb_id":"kb-1",
                 "payload":{"a":1},"priority":"low","retry_limit":1,"timeout_seconds":9,
                 "unique":"u","tags":["t"]}
                """
            )
            #expect(made.status == 200, "\(made.raw.body)")
            let read = try scene.send("GET", "/schedules/nightly")
            #expect(read.raw.body == made.raw.body)
            #expect(try read.json["payload"] as? [String: Int] == ["a": 1])
            let times = try #require(try read.json["next_times"] as? [String])
            #expect(try times.count == 5 && times[0] == read.text("next_at"))
            #expect(times.allSatisfy { $0.contains("T00:30") || $0.contains("T01:30") })
            let changed = try scene.send("PUT", "/schedules/nightly", "{\(Self.nightly)}")
            #expect(try changed.text("time_zone") == "UTC" && changed.text("catch_up") == "one")
            #expect(try changed.json["priority"] is NSNull)
            #expect(try scene.send("DELETE", "/schedules/nightly").status == 200)
            for (method, rest) in [
                ("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"),
                ("POST", "/run"),
            ] {
                let none = try scene.send(method, "/schedules/nightly\(rest)")
                #expect(try none.status == 404 && none.code == "not_found")
            }
            #expect(try scene.send("GET", "/schedules/a%20b").status == 404)
        }

        /// Fault: a schedule that can never be due, or makes nothing, is taken.
        @Test func allThatIsWrongIsNamedAtOnce() throws {
            let scene = try TaskAPIScene()
            let wrong = try scene.send(
                "PUT",
                "/schedules/a",
                """
                {"cron":"0 0 31 2 *","task_type":"odd","time_zone":"GMT+7","catch_up":"some",
                 "priority":"x","retry_limit":-1,"timeout_seconds":0,"tags":[1],"unique":"",
                 "delay_seconds":1,"callback":{}}
                """
            )
            #expect(
                try wrong.pointers.sorted() == [
                    "/callback", "/catch_up", "/cron", "/delay_seconds", "/priority",
                    "/retry_limit", "/tags", "/task_type", "/time_zone", "/timeout_seconds",
                    "/unique",
                ]
            )
            #expect(wrong.raw.body.contains("31 February"))
            let empty = try scene.send("PUT", "/schedules/a", "{}")
            #expect(try empty.pointers.sorted() == ["/cron", "/task_type"])
            for name in ["a%20b", ".", "..", "a%2Fb"] {
                let answer = try scene.send("PUT", "/schedules/\(name)", "{\(Self.nightly)}")
                #expect(try answer.pointers == ["/name"], "\(name)")
            }
            #expect(try scene.send("GET", "/schedules").list("schedules").isEmpty)
        }

        @Test func aScheduleIsPausedResumedAndRunByHand() throws {
            let scene = try TaskAPIScene()
            let made = try scene.send("PUT", "/schedules/nightly", "{\(Self.nightly)}")
            let next = try made.text("next_at")
            #expect(try scene.send("GET", "/schedules/nightl%79").text("next_at") == next)
            let paused = try scene.send("POST", "/schedules/nightly/pause")
            #expect(try paused.text("paused_by") == "api" && paused.json["next_at"] is NSNull)
            #expect(try paused.json["next_times"] as? [String] == [])
            let headers = ["Idempotency-Key: k"]
            let run = try scene.send("POST", "/schedules/nightly/run", headers: headers)
            #expect(try run.status == 202 && run.text("status") == "queued")
            let again = try scene.send("POST", "/schedules/nightly/run", headers: headers)
            #expect(again.raw.body == run.raw.body)
            _ = try scene.send("PUT", "/schedules/other", "{\(Self.nightly)}")
            let other = try scene.send("POST", "/schedules/other/run", headers: headers)
            #expect(try other.code == "idempotency_key_reused")
            let task = try #require(TaskID(try run.text("task_id")))
            #expect(try scene.tasks.store.get(task)?.tags == #"["schedule:nightly"]"#)
            let resumed = try scene.send("POST", "/schedules/nightly/resume")
            #expect(try resumed.text("next_at") == next && resumed.json["paused_at"] is NSNull)
            #expect(try resumed.json["last_at"] is NSNull)
            try scene.tasks.sql("UPDATE amity_schedules SET type = 'gone'")
            #expect(try scene.send("POST", "/schedules/nightly/run").code == "type_unknown")
        }

        @Test func pagesHaveEachScheduleOnce() throws {
            let scene = try TaskAPIScene()
            for number in 1...5 {
                _ = try scene.send("PUT", "/schedules/s\(number)", "{\(Self.nightly)}")
            }
            var (seen, cursor): ([String], String?) = ([], nil)
            repeat {
                let rest = cursor.map { "&cursor=\($0)" } ?? ""
                let page = try scene.send("GET", "/schedules?limit=2\(rest)")
                seen += try page.list("schedules").compactMap { $0["name"] as? String }
                cursor = try page.json["next_cursor"] as? String
            } while cursor != nil
            #expect(seen == (1...5).map { "s\($0)" })
        }

        /// Fault: a client of one kb sees, stops or takes over what is another's.
        @Test func aTokenOfAKbReachesNoOther() throws {
            let scene = try TaskAPIScene(token: "a-token-of-many-signs")
            let store = scene.tasks.ownersStore()
            let scopes: Set<Scope> = [.writeTasks, .readTasks]
            let (token, secret) = try store.createToken(name: "a", scopes: scopes, kbID: "kb-a")
            let (_, reader) = try store.createToken(name: "r", scopes: [.readTasks], kbID: "kb-a")
            let foreign = #"{\#(Self.nightly),"kb_id":"kb-b"}"#
            _ = try scene.send("PUT", "/schedules/foreign", foreign)
            _ = try scene.send("PUT", "/schedules/common", "{\(Self.nightly)}")
            func send(
                _ method: String,
                _ path: String,
                _ body: String? = nil,
                as token: String? = nil
            ) throws -> TaskAPIScene.Answer {
                try scene.send(method, "/schedules\(path)", body, token: token ?? secret)
            }
            let own = try send("PUT", "/own", "{\(Self.nightly)}")
            #expect(try own.text("kb_id") == "kb-a" && own.json["created_by"] as? Int == token.id)
            #expect(try send("PUT", "/own", foreign).code == "foreign_kb")
            for name in ["foreign", "common"] {
                #expect(try send("PUT", "/\(name)", "{\(Self.nightly)}").code == "name_taken")
                #expect(try send("GET", "/\(name)").status == 404)
                #expect(try send("DELETE", "/\(name)").status == 404)
                for verb in ["pause", "resume", "run"] {
                    #expect(try send("POST", "/\(name)/\(verb)").status == 404)
                }
            }
            let listed = try send("GET", "").list("schedules")
            #expect(listed.compactMap { $0["name"] as? String } == ["own"])
            #expect(try send("POST", "/own/pause").text("paused_by") == "token \(token.id)")
            #expect(try send("GET", "/own", as: reader).status == 200)
            for (method, rest) in [
                ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/run"),
            ] {
                #expect(try send(method, "/own\(rest)", as: reader).code == "scope_missing")
            }
            #expect(try send("PUT", "/own", "{}", as: reader).status == 403)
            // What a tick makes is of the token that made the schedule.
            let ticks = try ScheduleScene.store(on: scene.tasks.scene.settings.database)
                .tick(at: Date(timeIntervalSinceNow: 2 * 86_400))
            #expect(ticks.made == 2)
            _ = try send("POST", "/own/resume")
            let later = try ScheduleScene.store(on: scene.tasks.scene.settings.database)
                .tick(at: Date(timeIntervalSinceNow: 2 * 86_400))
            #expect(later.made == 1)
            let createdBy = try scene.tasks.sql(
                "SELECT created_by FROM amity_tasks WHERE kb_id = 'kb-a'"
            )
            #expect(createdBy.integer(0, 0) == token.id)
        }
    }
}
