import Hummingbird

/// Headers that the library has no name for.
extension HTTPFields {
    /// Which site's page made a browser send a request, as that browser says.
    var fetchSite: String? { self[.init("Sec-Fetch-Site")!] }

    /// Sent by Amity's own page, and by programs. No form of a stranger's page can send it, and no
    /// script of one without being asked for permission, which nobody here gives.
    var amityRequest: String? { self[.init("X-Amity-Request")!] }

    /// How a browser reached a proxy in between, as that proxy says.
    var forwardedProtocol: String? { self[.init("X-Forwarded-Proto")!] }

    /// For whoever embeds, frames or opens what this answer brings.
    mutating func keepToOwnSite() {
        self[.init("Cross-Origin-Resource-Policy")!] = "same-origin"
        self[.init("Cross-Origin-Opener-Policy")!] = "same-origin"
        self[.init("X-Frame-Options")!] = "DENY"
        // Not no-referrer: with it browsers hide from us, too, which site a form comes from.
        self[.init("Referrer-Policy")!] = "same-origin"
    }
}
