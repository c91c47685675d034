import Digests
import Foundation

/// The key by which a receiver knows that a request is from here (Standard Webhooks). While it is
/// changed there are two, and each request has a signature by either.
package struct WebhookSecret: Sendable {
    private let keys: [[UInt8]]

    /// - Parameter text: `whsec_` and base64; two with a space or a comma between.
    /// - Returns: nil for what is none, or has no key.
    package init?(_ text: String) {
        let parts = text.split { $0 == " " || $0 == "," }
        let keys = parts.compactMap(Self.key)
        guard (1...2).contains(keys.count), keys.count == parts.count else { return nil }
        self.keys = keys
    }

    private static func key(_ text: Substring) -> [UInt8]? {
        guard text.hasPrefix("whsec_"), let key = Data(base64Encoded: String(text.dropFirst(6))),
            !key.isEmpty
        else { return nil }
        return Array(key)
    }

    /// - Parameter timestamp: seconds since 1970.
    package func signature(id: String, timestamp: Int, body: Data) -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        return keys.map { "v1,\(Data(Digest.hmac(signed, key: $0)).base64EncodedString())" }
            .joined(separator: " ")
    }
}
