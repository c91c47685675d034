import CCurl

/// Where a request to a URL goes, read by the parser that sends it: another one might see another
/// host.
package struct HTTPTarget: Sendable, Equatable {
    package let isEncrypted: Bool
    /// In lower case; an address of IPv6 without its brackets.
    package let host: String
    package let port: Int

    /// - Returns: nil for what is no URL of http or https, or holds a user or a password.
    package init?(_ url: String) {
        guard let parts = curl_url() else { preconditionFailure("no memory left") }
        defer { curl_url_cleanup(parts) }
        guard curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK,
            Self.text(CURLUPART_USER, of: parts) == nil,
            Self.text(CURLUPART_PASSWORD, of: parts) == nil,
            let scheme = Self.text(CURLUPART_SCHEME, of: parts)?.lowercased(),
            ["http", "https"].contains(scheme), let host = Self.text(CURLUPART_HOST, of: parts),
            let port = Self.text(CURLUPART_PORT, of: parts).flatMap({ Int($0) })
        else { return nil }
        isEncrypted = scheme == "https"
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        self.host = (isBracketed ? String(host.dropFirst().dropLast()) : host).lowercased()
        self.port = port
    }

    private static func text(_ part: CURLUPart, of parts: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        let status = curl_url_get(parts, part, &text, UInt32(CURLU_DEFAULT_PORT))
        guard status == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
