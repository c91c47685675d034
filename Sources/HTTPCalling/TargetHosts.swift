/// The hosts that may be called though they are not public, as `HTTP_TARGET_HOSTS` lists them:
/// `images.internal, reports.internal:8443, 10.1.0.0/16, [fd00::7]:80`.
package struct TargetHosts: Sendable, Equatable {
    package struct Mistake: Error, Equatable, Sendable, CustomStringConvertible {
        /// From 1 on.
        package var entry: Int
        package var message: String

        /// The entry itself may hold a password that belongs elsewhere.
        package var description: String { "entry \(entry) \(message)" }
    }

    private struct Entry: Hashable, Sendable {
        var host: String
        /// nil for every port.
        var port: Int?
    }

    private var entries: Set<Entry> = []
    private var blocks: Set<AddressBlock> = []

    /// None but public ones.
    package init() {}

    /// - Parameter list: with commas between; may be empty.
    package init(_ list: String) throws(Mistake) {
        if list.allSatisfy(\.isWhitespace) { return }
        let parts = list.split(separator: ",", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if let message = add(part.drop(while: \.isWhitespace).trimmed.lowercased()) {
                throw Mistake(entry: index + 1, message: message)
            }
        }
    }

    /// - Returns: what is wrong with it.
    private mutating func add(_ text: String) -> String? {
        if text.isEmpty { return "is empty" }
        if text.contains("://") { return "is a URL: leave out what is before and behind the host" }
        if text.contains("/") {
            guard let block = AddressBlock(text) else {
                return "is no block of addresses, e.g. 10.1.0.0/16 or fd00::/8"
            }
            blocks.insert(block)
            return nil
        }
        if let address = IPAddress(text) {
            blocks.insert(AddressBlock(address))
            return nil
        }
        guard let (host, port) = Self.hostAndPort(text) else {
            return "has no port from 1 to 65535 behind its colon"
        }
        let isHost =
            host.utf8.count <= 253 && IPAddress(host) != nil
            || host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Self.isLabel)
        if !isHost { return "is no host, host:port or block of addresses" }
        entries.insert(Entry(host: host, port: port))
        return nil
    }

    /// - Returns: nil where the port is none.
    private static func hostAndPort(_ text: String) -> (host: String, port: Int?)? {
        var rest = text[...]
        var host: Substring
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
        }
        if rest.isEmpty { return (String(host), nil) }
        guard rest.first == ":", let port = Int(rest.dropFirst()), 1...65_535 ~= port else {
            return nil
        }
        return (String(host), port)
    }

    private static func isLabel(_ text: Substring) -> Bool {
        (1...63).contains(text.utf8.count) && text.first != "-" && text.last != "-"
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                case _: false
                }
            }
    }

    /// Whether a URL may be called at all, as far as that can be told before its name is looked up.
    package func mayAdmit(_ target: HTTPTarget) -> Bool {
        if let address = IPAddress(target.host) { return admit(target, at: address) }
        return target.isEncrypted || isListed(target) || !blocks.isEmpty
    }

    private func isListed(_ target: HTTPTarget) -> Bool {
        entries.contains(Entry(host: target.host, port: nil))
            || entries.contains(Entry(host: target.host, port: target.port))
    }

    /// Whether a connection may be made. Names can change their address at any time, so this is to
    /// be asked for the very address that is connected to.
    func admit(_ target: HTTPTarget, at address: IPAddress) -> Bool {
        if isListed(target) || blocks.contains(where: { $0.contains(address) }) { return true }
        return target.isEncrypted && address.isPublic
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
