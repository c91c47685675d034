import Foundation
import Glibc
import Testing

/// A certificate authority of the test's own, and listeners of the broker's that use its certificates.
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
    private let name: String
    /// What to trust.
    let certificate: String

    init(_ name: String = "Amity test authority") throws {
        self.name = name
        folder = FileManager.default.temporaryDirectory
            .appending(path: "amity-authority-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "ca.pem").path
        try openssl("ca", ["-subj", "/CN=\(name)"])
    }

    deinit {
        do {
            try FileManager.default.removeItem(at: folder)
        } catch { Issue.record(error, "the certificates of a test could not be removed") }
    }

    /// - Parameter names: as OpenSSL writes them, `DNS:localhost,IP:127.0.0.1`.
    func issue(_ names: String) throws -> Identity {
        let name = UUID().uuidString
        let own = folder.appending(path: "ca").path
        try openssl(
            name,
            [
                "-subj", "/CN=somebody", "-CA", "\(own).pem", "-CAkey", "\(own).key", "-addext",
                "subjectAltName=\(names)", "-addext", "basicConstraints=critical,CA:false",
            ]
        )
        let path = folder.appending(path: name).path
        return Identity(certificate: "\(path).pem", key: "\(path).key")
    }

    private func openssl(_ file: String, _ arguments: [String]) throws {
        let path = folder.appending(path: file).path
        let new = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "\(path).key",
            "-out", "\(path).pem",
        ]
        let done = try Command.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["openssl"] + new + arguments
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
            rabbit_networking:start_ssl_listener({"127.0.0.1", \(port)}, [\(all.joined(separator: ", "))], 2).
            """
        )
    }

    /// Demands a certificate of that authority's from its clients.
    static func demanding(_ authority: PrivateAuthority) -> String {
        #"{cacertfile, "\#(authority.certificate)"}, {verify, verify_peer}, {fail_if_no_peer_cert, true}"#
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
