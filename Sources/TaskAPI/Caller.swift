import HTTPServing
import Tasks

/// Who sent a request, and what it may do.
package struct Caller: Sendable, Equatable {
    /// The token's id; 0 for none, and for `API_TOKEN`.
    var token = 0
    var scopes: Set<Scope>
    /// The only kb whose tasks it makes and sees; nil for all.
    var kbID: String?

    /// For others to see.
    var name: String { token == 0 ? "api" : "token \(token)" }

    static let administrator = Caller(scopes: Set(Scope.allCases), kbID: nil)

    /// - Parameter scopes: one of them is needed.
    /// - Throws: `Problem` 403 where it has none.
    package func require(_ scopes: Scope...) throws(Problem) {
        if !self.scopes.isDisjoint(with: scopes) { return }
        let names = scopes.map(\.rawValue).joined(separator: " or ")
        throw Problem(
            .forbidden,
            code: "scope_missing",
            "the token needs the scope \(names)"
        )
    }

    /// The kb that a request is about.
    ///
    /// - Parameter asked: as the request names it; nil where it names none.
    /// - Throws: `Problem` 403 for a kb that is not its own.
    func kb(_ asked: String?) throws(Problem) -> String? {
        guard let kbID else { return asked }
        guard let asked, asked != kbID else { return kbID }
        throw Problem(.forbidden, code: "foreign_kb", "the token is for another kb")
    }
}
