import AMQP
import Foundation

/// Where the broker is, from its URLs or from its parts.
extension Endpoint {
    /// - Parameter mistakes: where it says what it cannot accept; it is nil then.
    init?(_ values: SettingValues, _ mistakes: inout [String]) {
        let endpoint =
            if let urls = values.text("RABBITMQ_URL") {
                Self.endpoint(urls: urls, values, &mistakes)
            } else {
                Self.endpoint(parts: values, &mistakes)
            }
        guard var endpoint else { return nil }
        if endpoint.security != nil {
            endpoint.security = TransportSecurity(values, &mistakes)
        } else {
            TransportSecurity.complain(ofPlainLinkIn: values, &mistakes)
        }
        self = endpoint
    }

    private static func defaultPort(isSecure: Bool) -> UInt16 { isSecure ? 5671 : 5672 }

    private static func isSecure(_ values: SettingValues) -> Bool {
        values.text("RABBITMQ_TLS")?.lowercased() == "true"
    }

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
        let addresses = (values.text("RABBITMQ_HOST") ?? "").split(separator: ",").map {
            address(String($0).trimmingCharacters(in: .whitespaces), defaultPort: port)
        }
        let known = addresses.compactMap(\.self)
        if known.isEmpty || known.count < addresses.count {
            mistakes.append(
                "RABBITMQ_HOST: its value is not accepted; use host, host:port or [IPv6]:port, "
                    + "several with commas between"
            )
            return nil
        }
        return Endpoint(
            addresses: known,
            security: isSecure ? TransportSecurity() : nil,
            virtualHost: values.text("RABBITMQ_VHOST") ?? "",
            username: values.text("RABBITMQ_USERNAME") ?? "",
            password: values.text("RABBITMQ_PASSWORD") ?? "",
            heartbeatSeconds: values.integer("HEARTBEAT_SECONDS"),
            connectionName: "amity",
            productVersion: amityVersion
        )
    }

    /// - Parameter text: a host, with a port or without; an IPv6 address with a port in brackets.
    private static func address(_ text: String, defaultPort: UInt16) -> Endpoint.Address? {
        if text.isEmpty { return nil }
        // More than one colon: an IPv6 address without a port.
        let isBare = text.filter { $0 == ":" }.count > 1 && !text.hasPrefix("[")
        guard !isBare, let parts = URLComponents(string: "amqp://\(text)"), let host = parts.host
        else { return isBare ? .init(host: text, port: defaultPort) : nil }
        guard let port = UInt16(exactly: parts.port ?? Int(defaultPort)), port > 0, !host.isEmpty,
            parts.user == nil, parts.path.isEmpty
        else { return nil }
        return .init(host: host.trimmingCharacters(in: ["[", "]"]), port: port)
    }

    private static func endpoint(
        urls: String,
        _ values: SettingValues,
        _ mistakes: inout [String]
    ) -> Endpoint? {
        // Only where another URL follows: a password may hold a comma.
        let parts = urls.split(separator: /,\s*(?=amqps?:)/).map { url in
            endpoint(url: url.trimmingCharacters(in: .whitespaces), values)
        }
        let endpoints = parts.compactMap(\.self)
        guard var endpoint = endpoints.first, endpoints.count == parts.count else {
            mistakes.append(
                """
                RABBITMQ_URL: its value is not accepted; use amqp://user:password@host:port/vhost, \
                or amqps:// for TLS, with special characters percent-encoded and no ?parameters; \
                several with commas between
                """
            )
            return nil
        }
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

    private static func endpoint(url: String, _ values: SettingValues) -> Endpoint? {
        guard let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty,
            parts.scheme == "amqp" || parts.scheme == "amqps",
            parts.query == nil, parts.fragment == nil
        else { return nil }
        let isSecure = parts.scheme == "amqps"
        guard let port = UInt16(exactly: parts.port ?? Int(defaultPort(isSecure: isSecure))),
            port > 0
        else { return nil }
        // "amqp://host" and "amqp://host/" both mean the default vhost; "/%2F" spells it out.
        let path = parts.percentEncodedPath.dropFirst()
        return Endpoint(
            // An IPv6 address stands in brackets in a URL, and nowhere else.
            addresses: [.init(host: host.trimmingCharacters(in: ["[", "]"]), port: port)],
            security: isSecure ? TransportSecurity() : nil,
            virtualHost: path.isEmpty ? "/" : path.removingPercentEncoding ?? String(path),
            username: parts.user ?? "guest",
            password: parts.password ?? "guest",
            heartbeatSeconds: values.integer("HEARTBEAT_SECONDS"),
            connectionName: "amity",
            productVersion: amityVersion
        )
    }
}
