import Hummingbird

/// A page that brings all it needs: nothing of it comes from elsewhere, and the browser is told to take
/// nothing else.
///
/// Its parts are literals, which lie in the program's text and are put together for each answer: no copy of
/// a page is kept.
struct Page {
    var title: String
    /// What the root element says for the style and the script.
    var attributes = ""
    var style: [String]
    var body: [String]
    var script: [String] = []

    func response(_ status: HTTPResponse.Status = .ok) -> Response {
        let nonce = Self.nonce()
        let parts =
            [
                """
                <!doctype html>
                <html lang="en"\(attributes)>
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <meta name="color-scheme" content="light dark">
                <meta name="robots" content="noindex">
                <title>\(title)</title>
                <link rel="icon" href="\(Self.icon)">
                <style nonce="\(nonce)">

                """
            ] + style + ["</style>\n</head>\n<body>\n"] + body
            + (script.isEmpty ? [] : [Self.scriptBegin(nonce)] + script + ["}\n</script>\n"])
            + ["</body>\n</html>\n"]
        var buffer = ByteBuffer()
        buffer.reserveCapacity(parts.reduce(0) { $0 + $1.utf8.count })
        for part in parts { buffer.writeString(part) }
        return Response(
            status: status,
            headers: Self.headers(nonce: nonce),
            body: .init(byteBuffer: buffer)
        )
    }

    /// In a room of its own, because a window has names such as `top` and `name`.
    private static func scriptBegin(_ nonce: String) -> String {
        "<script nonce=\"\(nonce)\">\n\"use strict\";\n{\n"
    }

    private static func headers(nonce: String) -> HTTPFields {
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'",
            "img-src data:", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
            "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ]
        return [
            .contentType: "text/html; charset=utf-8",
            .contentSecurityPolicy: policy.joined(separator: "; "),
        ]
    }

    private static func nonce() -> String {
        var random = SystemRandomNumberGenerator()
        return String(random.next(), radix: 36) + String(random.next(), radix: 36)
    }

    private static let icon =
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        + "%3Crect width='16' height='16' rx='4' fill='%230f766e'/%3E"
        + "%3Cpath d='M3 9h3l2-5 2 8 1-3h2' fill='none' stroke='white' stroke-width='1.5'/%3E"
        + "%3C/svg%3E"
}

extension Page {
    /// - Parameter canLogOut: whether there are sessions to end.
    static func dashboard(canLogOut: Bool) -> Page {
        Page(
            title: "Amity",
            attributes: canLogOut ? " data-session" : "",
            style: [PageStyle.base, PageStyle.dashboard],
            body: [PageMarkup.dashboard],
            script: [
                PageScript.core, PageScript.charts, PageScript.tables, PageScript.letters,
            ]
        )
    }

    /// - Parameter complaint: why the last attempt failed.
    static func login(saying complaint: String? = nil) -> Page {
        Page(
            title: "Log in – Amity",
            style: [PageStyle.base, PageStyle.login],
            body: [PageMarkup.login(saying: complaint)]
        )
    }
}
