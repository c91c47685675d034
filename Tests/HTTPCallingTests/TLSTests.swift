import Foundation
import HTTPCalling
import TestSupport
import Testing

/// A server whose certificate is for `localhost` and its own authority, until it goes.
private final class SecureServer {
    private let folder = NSTemporaryDirectory() + "amity-https-\(UUID().uuidString)"
    private let process: pid_t
    let port = RawConnection.freePort()

    var certificate: String { "\(folder)/certificate.pem" }

    init() throws {
        let files = "'\(folder)/certificate.pem' -key '\(folder)/key.pem'"
        // A shell's, because Foundation's Process leaks a little in a sanitizer's eyes.
        let answer = try Self.shell(
            """
            mkdir -p '\(folder)' && exec 3>&1 >'\(folder)/log' 2>&1 </dev/null
            openssl req -x509 -newkey rsa:2048 -nodes -keyout '\(folder)/key.pem' -days 2 \
                -subj /CN=Amity -addext subjectAltName=DNS:localhost \
                -out '\(folder)/certificate.pem'
            openssl s_server -www -accept 127.0.0.1:\(port) -cert \(files) 3>&- &
            echo $! >&3
            """
        )
        process = try #require(pid_t(answer.trimmingCharacters(in: .whitespacesAndNewlines)))
        let deadline = ContinuousClock.now + .seconds(20)
        while !isListening, ContinuousClock.now < deadline { usleep(10_000) }
    }

    deinit {
        // It may have inherited a mask of signals from the thread that started it.
        kill(process, SIGKILL)
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch { Issue.record(error, "the certificate of a test could not be removed") }
    }

    private var isListening: Bool {
        do {
            _ = try RawConnection(port: port)
            return true
        } catch { return false }
    }

    private static func shell(_ script: String) throws -> String {
        let shell = try #require(popen(script, "r"))
        var output = [UInt8](repeating: 0, count: 4096)
        let count = fread(&output, 1, output.count, shell)
        try #require(pclose(shell) == 0)
        return String(decoding: output[..<count], as: UTF8.self)
    }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct TLSTests {
    private func ask(
        _ host: String,
        _ server: SecureServer,
        trusting authorities: String?
    ) async throws(HTTPError) -> Int {
        let client = HTTPClient(connections: 1, trusting: authorities)
        let url = "https://\(host):\(server.port)/"
        let request = HTTPRequest(.get, url, timeout: .seconds(60), responseLimit: 1 << 16)
        return try await client.send(request).status
    }

    /// Why there is no encrypted connection; nil where there is one.
    private func refusal(
        _ host: String,
        _ server: SecureServer,
        trusting authorities: String?
    ) async -> String? {
        do throws(HTTPError) {
            _ = try await ask(host, server, trusting: authorities)
            return nil
        } catch {
            if case .unreachable(let failure) = error { return failure.text }
            return "\(error)"
        }
    }

    /// Faults: a certificate of an authority that is not trusted, or for another host, is taken.
    @Test func onlyACertificateForTheHostOfATrustedAuthorityIsTaken() async throws {
        let server = try SecureServer()
        let trusted = server.certificate
        #expect(try await ask("localhost", server, trusting: trusted) == 200)
        let refused = "no encrypted connection: its certificate is not accepted"
        #expect(await refusal("localhost", server, trusting: nil) == refused)
        #expect(await refusal("127.0.0.1", server, trusting: trusted) == refused)
        let missing = await refusal("localhost", server, trusting: "/nowhere/ca.pem")
        #expect(missing == "no encrypted connection: the certificates to trust cannot be read")
    }

    @Test func whatIsNotEncryptedIsNotTaken() async throws {
        let stub = try StubServer { _ in .json("{}") }
        let url = stub.url.replacing("http://", with: "https://")
        let request = HTTPRequest(.get, url, timeout: .seconds(60), responseLimit: 1 << 16)
        await #expect(throws: HTTPError.self) {
            try await HTTPClient(connections: 1).send(request)
        }
        #expect(stub.requests.isEmpty)
    }
}
