import Foundation
import Glibc
import Testing

/// A service manager's end of sd_notify, on a socket of the test's own.
final class NotifyListener {
    enum Kind: CaseIterable, Sendable { case path, abstract }

    /// For `NOTIFY_SOCKET`.
    let name: String
    private let descriptor: Int32
    /// Everything that was told so far, line by line.
    private(set) var lines: [String] = []

    init(_ kind: Kind = .path) throws {
        // NSTemporaryDirectory may be longer than a socket's path may be.
        let unique = "/tmp/amity-\(UUID().uuidString.prefix(8))"
        name = kind == .path ? unique : "@" + unique
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = kind == .path ? Array(name.utf8) : [0] + Array(unique.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count + (kind == .path ? 1 : 0))
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length)
            }
        }
        try #require(bound == 0, "bind: \(errno)")
    }

    deinit {
        close(descriptor)
        if name.hasPrefix("/") { unlink(name) }
    }

    /// Reads what has come.
    ///
    /// - Returns: the lines that are new.
    @discardableResult
    func listen() -> [String] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var new: [String] = []
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            new += text.split(separator: "\n").map(String.init)
        }
        lines += new
        return new
    }

    func hasHeard(_ line: String) -> Bool {
        listen()
        return lines.contains(line)
    }

    /// Waits for that line to come, from now on.
    func waitForNext(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        listen()
        try eventually("\(line) is told", within: .seconds(30), sourceLocation: sourceLocation) {
            listen().contains(line)
        }
    }
}
