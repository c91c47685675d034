import Foundation

/// A TCP connection to this machine with nothing in between, for requests that no client would
/// send. Blocks its thread, so it is not for Swift's own pool.
package final class RawConnection: Sendable {
    package struct Refused: Error {}

    private let descriptor: Int32

    /// - Parameter patience: how long a read or a write waits.
    package init(port: UInt16, patience: Duration = .seconds(10)) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let (seconds, attoseconds) = patience.components
        var limit = timeval(
            tv_sec: Int(seconds),
            tv_usec: Int(attoseconds / 1_000_000_000_000)
        )
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor,
                SOL_SOCKET,
                option,
                &limit,
                socklen_t(MemoryLayout<timeval>.size)
            )
        }
        var address = Self.loopback(port)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // Every field is set, so this runs `deinit`, which closes the descriptor.
        if status != 0 { throw Refused() }
    }

    deinit { close(descriptor) }

    /// - Returns: whether all of it was taken.
    @discardableResult
    package func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent <= 0 { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    /// Says that no more comes.
    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Goes away without a word: the other side gets an error (RST).
    package func abort() {
        // `deinit` closes the descriptor. AF_UNSPEC is 0: to connect to it is to disconnect.
        var nowhere = sockaddr()
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// What comes until it has a text, the other side ends it, or nothing comes for too long.
    package func read(until text: String) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !String(decoding: bytes, as: UTF8.self).contains(text) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What comes until the other side ends it, or nothing comes for too long.
    package func readToEnd() -> (text: String, hasEnded: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                bytes += buffer[..<count]
                continue
            }
            let hasEnded = count == 0 || errno == ECONNRESET
            return (String(decoding: bytes, as: UTF8.self), hasEnded)
        }
    }

    /// A port that is free at the moment.
    package static func freePort() -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(bind(descriptor, $0, length) == 0, "no port is free")
                getsockname(descriptor, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// What a server answers to a proper request.
package struct RawAnswer {
    /// 0 for none.
    package let status: Int
    package let head: String
    package let body: String

    package init(from text: String) {
        let end = text.range(of: "\r\n\r\n")
        head = end.map { String(text[..<$0.lowerBound]) } ?? text
        body = end.map { String(text[$0.upperBound...]) } ?? ""
        status = Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    }

    /// - Parameter headers: lines without their ends.
    package static func get(
        _ path: String,
        port: UInt16,
        host: String = "127.0.0.1",
        headers: [String] = []
    ) throws -> RawAnswer {
        try send("GET", path, port: port, host: host, headers: headers)
    }

    /// - Parameter headers: lines without their ends.
    package static func post(
        _ path: String,
        _ body: String,
        port: UInt16,
        host: String = "127.0.0.1",
        headers: [String] = []
    ) throws -> RawAnswer {
        let length = "Content-Length: \(body.utf8.count)"
        return try send("POST", path, port: port, host: host, headers: headers + [length], body)
    }

    /// - Parameter headers: lines without their ends, the body's length among them.
    package static func send(
        _ method: String,
        _ path: String,
        port: UInt16,
        host: String = "127.0.0.1",
        headers: [String],
        _ body: String = ""
    ) throws -> RawAnswer {
        let connection = try RawConnection(port: port)
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
        connection.send(lines.map { $0 + "\r\n" }.joined() + "\r\n" + body)
        return RawAnswer(from: connection.readToEnd().text)
    }

    /// The values of a header's lines.
    package func header(_ name: String) -> [String] {
        head.split(separator: "\r\n").compactMap { line in
            let parts = line.split(separator: ": ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
            return String(parts[1])
        }
    }
}
