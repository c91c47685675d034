import Foundation
import Testing

extension Integration {
    /// TLS to the database is libpq's; that the settings reach it, and the refusals the operator,
    /// is ours. Every refusal has its counterpart that is let in.
    struct DatabaseSecurity {
        private let authority: PrivateAuthority

        init() throws {
            authority = try PrivateAuthority()
        }

        /// The settings of a client that trusts one authority, and no other.
        private func trusting(
            _ authority: PrivateAuthority,
            as role: String,
            in scene: Scene,
            host: String = "localhost"
        ) throws -> [String: String] {
            let url = try #require(Servers.environment["DATABASE_URL"])
                .replacing("//amity@127.0.0.1", with: "//\(role)@\(host)")
            return [
                "DATABASE_URL": "\(url)?sslmode=verify-full&sslrootcert=\(authority.certificate)"
                    + "&options=-csearch_path%3D\(scene.name)"
            ]
        }

        private func expectAcceptance(_ scene: Scene) throws {
            let done = try scene.amity(["migrate"], try trusting(authority, as: "amity", in: scene))
            #expect(done.status == 0, "\(done.error)")
        }

        /// A command ends, and a worker waits, with a line that says what to do.
        private func expectRefusal(
            _ scene: Scene,
            _ host: String = "localhost",
            trusting other: PrivateAuthority? = nil,
            saying text: String,
            _ extra: [String: String] = [:]
        ) throws {
            let other = other ?? authority
            let owner = try trusting(other, as: "amity", in: scene, host: host)
            let done = try scene.amity(["migrate"], owner.merging(extra) { $1 })
            #expect(done.status == 69)
            #expect(done.error.contains(text), "\(done.error)")
            let role = try trusting(other, as: scene.name, in: scene, host: host)
            let worker = try scene.startWorker(role.merging(extra) { $1 })
            try scene.addConversation("c1")
            try scene.publish(ids: "c1")
            try eventually("the worker says so") {
                !worker.events("database.unavailable").isEmpty
            }
            let line = worker.events("database.unavailable").first?["error"] as? String
            #expect(line?.contains(text) == true, "\(line ?? "")")
            #expect(try scene.count("status = 'PROCESSED'") == 0)
        }

        @Test func aWorkerDoesItsWorkThroughTLS() throws {
            let database = try SecureDatabase(try authority.issue("DNS:localhost"))
            let scene = try Scene()
            try expectAcceptance(scene)
            try scene.addConversations(100)
            let worker = try scene.startWorker(try trusting(authority, as: scene.name, in: scene))
            try scene.publish(ids: (0..<100).map { "c\($0)" })
            try eventually("its sessions are encrypted") {
                try scene.sql(
                    """
                    SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                    WHERE usename = $1 AND ssl
                    """,
                    .text(scene.name)
                ).count > 0
            }
            try scene.expectEachToCountOnce(100, by: worker)
            withExtendedLifetime(database) {}
        }

        /// Teams that keep their settings in parts say it with libpq's own variables.
        @Test func libpqsOwnVariablesCount() throws {
            let database = try SecureDatabase(try authority.issue("DNS:localhost"))
            let scene = try Scene()
            let other = try PrivateAuthority("Another authority")
            let parts = [
                "DATABASE_URL": "", "POSTGRES_HOST": "localhost", "POSTGRES_USERNAME": "amity",
                "POSTGRES_DATABASE": "amity", "PGOPTIONS": "-csearch_path=\(scene.name)",
                "POSTGRES_PORT": "\(try Servers.port("DATABASE_URL"))", "PGSSLMODE": "verify-full",
            ]
            for (authority, status) in [(authority, 0), (other, 69)] {
                let trust = ["PGSSLROOTCERT": authority.certificate]
                let done = try scene.amity(["migrate"], parts.merging(trust) { $1 })
                #expect(done.status == Int32(status), "\(done.error)")
            }
            withExtendedLifetime(database) {}
        }

        @Test func aDatabaseOfAnotherAuthorityIsRefused() throws {
            let database = try SecureDatabase(try authority.issue("DNS:localhost"))
            let scene = try Scene()
            let other = try PrivateAuthority("Another authority")
            try expectRefusal(scene, trusting: other, saying: "certificate verify failed")
            try expectAcceptance(scene)
            withExtendedLifetime(database) {}
        }

        @Test func aCertificateForAnotherHostIsRefused() throws {
            let database = try SecureDatabase(try authority.issue("DNS:localhost"))
            let scene = try Scene()
            try expectRefusal(scene, "127.0.0.1", saying: "does not match host name \"127.0.0.1\"")
            try expectAcceptance(scene)
            withExtendedLifetime(database) {}
        }

        /// OpenSSL's own configuration is made to allow it, so that libpq alone refuses.
        @Test func anOldVersionIsRefused() throws {
            let lax = try TemporaryFile(PrivateAuthority.laxConfiguration)
            let identity = try authority.issue("DNS:localhost")
            let scene = try Scene()
            do {
                let old = try SecureDatabase(
                    identity,
                    [
                        "ssl_min_protocol_version": "TLSv1", "ssl_max_protocol_version": "TLSv1.1",
                        "ssl_ciphers": "ALL:@SECLEVEL=0",
                    ]
                )
                let seen = try old.handshake(["OPENSSL_CONF": lax.path])
                #expect(seen.contains("Protocol  : TLSv1.1"), "the server is not an old one")
                try expectRefusal(scene, saying: "protocol version", ["OPENSSL_CONF": lax.path])
            }
            let database = try SecureDatabase(identity, ["ssl_max_protocol_version": "TLSv1.2"])
            try expectAcceptance(scene)
            withExtendedLifetime(database) {}
        }
    }
}
