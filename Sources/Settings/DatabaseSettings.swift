import Foundation
import Postgres

/// Where the database is, from its URL or from its parts.
extension ConnectionTarget {
    /// The settings that hold secrets of the database's.
    private static let secrets = ["DATABASE_URL", "POSTGRES_PASSWORD"]

    /// - Parameter mistakes: where it says what it cannot accept; it is nil then.
    init?(_ values: SettingValues, _ mistakes: inout [String]) {
        guard var target = Self.target(values, &mistakes) else { return nil }
        let isURL = values.text("DATABASE_URL") != nil
        // Without a password libpq asks PGPASSFILE and its own defaults.
        if target.keywords["password"] != nil {
            target.passwordOrigin = values.origin(of: isURL ? "DATABASE_URL" : "POSTGRES_PASSWORD")
        }
        if values.isRenewable(Self.secrets) {
            target.renewCredentials = { try Self.credentials(values) }
        }
        self = target
    }

    /// User and password as their files have them now. Another host or database needs a restart.
    private static func credentials(_ values: SettingValues) throws -> Credentials {
        var mistakes: [String] = []
        guard let target = target(try values.renewed(secrets), &mistakes) else {
            throw SettingsError(mistakes: mistakes)
        }
        return Credentials(
            user: target.keywords["user"],
            password: target.keywords["password"]
        )
    }

    private static func target(
        _ values: SettingValues,
        _ mistakes: inout [String]
    ) -> ConnectionTarget? {
        guard let url = values.text("DATABASE_URL") else { return target(parts: values, &mistakes) }
        let target = target(url: url, &mistakes)
        guard let target, hasPlainNames(target) else {
            if target != nil { mistakes.append(refusal(of: AddressText.Mistake.host.reason)) }
            return nil
        }
        return target
    }

    // MARK: Parts

    private static func target(
        parts values: SettingValues,
        _ mistakes: inout [String]
    ) -> ConnectionTarget? {
        let before = mistakes.count
        let port = values.text("POSTGRES_PORT") ?? "5432"
        let texts = (values.text("POSTGRES_HOST") ?? "").split(separator: ",")
        let hosts = texts.compactMap {
            AddressText.host($0.trimmingCharacters(in: .whitespaces), mayBeSocket: true)
        }
        if hosts.isEmpty || hosts.count < texts.count {
            mistakes.append(
                "POSTGRES_HOST: its value is not accepted; use host, host:port, [IPv6]:port or a "
                    + "socket's folder, several with commas between"
            )
        }
        let (user, database) = (values.text("POSTGRES_USERNAME"), values.text("POSTGRES_DATABASE"))
        if user?.holdsAddressBesideRealm ?? false {
            mistakes.append("POSTGRES_USERNAME: its value is not accepted; use a role's name alone")
        }
        if database?.holdsAddress ?? false {
            mistakes.append(
                "POSTGRES_DATABASE: its value is not accepted; use a database's name alone"
            )
        }
        if mistakes.count > before { return nil }
        return ConnectionTarget(
            keywords: [
                "host": hosts.map(\.name).joined(separator: ","),
                "port": hosts.contains { $0.port != nil }
                    ? hosts.map { $0.port.map(String.init) ?? port }.joined(separator: ",") : port,
                "user": user, "dbname": database, "password": values.text("POSTGRES_PASSWORD"),
            ].compactMapValues(\.self)
        )
    }

    // MARK: A URL, or libpq's keywords

    private static let sslModes = [
        "disable", "allow", "prefer", "require", "verify-ca", "verify-full",
    ]

    private static func refusal(of reason: String) -> String {
        """
        DATABASE_URL: its value is not accepted (\(reason)); use \
        postgresql://user:password@host:port/database?sslmode=…, with \
        \(AddressText.encodingHint); several hosts of one database as host1:port,host2:port in \
        one URL
        """
    }

    private static func target(url: String, _ mistakes: inout [String]) -> ConnectionTarget? {
        if url.contains("://") {
            do throws(AddressText.Mistake) {
                let parts = try AddressText(url, isForPostgres: true)
                if parts.decodedPath.holdsAddress { throw .unencoded }
                let foreign = ForeignParameters.mistakes(in: parts.query ?? "")
                mistakes += foreign
                if !foreign.isEmpty { return nil }
            } catch {
                mistakes.append(refusal(of: error.reason))
                return nil
            }
        }
        guard let target = ConnectionTarget(url: url) else {
            mistakes.append(refusal(of: "libpq cannot read it"))
            return nil
        }
        if let mode = target.keywords["sslmode"], !sslModes.contains(mode) {
            let hint = mode == "no-verify" ? "no-verify is require there; " : ""
            mistakes.append(
                "DATABASE_URL: sslmode has no such value; \(hint)use one of "
                    + sslModes.joined(separator: ", ")
            )
            return nil
        }
        return target
    }

    /// Whether what libpq may quote in its errors can be shown: no part of a password stands there.
    private static func hasPlainNames(_ target: ConnectionTarget) -> Bool {
        func all(_ keyword: String, _ isFine: (String) -> Bool) -> Bool {
            (target.keywords[keyword] ?? "").split(separator: ",").allSatisfy { isFine(String($0)) }
        }
        return all("host") { AddressText.isHost($0) || AddressText.isSocket($0) }
            && all("hostaddr", AddressText.isHost)
            && all("port") { (UInt16($0) ?? 0) > 0 }
            && target.keywords["dbname"]?.holdsAddress != true
            && target.keywords["user"]?.holdsAddressBesideRealm != true
    }

    /// The hosts that libpq connects to, as far as the settings say.
    package var hosts: [String] {
        let addresses = keywords["hostaddr"] ?? ""
        let hosts = addresses.isEmpty ? keywords["host"] ?? "" : addresses
        return hosts.split(separator: ",").map(String.init)
    }
}
