import Amity
import Hummingbird

/// Lets in who has the token, where there is one; else who is on this machine.
///
/// Whoever was let in by another way, such as a cookie that was given for the token, is to be let in by
/// `permits`, next to the header.
struct AccessControl: Sendable {
    private let token: [UInt8]?

    init(_ settings: HTTPSettings) {
        token = settings.token.map { Array($0.utf8) }
    }

    /// - Throws: the answer to whoever is not let in.
    func check(_ request: Request) throws(HTTPError) {
        if permits(request) { return }
        guard token != nil else {
            throw HTTPError(.forbidden, message: "the Host header must name this machine")
        }
        throw HTTPError(
            .unauthorized,
            headers: [.wwwAuthenticate: "Bearer realm=\"amity\""],
            message: "a bearer token is needed"
        )
    }

    private func permits(_ request: Request) -> Bool {
        if token == nil {
            // A page of somebody else's whose name was made to lead here is a stranger all the same.
            return HTTPSettings.isLoopback(Self.host(of: request))
        }
        let words = (request.headers[.authorization] ?? "").split(separator: " ")
        return words.count == 2 && words[0].lowercased() == "bearer" && isToken(words[1])
    }

    /// Takes as long for a wrong guess as for any other, so that nobody finds the token letter by letter.
    func isToken(_ guess: some StringProtocol) -> Bool {
        guard let token else { return false }
        let guess = Array(guess.utf8)
        var difference = guess.count ^ token.count
        for (index, byte) in guess.enumerated() {
            difference |= Int(byte ^ token[index % token.count])
        }
        return difference == 0
    }

    /// Without its port and an IPv6 address' brackets.
    private static func host(of request: Request) -> String {
        let authority = request.head.authority ?? ""
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }
}
