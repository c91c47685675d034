import Postgres

/// The servers that settings name: for people, without users and passwords.
package struct ServerNames: Sendable {
    /// One for the broker, one for the database.
    package let lines: [String]
    /// Whether all of them are this machine, as far as their addresses say.
    package let areLocal: Bool

    /// - Parameter environment: for what libpq reads there by itself.
    package init(of settings: WorkerSettings, environment: (String) -> String?) {
        func given(_ names: String...) -> String? {
            names.lazy.compactMap(environment).first { !$0.isEmpty }
        }
        let endpoint = settings.endpoint
        let keywords = settings.database.keywords
        var hosts = settings.database.hosts
        if hosts.isEmpty, let others = given("PGHOSTADDR", "PGHOST") {
            hosts = others.split(separator: ",").map(String.init)
        }
        let service = keywords["service"] ?? given("PGSERVICE")
        let ports = (keywords["port"] ?? "").split(
            separator: ",",
            omittingEmptySubsequences: false
        )
        let places = hosts.enumerated().map { index, host in
            let port = ports.count == hosts.count ? ports[index] : ports.first ?? ""
            return port.isEmpty ? host : "\(host):\(port)"
        }
        let place =
            service.map { "service \($0)" }
            ?? (places.isEmpty ? "this machine's socket" : places.joined(separator: ", "))
        let name = keywords["dbname"] ?? given("PGDATABASE") ?? keywords["user"] ?? "its default"
        lines = [
            "broker \(endpoint.addresses.map(\.description).joined(separator: ", ")), "
                + "vhost \(endpoint.virtualHost)",
            "database \(name) at \(place)",
        ]
        areLocal =
            endpoint.addresses.allSatisfy { Loopback.contains($0.host) } && service == nil
            && hosts.allSatisfy(Loopback.containsSocketOr)
    }
}
