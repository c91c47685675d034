/// Where the broker is and who we are there.
package struct Endpoint: Sendable {
    package struct Address: Sendable, Equatable, CustomStringConvertible {
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }

        package var description: String {
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// One node of the broker or several, at least one; tried in turn.
    package var addresses: [Address]
    /// nil where the link is plain TCP.
    package var security: TransportSecurity?
    package var virtualHost: String
    package var username: String
    package var password: String
    /// Seconds between heartbeats asked for; the broker may ask for fewer.
    package var heartbeatSeconds: Int
    /// Shown in the broker's list of connections.
    package var connectionName: String
    package var productVersion: String
    /// The setting that the password came from, for error texts.
    package var passwordOrigin: String?
    /// Reads user and password again for each connection; nil where they cannot change. What it
    /// throws names the setting, and is safe to log.
    package var renewCredentials: (@Sendable () throws -> Credentials)?

    package struct Credentials: Sendable {
        package var username: String
        package var password: String

        package init(username: String, password: String) {
            self.username = username
            self.password = password
        }
    }

    package init(
        addresses: [Address],
        security: TransportSecurity?,
        virtualHost: String,
        username: String,
        password: String,
        heartbeatSeconds: Int,
        connectionName: String,
        productVersion: String
    ) {
        precondition(!addresses.isEmpty)
        self.addresses = addresses
        self.security = security
        self.virtualHost = virtualHost
        self.username = username
        self.password = password
        self.heartbeatSeconds = heartbeatSeconds
        self.connectionName = connectionName
        self.productVersion = productVersion
    }

    /// With user and password for a connection that opens now.
    func current() throws(AMQPError) -> Endpoint {
        guard let renewCredentials else { return self }
        do {
            let credentials = try renewCredentials()
            var current = self
            (current.username, current.password) = (credentials.username, credentials.password)
            return current
        } catch {
            throw .noCredentials("\(error)")
        }
    }

    package func named(_ name: String) -> Endpoint {
        var copy = self
        copy.connectionName = name
        return copy
    }
}
