import Digests
import Foundation

/// A key by which a service knows that a request is from here (Standard Webhooks).
package struct WebhookSecret: Sendable {
    private let key: [UInt8]

    /// - Parameter text: `whsec_` and base64.
    /// - Returns: nil for what is none, or has no key.
    package init?(_ text: String) {
        guard text.hasPrefix("whsec_"), let key = Data(base64Encoded: String(text.dropFirst(6))),
            !key.isEmpty
        else { return nil }
        self.key = Array(key)
    }

    /// - Parameter timestamp: seconds since 1970.
    package func signature(id: String, timestamp: Int, body: Data) -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        return "v1,\(Data(Digest.hmac(signed, key: key)).base64EncodedString())"
    }
}
