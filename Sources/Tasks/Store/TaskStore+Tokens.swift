import Digests
import Postgres

extension TaskStore {
    /// Makes a token.
    ///
    /// - Returns: what its client has to show. It is stored nowhere: there is no second look at it.
    package func createToken(
        name: String,
        scopes: Set<Scope>,
        kbID: String? = nil
    ) throws(PostgresError) -> (token: AccessToken, secret: String) {
        let secret = "amity_\(Secret.random())"
        let parameters: [Parameter] = [
            .text(name), .text(Self.digest(secret)),
            .textArray(scopes.map(\.rawValue).sorted()), .optional(kbID),
        ]
        let made = try rows(of: TokenSQL.create, parameters, TokenSQL.token)
        guard let token = made.first else {
            throw PostgresError(sqlState: "02000", operation: TokenSQL.create.name, message: "")
        }
        return (token, secret)
    }

    /// - Returns: nil for one that was never made, or was revoked.
    package func token(of secret: String) throws(PostgresError) -> AccessToken? {
        try rows(of: TokenSQL.find, [.text(Self.digest(secret))], TokenSQL.token).first
    }

    /// All, revoked ones too, oldest first.
    package func tokens() throws(PostgresError) -> [AccessToken] {
        try rows(of: TokenSQL.list, [], TokenSQL.token)
    }

    /// Whether there is any, revoked ones too.
    package func hasTokens() throws(PostgresError) -> Bool {
        try count(of: TokenSQL.any, []) > 0
    }

    /// - Returns: whether there was such a token, not revoked yet.
    package func revokeToken(_ id: Int) throws(PostgresError) -> Bool {
        try count(of: TokenSQL.revoke, [.integer(id)]) > 0
    }

    private static func digest(_ secret: String) -> String {
        Digest.sha256(Array(secret.utf8)).hexadecimal
    }
}

private enum TokenSQL {
    private static let columns = """
        id, name, array_to_string(scopes, ' '), kb_id, \(TaskSQL.iso("created_at")), \
        \(TaskSQL.iso("revoked_at"))
        """

    /// $1 to $4: name, digest in hexadecimal, scopes, kb or NULL.
    static let create = Statement(
        "create_token",
        """
        INSERT INTO amity_tokens (name, digest, scopes, kb_id)
        VALUES ($1, decode($2, 'hex'), $3::text[], $4)
        RETURNING \(columns)
        """,
        commits: true
    )

    static let find = Statement(
        "find_token",
        """
        SELECT \(columns) FROM amity_tokens
        WHERE digest = decode($1, 'hex') AND revoked_at IS NULL
        """
    )

    static let list = Statement("list_tokens", "SELECT \(columns) FROM amity_tokens ORDER BY id")

    static let any = Statement("any_token", "SELECT 1 FROM amity_tokens LIMIT 1")

    static let revoke = Statement(
        "revoke_token",
        """
        UPDATE amity_tokens SET revoked_at = clock_timestamp()
        WHERE id = $1::int AND revoked_at IS NULL
        RETURNING 1
        """,
        commits: true
    )

    static func token(_ row: inout RowReader) throws(PostgresError) -> AccessToken {
        AccessToken(
            id: try row.integer() ?? 0,
            name: try row.text() ?? "",
            // A later version may have stored one that this one does not know.
            scopes: Set(
                try row.text()?.split(separator: " ").compactMap {
                    Scope(rawValue: String($0))
                } ?? []
            ),
            kbID: try row.text(),
            createdAt: try row.text() ?? "",
            revokedAt: try row.text()
        )
    }
}
