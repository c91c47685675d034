import Foundation
import Glibc
import Testing

/// A certificate authority of the test's own, and listeners of the broker's that use its
/// certificates.
final class PrivateAuthority {
    /// A certificate and its key.
    struct Identity {
        let certificate: String
        let key: String
    }

    /// Of OpenSSL, for a system that allows what Debian's forbids.
    static let laxConfiguration = """
        openssl_conf = all
        [all]
        ssl_conf = ssl
        [ssl]
        system_default = defaults
        [defaults]
        MinProtocol = TLSv1
        CipherString = DEFAULT@SECLEVEL=0
        """

    private let folder: URL
    /// What to trust.
    let certificate: String

    init(_ name: String = "Amity test authority") throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "amity-authority-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "ca.pem").path
        let path = folder.appending(path: "ca").path
        try openssl(Self.newKey(path) + ["-x509", "-days", "2", "-out", certificate], for: name)
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: folder)
        } catch { Issue.record(error, "the certificates of a test could not be removed") }
    }

    /// - Parameters:
    ///   - names: as OpenSSL writes them, `DNS:localhost,IP:127.0.0.1`.
    ///   - days: from now on, for which it is valid.
    func issue(_ names: String, days: Int = 2) throws -> Identity {
        let path = folder.appending(path: UUID().uuidString).path
        try openssl(
            Self.newKey(path) + ["-out", "\(path).csr", "-addext", "subjectAltName=\(names)"],
            for: "a server"
        )
        // Unlike `req`, it takes less than a day.
        try openssl([
            "x509", "-req", "-in", "\(path).csr", "-out", "\(path).pem", "-copy_extensions", "copy",
            "-CA", certificate, "-CAkey", "\(folder.appending(path: "ca").path).key",
            "-CAcreateserial", "-days", "\(days)",
        ])
        return Identity(certificate: "\(path).pem", key: "\(path).key")
    }

    private static func newKey(_ path: String) -> [String] {
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(path).key"]
    }

    private func openssl(_ arguments: [String], for name: String? = nil) throws {
        let subject = name.map { ["-subj", "/CN=\($0)"] } ?? []
        let done = try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["openssl"] + arguments + subject
        )
        try #require(done.status == 0, "openssl: \(done.error)")
    }
}

/// One more port of the broker of this run, for TLS on its own terms; it stays for the run.
struct SecureListener {
    let port: UInt16

    /// - Parameter options: of Erlang's ssl, such as `{versions, ['tlsv1.2']}`.
    init(_ identity: PrivateAuthority.Identity, _ options: String...) throws {
        port = try Self.freePort()
        let all =
            [#"{certfile, "\#(identity.certificate)"}"#, #"{keyfile, "\#(identity.key)"}"#]
            + options
        try Servers.rabbitmqctl(
            "eval",
            """
            {ok, _} = application:ensure_all_started(ssl),
            rabbit_networking:start_ssl_listener(
                {"127.0.0.1", \(port)}, [\(all.joined(separator: ", "))], 2).
            """
        )
    }

    /// Demands a certificate of that authority's from its clients.
    static func demanding(_ authority: PrivateAuthority) -> String {
        #"{cacertfile, "\#(authority.certificate)"}, {verify, verify_peer}, "#
            + "{fail_if_no_peer_cert, true}"
    }

    func url(_ host: String) throws -> String {
        try #require(Servers.environment["RABBITMQ_URL"])
            .replacing("amqp://", with: "amqps://")
            .replacing(/@127\.0\.0\.1:\d+/, with: "@\(host):\(port)")
    }

    private static func freePort() throws -> UInt16 {
        let probe = try Silence()
        return probe.port
    }
}

/// A port on which connections are taken, and nothing is said.
final class Silence {
    let port: UInt16
    private let listener: Int32

    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(listener >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (listener, size) = (listener, length)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(listener, address, size)
                _ = listen(listener, 16)
                _ = getsockname(listener, address, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(listener) }
}
