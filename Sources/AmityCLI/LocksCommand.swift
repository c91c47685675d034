import ArgumentParser
import Foundation
import Locks
import SafeText

struct LocksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locks",
        abstract: "List locks that clients hold, and release one that was left behind.",
        subcommands: [List.self, Release.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List locks that are held.")

        @Option(help: "Only locks of this kb.")
        var kb: String?

        @Option(help: "Most locks to list, from 1 to 10000.")
        var limit = 1000

        func run() async throws {
            let store = LockStore(sessions: try start().session(named: "amity locks"))
            let locks = try await reportingFailure {
                try store.locks(kbID: kb, limit: min(max(limit, 1), 10_000))
            }
            let rows = locks.map { lock in
                [
                    lock.name, lock.kbID ?? "-", lock.owner, "\(lock.token)",
                    lock.acquiredAt.ISO8601Format(), lock.leaseUntil.ISO8601Format(),
                ]
            }
            let head = ["name", "kb", "owner", "token", "since", "until"]
            for line in TextTable.lines([head] + rows) { print(line) }
        }
    }

    struct Release: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Release a lock of any owner; the next one gets a larger token."
        )

        @Argument(help: "The lock's name.")
        var name: String

        @Option(help: "The lock's kb.")
        var kb: String?

        func run() async throws {
            let store = LockStore(sessions: try start().session(named: "amity locks"))
            let outcome = try await reportingFailure {
                try store.unlock(name, owner: nil, token: nil, kbID: kb)
            }
            guard case .released(let lock) = outcome else {
                complain("\(name) is not held")
                throw ExitCode.failure
            }
            print("\(name) is released; \(lock.owner.printable) had it")
        }
    }
}
