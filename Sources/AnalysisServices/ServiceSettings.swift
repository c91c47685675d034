/// Where a service is, and how hard it may be asked.
package struct ServiceSettings: Sendable {
    /// Of the call itself, e.g. `https://…/chat/completions`.
    package var url: String
    /// Sent as a bearer token; nil for a service that wants none.
    package var key: String?
    /// Reads the key again for each request; nil where it cannot change.
    package var renewKey: (@Sendable () -> String?)?
    /// For one answer, with its retries; the wait in line before it does not count.
    package var timeout: Duration
    /// Most requests at once, 1 or more.
    package var concurrency: Int
    /// More than 0; nil for no limit.
    package var requestsPerSecond: Double?

    package init(
        url: String,
        key: String?,
        timeout: Duration,
        concurrency: Int,
        requestsPerSecond: Double?
    ) {
        self.url = url
        self.key = key
        self.timeout = timeout
        self.concurrency = concurrency
        self.requestsPerSecond = requestsPerSecond
    }

    /// For a request that is made now. While its file cannot be read the key of the start is sent:
    /// then the service says whether it is still good.
    var currentKey: String? { renewKey?() ?? key }
}
