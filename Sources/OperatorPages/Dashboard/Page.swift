import Hummingbird

/// A page of `Page/`, which the build embeds in the program: nothing of it comes from elsewhere,
/// and the browser is told to take nothing else. Its style is part of it; the modules of its script
/// follow from `/assets`.
struct Page {
    /// Where the pages are that need a session, and that a browser opens by itself.
    static let paths: Set = ["/", "/flow", "/tasks"]

    /// Of `Page/`, with names in double braces where `values` go.
    private let text: [UInt8]
    private let styles: [[UInt8]]
    private var values: [String: String]

    /// - Parameter canLogOut: whether there are sessions to end.
    static func dashboard(canLogOut: Bool) -> Page {
        var bar = Bar(path: "/", search: "Conversation or user", command: "amity status --watch")
        // Shown once it is known that there are tasks.
        (bar.nav, bar.beforeSearch, bar.searchStyle) = ("hidden", "<p id=\"queue\"></p>", "")
        return page(PackageResources.dashboard_html, bar, canLogOut: canLogOut)
    }

    static func tasks(canLogOut: Bool) -> Page {
        let bar = Bar(path: "/tasks", search: "Task id", command: "amity tasks list")
        return page(PackageResources.tasks_html, bar, canLogOut: canLogOut)
    }

    static func flow(canLogOut: Bool) -> Page {
        let commands = ["limits", "schedules", "batches"].map { "amity \($0) list" }
        let bar = Bar(
            path: "/flow",
            search: "Batch id",
            command: commands.joined(separator: "</code>, <code>")
        )
        return page(PackageResources.flow_html, bar, canLogOut: canLogOut)
    }

    /// Above each page: where one is, what is searched for, and what a terminal has instead.
    private struct Bar {
        var path: String
        var search: String
        var command: String
        var nav = ""
        var beforeSearch = ""
        var searchStyle = "wide"

        var text: String {
            var values = [
                "nav": nav, "before search": beforeSearch, "search style": searchStyle,
                "search": search, "command": command,
            ]
            for path in Page.paths { values["at \(path)"] = "" }
            values["at \(path)"] = "aria-current=\"page\""
            return Page.fill(PackageResources.bar_html, values)
        }
    }

    private static func page(_ text: [UInt8], _ bar: Bar, canLogOut: Bool) -> Page {
        Page(
            text: text,
            styles: [
                PackageResources.base_css, PackageResources.dashboard_css,
                PackageResources.tables_css, PackageResources.tasks_css,
                PackageResources.flow_css, PackageResources.narrow_css,
            ],
            values: [
                "session": canLogOut ? "data-session" : "",
                "head": String(decoding: PackageResources.head_html, as: UTF8.self),
                "bar": bar.text,
                "no tables": String(decoding: PackageResources.no_tables_html, as: UTF8.self),
                "ask": String(decoding: PackageResources.ask_html, as: UTF8.self),
            ]
        )
    }

    /// - Parameters:
    ///   - complaint: why the last attempt failed.
    ///   - hours: how long a login lasts.
    static func login(saying complaint: String? = nil, hours: Int) -> Page {
        Page(
            text: PackageResources.login_html,
            styles: [PackageResources.base_css, PackageResources.login_css],
            values: ["complaint": complaint ?? "", "hours": "\(hours)"]
        )
    }

    func response(_ status: HTTPResponse.Status = .ok) -> Response {
        let nonce = Self.nonce()
        var values = values
        values["nonce"] = nonce
        values["style"] = styles.map { String(decoding: $0, as: UTF8.self) }.joined()
        return Response(
            status: status,
            headers: Self.headers(nonce: nonce),
            body: .init(byteBuffer: ByteBuffer(string: Self.fill(text, values)))
        )
    }

    private static func fill(_ text: [UInt8], _ values: [String: String]) -> String {
        values.reduce(String(decoding: text, as: UTF8.self)) { page, value in
            page.replacing("{{\(value.key)}}", with: value.value)
        }
    }

    private static func headers(nonce: String) -> HTTPFields {
        let policy = [
            // What a script with the nonce imports may run, too; nothing else may.
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
}
