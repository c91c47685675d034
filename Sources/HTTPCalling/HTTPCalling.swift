// HTTPCalling makes Amity's requests to other servers over HTTP. It alone touches libcurl.
//
// It sends a request as it is told to and returns the whole answer, within a time and a size, and
// connects only to addresses that its caller admits. It speaks http and https, checks certificates
// against those that the system trusts, follows no redirect, keeps no cookies, and reads neither
// the environment (no proxy) nor .netrc. When to ask, how often, and what an answer means is for
// its callers. It logs nothing, and no error holds a URL, a header or a body.

import Foundation

package struct HTTPRequest: Sendable {
    package enum Method: Sendable { case get, head, post }

    package var method: Method
    package var url: String
    package var headers: [String: String]
    /// Sent with POST only.
    package var body = Data()
    /// From the start to the last byte of the answer.
    package var timeout: Duration
    /// For the connection alone.
    package var connectTimeout = Duration.seconds(5)
    /// Most bytes of the answer's body.
    package var responseLimit: Int
    /// Asked for the very address that a new connection goes to; nil for every address. A
    /// connection that was kept is not asked for again: requests that admit different addresses of
    /// a host need different clients.
    package var admits: (@Sendable (IPAddress) -> Bool)?

    package init(
        _ method: Method,
        _ url: String,
        headers: [String: String] = [:],
        timeout: Duration,
        responseLimit: Int
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.timeout = timeout
        self.responseLimit = responseLimit
    }
}

package struct HTTPResponse: Sendable, Equatable {
    package var status: Int
    /// By name in lower case; of several of one name the first.
    package var headers: [String: String]
    /// Cut off at the limit where the answer is no success.
    package var body: Data

    package var isSuccess: Bool { (200..<300).contains(status) }
}
