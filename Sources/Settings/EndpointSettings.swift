import AMQP
import Foundation

/// Where the broker is, from its URLs or from its parts.
extension Endpoint {
    /// The settings that hold secrets of the broker's.
    private static let secrets = ["RABBITMQ_URL", "RABBITMQ_PASSWORD"]

    /// - Parameter mistakes: where it says what it cannot accept; it is nil then.
    init?(_ values: SettingValues, _ mistakes: inout [String]) {
        guard var endpoint = Self.endpoint(values, &mistakes) else { return nil }
        if endpoint.security != nil {
            endpoint.security = TransportSecurity(values, &mistakes)
        } else {
            TransportSecurity.complain(ofPlainLinkIn: values, &mistakes)
        }
        endpoint.passwordOrigin =
            values.origin(of: "RABBITMQ_URL") ?? values.origin(of: "RABBITMQ_PASSWORD")
        if values.isRenewable(Self.secrets) {
            endpoint.renewCredentials = { try Self.credentials(values) }
        }
        self = endpoint
    }

    /// User and password as their files have them now. Another host or vhost needs a restart.
    private static func credentials(_ values: SettingValues) throws -> Credentials {
        var mistakes: [String] = []
        guard let endpoint = endpoint(try values.renewed(secrets), &mistakes) else {
            throw SettingsError(mistakes: mistakes)
        }
        return Credentials(username: endpoint.username, password: endpoint.password)
    }

    private static func endpoint(
        _ values: SettingValues,
        _ mistakes: inout [String]
    ) -> Endpoint? {
        guard let urls = values.text("RABBITMQ_URL") else {
            return endpoint(parts: values, &mistakes)
        }
        return endpoint(urls: urls, values, &mistakes)
    }

    private static func defaultPort(isSecure: Bool) -> UInt16 { isSecure ? 5671 : 5672 }

    private static func isSecure(_ values: SettingValues) -> Bool {
        values.text("RABBITMQ_TLS")?.lowercased() == "true"
    }

    // MARK: Parts

    private static func endpoint(
        parts values: SettingValues,
        _ mistakes: inout [String]
    ) -> Endpoint? {
        let isSecure = isSecure(values)
        let port = UInt16(
            clamping: values.integer(
                "RABBITMQ_PORT",
                default: Int(defaultPort(isSecure: isSecure))
            )
        )
        let before = mistakes.count
        let hosts = (values.text("RABBITMQ_HOST") ?? "").split(separator: ",").map {
            AddressText.host($0.trimmingCharacters(in: .whitespaces))
        }
        let known = hosts.compactMap(\.self)
        if known.isEmpty || known.count < hosts.count {
            mistakes.append(
                "RABBITMQ_HOST: its value is not accepted; use host, host:port or [IPv6]:port, "
                    + "several with commas between"
            )
        }
        let (username, virtualHost) = (
            values.text("RABBITMQ_USERNAME") ?? "", values.text("RABBITMQ_VHOST") ?? ""
        )
        if username.holdsAddressBesideRealm {
            mistakes.append("RABBITMQ_USERNAME: its value is not accepted; use a user's name alone")
        }
        if virtualHost.holdsAddress {
            mistakes.append("RABBITMQ_VHOST: its value is not accepted; use a vhost's name alone")
        }
        if mistakes.count > before { return nil }
        return Endpoint(
            addresses: known.map { .init(host: $0.name, port: $0.port ?? port) },
            security: isSecure ? TransportSecurity() : nil,
            virtualHost: virtualHost,
            username: username,
            password: values.text("RABBITMQ_PASSWORD") ?? "",
            heartbeatSeconds: values.integer("HEARTBEAT_SECONDS"),
            connectionName: "amity",
            productVersion: amityVersion
        )
    }

    // MARK: URLs

    private static func endpoint(
        urls: String,
        _ values: SettingValues,
        _ mistakes: inout [String]
    ) -> Endpoint? {
        var endpoints: [Endpoint] = []
        do throws(AddressText.Mistake) {
            for url in list(urls) { endpoints.append(try endpoint(url: url, values)) }
        } catch {
            mistakes.append(
                """
                RABBITMQ_URL: its value is not accepted (\(error.reason)); use \
                amqp://user:password@host:port/vhost, or amqps:// for TLS, with \
                \(AddressText.encodingHint) and no ?parameters; several with commas between
                """
            )
            return nil
        }
        guard var endpoint = endpoints.first else { return nil }
        endpoint.addresses = endpoints.flatMap(\.addresses)
        let isOneCluster = endpoints.allSatisfy {
            ($0.username, $0.password, $0.virtualHost)
                == (endpoint.username, endpoint.password, endpoint.virtualHost)
        }
        if !endpoints.allSatisfy({ ($0.security == nil) == (endpoint.security == nil) }) {
            mistakes.append("RABBITMQ_URL: its URLs must all be amqp:// or all be amqps://")
            return nil
        }
        if isSecure(values) && endpoint.security == nil {
            mistakes.append("RABBITMQ_TLS: true, but RABBITMQ_URL, which wins, is amqp://: plain")
            return nil
        }
        if !isOneCluster {
            mistakes.append(
                "RABBITMQ_URL: its URLs must name the same user, password and vhost: nodes of one "
                    + "cluster"
            )
            return nil
        }
        return endpoint
    }

    /// With commas between, with Celery's semicolons or with blanks; only where another URL
    /// follows, for a password may hold a comma. At least one.
    private static func list(_ urls: String) -> [String] {
        let urls = urls.trimmingCharacters(in: .whitespaces.union([",", ";"]))
        return urls.split(separator: /[,;\s]+(?=(?i:amqps?):\/\/)/).map(String.init)
    }

    private static func endpoint(
        url: String,
        _ values: SettingValues
    ) throws(AddressText.Mistake) -> Endpoint {
        let parts = try AddressText(url)
        guard parts.scheme == "amqp" || parts.scheme == "amqps", parts.query == nil else {
            throw .noURL
        }
        let host = parts.hosts[0]
        let isSecure = parts.scheme == "amqps"
        // "amqp://host" and "amqp://host/" both mean the default vhost; "/%2F" spells it out.
        let virtualHost = parts.decodedPath
        // A comma or semicolon as it stands begins another address that is not understood.
        if virtualHost.holdsAddress || parts.path.contains(where: { ",;".contains($0) }) {
            throw .unencoded
        }
        if parts.user?.holdsAddressBesideRealm ?? false { throw .unencoded }
        return Endpoint(
            addresses: [.init(host: host.name, port: host.port ?? defaultPort(isSecure: isSecure))],
            security: isSecure ? TransportSecurity() : nil,
            virtualHost: virtualHost.isEmpty ? "/" : virtualHost,
            username: parts.user ?? "guest",
            password: parts.password ?? "guest",
            heartbeatSeconds: values.integer("HEARTBEAT_SECONDS"),
            connectionName: "amity",
            productVersion: amityVersion
        )
    }
}
