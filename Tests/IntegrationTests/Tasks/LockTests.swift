import Concurrency
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Locks
@testable import Tasks

extension Integration {
    /// Locks for clients.
    struct LockTests {
        /// Fault: two owners hold a lock at once, or a later one has a smaller token, and what it
        /// guards takes the older one's writes.
        @Test func tokensGrowWithEachHolder() throws {
            let scene = try TaskScene()
            let store = LockStore(sessions: scene.store.sessions)
            let held = Locked<[(owner: String, token: Int)]>([])
            let holders = Locked(0)
            let group = DispatchGroup()
            for number in 0..<8 {
                group.enter()
                startThread(name: "owner", stackBytes: 512 << 10) {
                    defer { group.leave() }
                    do {
                        var left = 5
                        while left > 0 {
                            let name = "owner \(number)"
                            if try Self.holdOnce(store, name, held, holders) { left -= 1 }
                        }
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            group.wait()
            let tokens = held.withLock { $0.map(\.token) }
            #expect(tokens.count == 40)
            #expect(zip(tokens, tokens.dropFirst()).allSatisfy { $0 < $1 }, "\(tokens)")
        }

        private static func holdOnce(
            _ store: LockStore,
            _ owner: String,
            _ held: Locked<[(owner: String, token: Int)]>,
            _ holders: Locked<Int>
        ) throws -> Bool {
            guard case .held(let lock) = try store.lock("a", owner: owner, for: 60) else {
                return false
            }
            #expect(
                holders.withLock {
                    $0 += 1; return $0
                } == 1
            )
            held.withLock { $0.append((owner, lock.token)) }
            guard case .held(let again) = try store.lock("a", owner: owner, for: 60) else {
                Issue.record("its owner could not renew it")
                return true
            }
            #expect(again.token == lock.token)
            holders.withLock { $0 -= 1 }
            let done = try store.unlock("a", owner: owner, token: lock.token)
            if case .released = done { return true }
            Issue.record("\(done)")
            return true
        }

        /// Fault: an owner whose time was over goes on with its old token.
        @Test func aLockEndsByTheDatabasesClock() throws {
            let scene = try TaskScene()
            let store = LockStore(sessions: scene.store.sessions)
            guard case .held(let first) = try store.lock("a", owner: "x", for: 30),
                case .taken(let seen) = try store.lock("a", owner: "y", for: 30)
            else { throw TaskScene.Refused() }
            #expect(seen.owner == "x" && (29...30).contains(seen.secondsLeft))
            try scene.sql("UPDATE amity_locks SET lease_until = now() - interval '1 second'")
            #expect(try store.lock(named: "a") == nil)
            guard case .held(let second) = try store.lock("a", owner: "x", for: 30) else {
                throw TaskScene.Refused()
            }
            #expect(second.token > first.token)
            let late = try store.unlock("a", owner: "x", token: first.token)
            guard case .foreign(let holder) = late else { throw TaskScene.Refused() }
            #expect(holder.token == second.token)
            #expect(try store.unlock("b", owner: "x", token: nil) == .free)
            #expect(try store.forgetLocks(atMost: 9) == 0)
            try scene.sql("UPDATE amity_locks SET lease_until = now() - interval '25 hours'")
            #expect(try store.forgetLocks(atMost: 9) == 1)
            guard case .held(let third) = try store.lock("a", owner: "y", for: 30) else {
                throw TaskScene.Refused()
            }
            #expect(third.token > second.token)
        }

        // MARK: Over HTTP

        @Test func aLockIsTakenRenewedAndReleased() throws {
            let scene = try TaskAPIScene()
            let body = #"{"owner":"x","ttl":60}"#
            let first = try scene.send("PUT", "/locks/nightly", body)
            #expect(first.status == 200, "\(first.raw.body)")
            let token = try #require(try first.json["token"] as? Int)
            #expect(try scene.send("PUT", "/locks/nightly", body).json["token"] as? Int == token)
            let other = try scene.send("PUT", "/locks/nightly", #"{"owner":"y","ttl":60}"#)
            #expect(try other.status == 409 && other.code == "lock_taken")
            let wait = try #require(other.raw.header("Retry-After").first.flatMap { Int($0) })
            #expect((55...60).contains(wait))
            #expect(try scene.send("GET", "/locks/nightly").text("owner") == "x")
            #expect(try scene.send("GET", "/locks").list("locks").count == 1)
            for query in ["owner=y", "token=\(token + 1)", "owner=y&token=\(token)"] {
                #expect(
                    try scene.send("DELETE", "/locks/nightly?\(query)").status == 409,
                    "\(query)"
                )
            }
            #expect(try scene.send("GET", "/locks/night%6Cy").text("owner") == "x")
            #expect(try scene.send("DELETE", "/locks/nightly").status == 422)
            let done = try scene.send("DELETE", "/locks/nightly?owner=x&token=\(token)")
            #expect(done.status == 200)
            #expect(try scene.send("DELETE", "/locks/nightly?owner=x").status == 404)
            #expect(try scene.send("GET", "/locks/nightly").status == 404)
            let next = try scene.send("PUT", "/locks/nightly", #"{"owner":"y","ttl":60}"#)
            #expect(try #require(try next.json["token"] as? Int) > token)
        }

        @Test(arguments: [
            ("a", "{}", ["/owner", "/ttl"]), ("a", #"{"owner":"","ttl":60}"#, ["/owner"]),
            ("a", #"{"owner":"x","ttl":0}"#, ["/ttl"]),
            ("a", #"{"owner":"x","ttl":86401}"#, ["/ttl"]),
            ("a%20b", #"{"owner":"x","ttl":60}"#, ["/name"]),
            // Clients drop such parts of a path.
            (".", #"{"owner":"x","ttl":60}"#, ["/name"]),
            ("..", #"{"owner":"x","ttl":60}"#, ["/name"]),
            ("%2E%2e", #"{"owner":"x","ttl":60}"#, ["/name"]),
            ("a%2Fb", #"{"owner":"x","ttl":60}"#, ["/name"]),
            ("a%FFb", #"{"owner":"x","ttl":60}"#, ["/name"]),
            (String(repeating: "a", count: 101), #"{"owner":"x","ttl":60}"#, ["/name"]),
        ])
        func whatIsWrongIsNamed(name: String, body: String, pointers: [String]) throws {
            let answer = try TaskAPIScene().send("PUT", "/locks/\(name)", body)
            #expect(answer.status == 422)
            #expect(try answer.pointers.sorted() == pointers)
        }

        /// Fault: a tenant takes another one's lock, or sees that it is there.
        @Test func aTokensLocksAreItsKbsOwn() throws {
            let scene = try TaskAPIScene()
            let store = scene.tasks.ownersStore()
            func token(_ kb: String) throws -> String {
                try store.createToken(name: kb, scopes: Set(Scope.allCases), kbID: kb).secret
            }
            let (one, other) = (try token("one"), try token("other"))
            let body = #"{"owner":"x","ttl":60}"#
            for token in [one, other] {
                #expect(try scene.send("PUT", "/locks/a", body, token: token).status == 200)
            }
            #expect(try scene.send("GET", "/locks/a", token: one).text("kb_id") == "one")
            #expect(try scene.send("GET", "/locks", token: one).list("locks").count == 1)
            let foreign = #"{"owner":"x","ttl":60,"kb_id":"other"}"#
            #expect(try scene.send("PUT", "/locks/a", foreign, token: one).status == 403)
            let query = "?owner=x&kb_id=other"
            #expect(try scene.send("DELETE", "/locks/a\(query)", token: one).status == 403)
        }

        @Test func anOperatorReleasesALockThatWasLeftBehind() throws {
            let scene = try TaskScene()
            let store = LockStore(sessions: scene.store.sessions)
            _ = try store.lock("a", owner: "x", for: 600, kbID: "k")
            let listed = try scene.scene.amity(["locks", "list"])
            #expect(listed.output.contains("a     k"), "\(listed.output)\(listed.error)")
            #expect(try scene.scene.amity(["locks", "release", "a"]).status == 1)
            #expect(try scene.scene.amity(["locks", "release", "a", "--kb", "k"]).status == 0)
            #expect(try store.lock(named: "a", kbID: "k") == nil)
        }
    }
}
