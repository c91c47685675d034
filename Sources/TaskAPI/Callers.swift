import Concurrency
import Digests
import HTTPServing
import Hummingbird
import Postgres
import Tasks

/// Tells callers apart: by `API_TOKEN`, by a row of `amity_tokens`, or by the machine they are on
/// while there is no token at all.
package final class Callers: Sendable {
    /// A revoked token opens nothing any more after this time.
    private static let lifetime = Duration.seconds(3)
    /// Tokens kept, wrong ones too.
    private static let mostKnown = 1_000
    /// Of a secret, in bytes: ours are shorter.
    private static let longest = 200

    private struct Known: Sendable {
        var caller: Caller?
        var at: ContinuousClock.Instant
    }

    private let access: AccessControl
    private let call: StoreCalls
    private let known = Locked<[[UInt8]: Known]>([:])
    private let hasTokens = Remembered<Bool>(for: lifetime)

    init(access: AccessControl, call: StoreCalls) {
        self.access = access
        self.call = call
    }

    /// - Throws: `Problem` for a request that is not admitted.
    package func caller(of request: Request) async throws -> Caller {
        if let secret = AccessControl.bearer(of: request) {
            if access.isToken(secret) { return .administrator }
            if let caller = try await caller(showing: secret) { return caller }
        }
        if try await needsToken() { throw Problem.unauthorized }
        guard access.namesThisMachine(request) else {
            throw Problem(
                .misdirectedRequest,
                code: "foreign_host",
                "the Host header must name this machine, while there is no token"
            )
        }
        return .administrator
    }

    /// - Throws: `Problem` for a request that may not read the metrics.
    package func requireMetrics(_ request: Request) async throws {
        if access.mayReadMetrics(request) { return }
        try await caller(of: request).require(.operations)
    }

    /// Whether a request comes from an administrator, as far as is known without a look.
    package func isAdministrator(_ request: Request) -> Bool {
        access.admits(request) && (access.hasToken || hasTokens.last != true)
    }

    private func caller(showing secret: String) async throws -> Caller? {
        guard secret.hasPrefix("amity_"), secret.utf8.count < Self.longest else { return nil }
        let digest = Digest.sha256(secret.utf8)
        let now = ContinuousClock.now
        let found = known.withLock { known in
            known[digest].flatMap { $0.at.duration(to: now) < Self.lifetime ? $0 : nil }
        }
        if let found { return found.caller }
        let token = try await withoutTables(nil) {
            try await self.call { store throws(PostgresError) in try store.token(of: secret) }
        }
        let caller = token.map { Caller(token: $0.id, scopes: $0.scopes, kbID: $0.kbID) }
        known.withLock { known in
            if known.count >= Self.mostKnown { known.removeAll() }
            known[digest] = Known(caller: caller, at: now)
        }
        return caller
    }

    private func needsToken() async throws -> Bool {
        if access.hasToken { return true }
        do {
            return try await hasTokens.get {
                try await withoutTables(false) {
                    try await self.call { store throws(PostgresError) in try store.hasTokens() }
                }
            }
        } catch {
            // While the database is away it takes no new token.
            guard let last = hasTokens.last else { throw error }
            return last
        }
    }

    /// Where there is no table of tokens, or not for this role, there are none.
    private func withoutTables<Value>(
        _ none: Value,
        _ read: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await read()
        } catch let problem as Problem where problem.code == Problem.notSetUp {
            return none
        }
    }
}
