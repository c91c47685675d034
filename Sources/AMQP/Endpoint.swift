/// Where the broker is and who we are there.
package struct Endpoint: Sendable, Equatable {
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

    package func named(_ name: String) -> Endpoint {
        var copy = self
        copy.connectionName = name
        return copy
    }
}
