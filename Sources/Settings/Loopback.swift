import Glibc

/// The one place that decides whether a host is this machine. What it does not know is not.
package enum Loopback {
    /// - Parameter host: a name or an address, an IPv6 address with brackets or without. Only what
    ///   cannot lead elsewhere: 127.0.0.0/8 in its usual form, ::1, ::ffff:127.0.0.0/104 and
    ///   `localhost`, which RFC 6761 reserves. No short, decimal or octal forms of an address, no
    ///   names below `localhost`.
    package static func contains(_ host: String) -> Bool {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host == "localhost" || host == "localhost." { return true }
        if let bytes = address(host, AF_INET, 4) { return bytes[0] == 127 }
        guard let bytes = address(host, AF_INET6, 16) else { return false }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        if isMapped { return bytes[12] == 127 }
        return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    }

    /// The same for a host as libpq takes it, which may be a socket's folder, or nothing for the
    /// usual one.
    package static func containsSocketOr(_ host: String) -> Bool {
        host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || contains(host)
    }

    /// The bytes of an address in its usual form.
    static func address(_ host: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, host, &bytes) == 1 ? bytes : nil
    }
}
