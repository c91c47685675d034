import Hummingbird

/// Headers that the library has no name for.
extension HTTPFields {
    /// Which site's page made a browser send a request, as that browser says.
    var fetchSite: String? { self[.init("Sec-Fetch-Site")!] }

    /// Sent by Amity's own page, and by programs. A form on another site's page cannot send it. A
    /// script on such a page needs a permission (CORS) that this server never gives.
    var amityRequest: String? { self[.init("X-Amity-Request")!] }

    /// How a browser reached a proxy in between, as that proxy says.
    var forwardedProtocol: String? { self[.init("X-Forwarded-Proto")!] }

    /// What every answer has.
    mutating func addCommonAnswers() {
        if self[.cacheControl] == nil { self[.cacheControl] = "no-store" }
        self[.xContentTypeOptions] = "nosniff"
        keepToOwnSite()
    }

    /// Restricts the pages of other sites that embed, frame or open this answer.
    mutating func keepToOwnSite() {
        self[.init("Cross-Origin-Resource-Policy")!] = "same-origin"
        self[.init("Cross-Origin-Opener-Policy")!] = "same-origin"
        self[.init("X-Frame-Options")!] = "DENY"
        // Not no-referrer: with it browsers hide from us, too, which site a form comes from.
        self[.init("Referrer-Policy")!] = "same-origin"
    }
}
