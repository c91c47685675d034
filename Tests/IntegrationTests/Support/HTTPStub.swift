import Concurrency
import Foundation
import Glibc
import Testing

/// A small HTTP server on a loopback port that answers as the test says.
final class HTTPStub {
    struct Answer: Sendable {
        var status = 200
        var body = ""
    }

    let port: UInt16
    private let listener: Int32
    private let received = Locked<[String]>([])

    /// - Parameter answer: to a path; nil for none at all, and the connection stays open.
    init(_ answer: @escaping @Sendable (String) -> Answer?) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(listener >= 0)
        var bound = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withSocketAddress(&bound) { _ = bind(listener, $0, length) }
        try #require(listen(listener, 16) == 0)
        withSocketAddress(&bound) { _ = getsockname(listener, $0, &length) }
        port = UInt16(bigEndian: bound.sin_port)
        self.listener = listener
        let received = received
        startThread(name: "http-stub", stackBytes: 1 << 19) {
            while true {
                let client = accept(listener, nil, nil)
                if client < 0 { break }
                Self.serve(client, received, answer)
            }
            close(listener)
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    /// Requests as they came, heads only.
    var requests: [String] { received.withLock { $0 } }

    private static func serve(
        _ client: Int32,
        _ received: Locked<[String]>,
        _ answer: (String) -> Answer?
    ) {
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: head, as: UTF8.self).contains("\r\n\r\n") {
            let count = read(client, &buffer, buffer.count)
            if count <= 0 { break }
            head += buffer.prefix(count)
        }
        let request = String(decoding: head, as: UTF8.self)
        received.withLock { $0.append(request) }
        let path = request.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        // One that gets no answer waits for it; the process takes it along in the end.
        guard let answer = answer(path) else { return }
        let text = """
            HTTP/1.1 \(answer.status) Stub\r
            content-length: \(answer.body.utf8.count)\r
            connection: close\r
            \r
            \(answer.body)
            """
        _ = text.withCString { write(client, $0, strlen($0)) }
        close(client)
    }
}
