import ArgumentParser
import SafeText
import Tasks

struct TokensCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens",
        abstract: "Make, list and revoke the tokens of the API's clients.",
        discussion: """
            A token opens what its scopes say, of one kb or of all. Only its digest is stored. \
            While there is any, revoked ones too, the API asks every client for one, also on this \
            machine. Runs as a role that may write amity_tokens: the owner of the tables.
            """,
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token, and print it; it is shown this once."
        )

        @Argument(help: "A name by which you know it again, e.g. of the service that has it.")
        var name: String

        @Option(
            help: """
                What it opens: conversations:write, tasks:write, tasks:read, tasks:cancel, \
                streams:* or ops. May be given several times.
                """
        )
        var scope: [Scope]

        @Option(help: "The only kb whose tasks it makes and sees.")
        var kb: String?

        func validate() throws {
            if !(1...100).contains(name.count) {
                throw ValidationError("a name has 1 to 100 signs")
            }
            if scope.isEmpty { throw ValidationError("--scope says what the token opens") }
            if let kb, !(1...255).contains(kb.count) {
                throw ValidationError("--kb takes 1 to 255 signs")
            }
        }

        func run() async throws {
            let store = try taskStore()
            try await reportingFailure {
                let made = try store.createToken(name: name, scopes: Set(scope), kbID: kb)
                print(made.secret)
                complain("token \(made.token.id) is made; its secret is not shown again")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List tokens, revoked ones too; secrets are not known."
        )

        func run() async throws {
            let store = try taskStore()
            let tokens = try await reportingFailure { try store.tokens() }
            let rows = tokens.map { token in
                [
                    "\(token.id)", token.name, token.kbID ?? "all",
                    token.scopes.map(\.rawValue).sorted().joined(separator: " "),
                    token.createdAt, token.revokedAt ?? "-",
                ]
            }
            let head = ["id", "name", "kb", "scopes", "created", "revoked"]
            for line in TextTable.lines([head] + rows) { print(line) }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a token; within five seconds it opens nothing any more."
        )

        @Argument(help: "The token's id, as list has it.")
        var id: Int32

        func run() async throws {
            let store = try taskStore()
            let isRevoked = try await reportingFailure { try store.revokeToken(Int(id)) }
            if isRevoked { return }
            complain("no token \(id), or it is revoked already")
            throw ExitCode.failure
        }
    }
}

extension Scope: ExpressibleByArgument {}

/// With one session.
func taskStore() throws -> TaskStore {
    TaskStore(sessions: try start().session(named: "amity tasks"))
}
