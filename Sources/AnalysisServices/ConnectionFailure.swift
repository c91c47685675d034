import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix

/// Why there was no connection to a service, or why it broke. Its words are ours or the system's: a library's
/// own may name what is in the URL.
package struct ConnectionFailure: Sendable, Hashable {
    /// The name of an errno, e.g. `ECONNREFUSED`, or a word of ours.
    package let code: String
    /// For people.
    package let text: String

    init(_ error: any Error) {
        switch error {
        case let error as IOError:
            self.init(
                Self.names[error.errnoCode] ?? "errno \(error.errnoCode)",
                String(cString: strerror(error.errnoCode))
            )
        case let error as NIOConnectionError:
            // One for each address that the host has.
            if let last = error.connectionErrors.last {
                self.init(last.error)
            } else {
                self.init("no-address", "the host's name has no address")
            }
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            self.init("closed", "it closed the connection without an answer")
        case is HTTPClientError:
            self.init("no-answer", "it gave no answer in HTTP")
        case _ where "\(type(of: error))".contains("SSL"):
            self.init("tls", "no encrypted connection: its certificate is not accepted")
        case _:
            self.init("no-connection", "no connection (\(type(of: error)))")
        }
    }

    private init(_ code: String, _ text: String) {
        self.code = code
        self.text = text
    }

    private static let names = [
        ECONNREFUSED: "ECONNREFUSED", ECONNRESET: "ECONNRESET", EHOSTUNREACH: "EHOSTUNREACH",
        ENETUNREACH: "ENETUNREACH", ETIMEDOUT: "ETIMEDOUT", EPIPE: "EPIPE", EMFILE: "EMFILE",
        EADDRNOTAVAIL: "EADDRNOTAVAIL",
    ]
}
