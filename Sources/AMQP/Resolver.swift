import Concurrency
import Glibc

/// Finds the addresses of a host. The system's resolver has no deadline of its own.
enum Resolver {
    /// Chosen: so that trying them all is bounded, too.
    static let limit = 4

    /// - Returns: numeric addresses, at least one, in the order the system prefers.
    static func addresses(
        of host: String,
        within patience: Duration
    ) throws(AMQPError) -> [String] {
        if case .success(let addresses) = lookUp(host, AI_NUMERICHOST) { return addresses }
        let answer = Locked<Result<[String], AMQPError>?>(nil)
        let answered = MonotonicSemaphore(value: 0)
        // Left to itself when it takes too long: nothing can interrupt it.
        startThread(name: "amity-resolver", stackBytes: 512 << 10) {
            let found = lookUp(host, 0)
            answer.withLock { $0 = found }
            answered.signal()
        }
        answered.wait(atMost: patience)
        guard let result = answer.withLock({ $0 }) else {
            throw .unresolved(host: host, reason: "no answer within \(patience)")
        }
        return try result.get()
    }

    private static func lookUp(_ host: String, _ flags: Int32) -> Result<[String], AMQPError> {
        var hints = addrinfo()
        hints.ai_flags = flags
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0, let list else {
            let reason = status == 0 ? "it has no address" : String(cString: gai_strerror(status))
            return .failure(.unresolved(host: host, reason: reason))
        }
        defer { freeaddrinfo(list) }
        let entries = sequence(first: list, next: { $0.pointee.ai_next })
        return .success(Array(entries.compactMap(numeric).prefix(limit)))
    }

    private static func numeric(_ entry: UnsafeMutablePointer<addrinfo>) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { buffer in
            let (address, length) = (entry.pointee.ai_addr, entry.pointee.ai_addrlen)
            let status = getnameinfo(
                address,
                length,
                buffer.baseAddress,
                socklen_t(buffer.count),
                nil,
                0,
                NI_NUMERICHOST
            )
            return status == 0 ? String(cString: buffer.baseAddress!) : nil
        }
    }
}
