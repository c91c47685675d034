/// A block of addresses: `10.0.0.0/8`.
struct AddressBlock: Sendable, Hashable {
    let start: [UInt8]
    /// Bits that all of its addresses share.
    let length: Int

    /// - Returns: nil for what is no address with a number of bits, or has bits behind those.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])),
            let length = Int(parts[1]), 0...address.bytes.count * 8 ~= length
        else { return nil }
        start = address.bytes
        self.length = length
        let rest = start.indices.contains { start[$0] & ~mask(at: $0) != 0 }
        if rest { return nil }
    }

    init(_ address: IPAddress) {
        start = address.bytes
        length = address.bytes.count * 8
    }

    func contains(_ address: IPAddress) -> Bool {
        address.bytes.count == start.count
            && start.indices.allSatisfy { address.bytes[$0] & mask(at: $0) == start[$0] }
    }

    /// Of a byte, the bits that count.
    private func mask(at index: Int) -> UInt8 {
        let bits = min(8, max(0, length - index * 8))
        return UInt8(truncatingIfNeeded: 0xFF00 >> bits)
    }
}

extension IPAddress {
    /// Whether it is one that any host of the internet may have.
    var isPublic: Bool {
        bytes.count == 4
            ? !Self.notPublic.contains { $0.contains(self) }
            : Self.unicast.contains { $0.contains(self) }
                && !Self.notPublic.contains { $0.contains(self) }
    }

    /// The part of IPv6 that is given out. Outside of it are the loopback address, what is local to
    /// a link or a site, multicast, and the forms that hold an address of IPv4: mapped and NAT64.
    private static let unicast = [AddressBlock("2000::/3")].compactMap(\.self)

    /// By the registries of special-purpose addresses (RFC 6890).
    private static let notPublic = [
        // This network, private ones, carriers' NAT, loopback, link-local, private ones.
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16",
        // Protocols' own, examples, 6to4 relays, benchmarks.
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24",
        // Multicast, reserved, broadcast.
        "224.0.0.0/4", "240.0.0.0/4",
        // Protocols' own with Teredo, examples, 6to4.
        "2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16",
    ].compactMap { AddressBlock($0) }
}
