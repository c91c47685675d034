import Foundation
import TestSupport
import Testing

@testable import TaskTypes
@testable import Tasks

extension Integration {
    /// `amity limits`, as the role of a worker.
    struct LimitCommandTests {
        private let tasks: TaskScene

        init() throws {
            tasks = try TaskScene()
            var send = TaskType(name: "send", handler: .swift)
            var limit = TaskLimit()
            (limit.key, limit.rate, limit.burst) = (.payload(["account"]), 2, 3)
            send.limit = limit
            try tasks.ownersStore().apply([send])
        }

        private func amity(_ arguments: String...) throws -> Command.Result {
            try tasks.scene.amity(["limits"] + arguments)
        }

        private func admitted() throws -> Int {
            var cursor = ""
            return try tasks.store.admit(after: &cursor, keys: 9, room: 9).toPublish.count
        }

        private func submit(_ account: String) throws {
            _ = try tasks.submit("send") {
                $0.payload = #"{"account":"\#(account)","text":"canary"}"#
                $0.limitedBy = "payload.account"
            }
        }

        /// Fault: a key that keeps tasks waiting is not among those that have been used already,
        /// and an operator sees none.
        @Test func keysThatKeepTasksWaitingAreListed() throws {
            for account in ["a", "a", "b"] { try submit(account) }
            #expect(try amity("list").output.split(separator: "\n").count == 1)
            let lines = try amity("list", "--waiting").output.split(separator: "\n")
            #expect(lines.count == 3, "\(lines)")
            let first = lines[1].split(separator: " ", omittingEmptySubsequences: true)
            #expect(first == ["send:a", "2.0/s,", "burst", "3", "3.0", "2", "0", "0", "-", "-"])
            let page = try amity("list", "--waiting", "--limit", "1")
            #expect(page.error.contains("--after send:a"), "\(page.error)")
            let rest = try amity("list", "--waiting", "--json", "--after", "send:a")
            #expect(rest.output.hasPrefix(#"{"key":"send:b","queued":0,"rule":{"burst":3,"#))
            #expect(try amity("list", "--waiting", "--type", "send").status == 64)
            #expect(!rest.output.contains("canary"))
        }

        @Test func oneKeyIsShownPausedAndResumed() throws {
            try submit("a")
            #expect(try amity("pause", "send:a").status == 0)
            let shown = try amity("show", "send:a")
            for part in ["payload.account", "waiting    1", "paused by"] {
                #expect(shown.output.contains(part), "\(shown.output)\(shown.error)")
            }
            let all = try amity("list", "--json").output
            #expect(all.contains(#"{"kind":"key","name":"send:a","paused_at":"#), "\(all)")
            #expect(try amity("resume", "send:a").status == 0)
            let json = try amity("show", "send:a", "--json").output
            #expect(json.contains(#""waiting":1"#) && !json.contains("paused"), "\(json)")
            // A type that has a limit and no key yet.
            #expect(try amity("show", "send").output.contains("2.0/s, burst 3"))
            let none = try amity("show", "other")
            #expect(none.status == 1 && none.error.contains("other has no limit"))
        }

        /// Fault: a task's key is its value's digest where that is long; a pause of the value is
        /// accepted and holds nothing.
        @Test func aLongKeyIsPausedByItsValue() throws {
            let value = String(repeating: "ü", count: 201)
            for account in [value, String(value.dropLast())] {
                try submit(account)
                #expect(try amity("pause", "send:\(account)").status == 0)
                let shown = try amity("show", "send:\(account)").output
                #expect(shown.contains("waiting    1") && shown.contains("paused by"), "\(shown)")
                #expect(try admitted() == 0)
                #expect(try amity("resume", "send:\(account)").status == 0)
                #expect(try admitted() == 1)
            }
            #expect(try tasks.store.pauses().isEmpty)
            // As a version before wrote it.
            let pause = "INSERT INTO amity_pauses VALUES ($1, 'x', now())"
            try tasks.sql(pause, .text("send:\(value)"))
            #expect(try amity("resume", "send:\(value)").status == 0)
        }
    }
}
