import Glibc

/// A service manager's socket, to which a service sends datagrams: sd_notify without libsystemd.
struct NotifySocket: ~Copyable, Sendable {
    struct Failure: Error, CustomStringConvertible {
        let code: Int32
        var description: String { String(cString: strerror(code)) }
    }

    private let descriptor: Int32
    private let address: sockaddr_un
    private let length: socklen_t

    /// - Parameter name: what `NOTIFY_SOCKET` holds: an absolute path, or an abstract name after
    ///   `@`.
    init(name: String) throws(Failure) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        let isAbstract = bytes.first == UInt8(ascii: "@")
        guard isAbstract || bytes.first == UInt8(ascii: "/") else {
            throw Failure(code: EAFNOSUPPORT)
        }
        if isAbstract { bytes[0] = 0 }
        // A path ends with a zero byte; an abstract name is as long as it is.
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { path in
            guard bytes.count > 1, bytes.count < path.count else { return false }
            path.copyBytes(from: bytes)
            return true
        }
        guard fits else { throw Failure(code: ENAMETOOLONG) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw Failure(code: errno) }
        self.descriptor = descriptor
        self.address = address
        length = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
    }

    deinit { close(descriptor) }

    /// Sends one datagram, and fails if that would block: a manager that does not read must not
    /// hold up the worker.
    func send(_ notices: [ServiceNotice]) throws(Failure) {
        let text = notices.map { $0.line + "\n" }.joined()
        var address = address
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                return sendto(descriptor, text, text.utf8.count, flags, pointer, length)
            }
        }
        if sent < 0 { throw Failure(code: errno) }
    }
}
