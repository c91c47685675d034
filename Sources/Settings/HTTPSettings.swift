/// Where a worker, or the API, answers requests, and to which clients.
package struct HTTPSettings: Sendable, Equatable {
    /// Which settings say so.
    struct Names {
        var host: String
        var port: String
        var token: String
        /// What else helps where an address lacks a token; empty for nothing.
        var otherwise: String

        static let worker = Names(
            host: "HTTP_HOST",
            port: "HTTP_PORT",
            token: "HTTP_TOKEN",
            otherwise: "; or set HTTP_PORT to 0 for no server"
        )
        static let api = Names(
            host: "API_HOST",
            port: "API_PORT",
            token: "API_TOKEN",
            otherwise: ""
        )
    }

    package var host: String
    /// 1 to 65535.
    package var port: Int
    /// Required of clients for all but the health probes; nil where no token is required, on
    /// loopback only.
    package var token: String?

    package init(host: String, port: Int, token: String?) {
        self.host = host
        self.port = port
        self.token = token
    }

    /// Chosen: at a hundred guesses a second even the plainest token of that length lasts for ever.
    private static let shortestToken = 16

    /// nil where there is to be no server.
    ///
    /// - Parameter mistakes: where it says what it cannot accept.
    init?(_ values: SettingValues, _ names: Names, _ mistakes: inout [String]) {
        port = values.integer(names.port)
        host = values.text(names.host) ?? ""
        token = values.text(names.token)
        if port != 0, !AddressText.isHost(host) {
            mistakes.append(
                """
                \(names.host): its value is not accepted; use an address of this machine, e.g. \
                0.0.0.0
                """
            )
            return nil
        }
        if let token {
            // What a header can carry as one word.
            let isWord = token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            if !isWord || token.utf8.count < Self.shortestToken {
                mistakes.append(
                    """
                    \(names.token): its value is not accepted; use \(Self.shortestToken) or more \
                    visible ASCII characters
                    """
                )
            }
        } else if port != 0, !isLoopback {
            mistakes.append(
                """
                \(names.token): it must be set where \(names.host), '\(host)', is not a loopback \
                address\(names.otherwise)
                """
            )
        }
        if port == 0 { return nil }
    }

    /// Whether only this machine can reach it.
    package var isLoopback: Bool { Loopback.contains(host) }
}
