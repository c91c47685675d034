import CCurl
import Glibc

/// Why there is no answer. Safe to log.
package enum HTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No complete answer in time.
    case timeout
    /// No connection, or one that broke.
    case unreachable(ConnectionFailure)
    /// A success with a longer body than is taken.
    case tooLarge
    /// Its task was cancelled, or its client stopped.
    case cancelled

    package var description: String {
        switch self {
        case .timeout: "no complete answer in time"
        case .unreachable(let failure): failure.text
        case .tooLarge: "the answer is too large"
        case .cancelled: "cancelled"
        }
    }
}

/// Why there was no connection, or why it broke. Its words are ours or the system's: a library's
/// may name what is in the URL.
package struct ConnectionFailure: Sendable, Hashable {
    /// The name of an errno, e.g. `ECONNREFUSED`, or a word of ours.
    package let code: String
    /// For people.
    package let text: String

    /// The request does not admit an address that its host has.
    package static let addressRefused = Self("address-refused", "its address may not be called")

    private init(_ code: String, _ text: String) {
        self.code = code
        self.text = text
    }

    /// - Parameter number: what the system said last about the connection; 0 for nothing.
    init(_ code: CURLcode, errno number: Int32) {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST:
            self.init("no-address", "the host's name has no address")
        case CURLE_GOT_NOTHING:
            self.init("closed", "it closed the connection without an answer")
        case CURLE_PARTIAL_FILE:
            self.init("closed", "it closed the connection in the middle of its answer")
        case CURLE_PEER_FAILED_VERIFICATION:
            self.init("tls", "no encrypted connection: its certificate is not accepted")
        case CURLE_SSL_CACERT_BADFILE:
            self.init("tls", "no encrypted connection: the certificates to trust cannot be read")
        case CURLE_SSL_CONNECT_ERROR:
            self.init("tls", "no encrypted connection: it does not speak TLS 1.2 or later")
        case CURLE_COULDNT_CONNECT where number != 0, CURLE_SEND_ERROR where number != 0,
            CURLE_RECV_ERROR where number != 0:
            self.init(Self.names[number] ?? "errno \(number)", String(cString: strerror(number)))
        case CURLE_RECV_ERROR, CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL:
            self.init("no-answer", "it gave no answer in HTTP")
        case _:
            self.init("no-connection", "no connection (libcurl's error \(code.rawValue))")
        }
    }

    private static let names = [
        ECONNREFUSED: "ECONNREFUSED", ECONNRESET: "ECONNRESET", EHOSTUNREACH: "EHOSTUNREACH",
        ENETUNREACH: "ENETUNREACH", ETIMEDOUT: "ETIMEDOUT", EPIPE: "EPIPE", EMFILE: "EMFILE",
        EADDRNOTAVAIL: "EADDRNOTAVAIL",
    ]
}
