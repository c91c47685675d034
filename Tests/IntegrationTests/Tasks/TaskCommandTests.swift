import Foundation
import TestSupport
import Testing

@testable import Tasks

extension Integration {
    struct TaskCommands {
        @Test func tokensAreMadeListedAndRevoked() throws {
            let tasks = try TaskScene()
            let owner = try tasks.scene.asOwner()
            func amity(_ arguments: String...) throws -> Command.Result {
                try tasks.scene.amity(["tokens"] + arguments, owner)
            }
            let made = try amity(
                "create",
                "images",
                "--scope",
                "tasks:write",
                "--scope",
                "tasks:read",
                "--kb",
                "kb-1"
            )
            #expect(made.status == 0, "\(made.error)")
            let secret = made.output.trimmingCharacters(in: .newlines)
            let token = try #require(try tasks.store.token(of: secret))
            #expect(token.scopes == [.writeTasks, .readTasks] && token.kbID == "kb-1")
            #expect(!made.error.contains(secret))
            let listed = try amity("list").output
            #expect(listed.contains("images  kb-1  tasks:read tasks:write"), "\(listed)")
            #expect(!listed.contains(secret))
            #expect(try amity("revoke", "\(token.id)").status == 0)
            #expect(try tasks.store.token(of: secret) == nil)
            let again = try amity("revoke", "\(token.id)")
            #expect(again.status == 1 && again.error.contains("revoked already"))
            // A worker's role reads them and makes none.
            let own = try tasks.scene.amity(["tokens", "create", "x", "--scope", "ops"])
            #expect(own.status == 69 && own.error.contains("42501"), "\(own.error)")
        }

        /// Fault: an operator is told a SQLSTATE, and not what to do.
        @Test func withoutTablesOrGrantsTheRemedyIsSaid() throws {
            let scene = try Scene()
            let owner = try #require(Servers.environment["DATABASE_URL"])
            let empty = ["DATABASE_URL": "\(owner)?options=-csearch_path%3Dno_\(scene.name)"]
            for command in [
                "tasks", "types", "limits", "schedules", "tokens", "batches", "locks", "callbacks",
            ] {
                let missing = try scene.amity([command, "list"], empty)
                #expect(missing.status == 69 && missing.error.contains("42P01"))
                #expect(missing.error.contains("run amity migrate"), "\(missing.error)")
                let foreign = try scene.amity([command, "list"])
                #expect(foreign.status == 69 && foreign.error.contains("42501"))
                #expect(foreign.error.contains("deploy/grants.sql"), "\(foreign.error)")
            }
        }

        /// Fault: who makes a mistake in one command is told of all the others.
        @Test func aMistakeThatIsFoundLaterShowsTheUsageOfItsCommand() throws {
            let scene = try Scene()
            for (arguments, mistake, usage) in [
                (["tasks", "submit", "test", "--payload", "x"], "no JSON", "tasks submit"),
                (["tasks", "submit", "test", "--payload", "@/no"], "cannot read", "tasks submit"),
                (["publish", "--file", "/no"], "cannot read", "publish"),
            ] {
                let result = try scene.amity(arguments)
                #expect(result.status == 64 && result.error.contains(mistake))
                #expect(result.error.contains("Usage: amity \(usage) "), "\(result.error)")
            }
        }

        @Test func aFileOfTypesIsAppliedOrRefused() throws {
            let tasks = try TaskScene()
            let owner = try tasks.scene.asOwner()
            func apply(_ json: String) throws -> Command.Result {
                let file = try TemporaryFile(json)
                defer { withExtendedLifetime(file) {} }
                return try tasks.scene.amity(["types", "apply", file.path], owner)
            }
            let good = try apply(
                """
                {"types": [{"type": "resize", "pool": "gpu",
                            "handler": {"kind": "http", "url": "https://images.internal/resize"}}]}
                """
            )
            #expect(good.status == 0 && good.output == "1 type is applied\n", "\(good.error)")
            let listed = try tasks.scene.amity(["types", "list"], owner).output
            #expect(listed.contains("http https://images.internal/resize"), "\(listed)")
            #expect(listed.contains("document_processing"))
            let bad = try apply(#"{"types": [{"type": "amity.x", "handler": {"kind": "odd"}}]}"#)
            #expect(bad.status == 1 && bad.error.contains("/types/0/handler/kind"))
            let none = try tasks.scene.amity(["types", "apply", "/nothing.json"], owner)
            #expect(none.status == 1 && none.error.contains("cannot be read"))
        }
    }
}
