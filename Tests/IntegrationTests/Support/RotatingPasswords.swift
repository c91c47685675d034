import Foundation
import Testing

/// Passwords of a test's own at both servers, in files that workers are told of, until it goes.
final class RotatingPasswords {
    /// How the settings name the files.
    enum Form: CaseIterable { case parts, urls }

    private let form: Form
    private let user: String
    private let databaseURL: String
    /// nil behind a pooler, which knows no password.
    private let role: PasswordRole?
    private let broker: TemporaryFile
    let database: TemporaryFile

    init(_ form: Form, for scene: Scene, password: String) throws {
        self.form = form
        user = scene.name
        databaseURL = try #require(scene.variables["DATABASE_URL"])
        broker = try TemporaryFile()
        database = try TemporaryFile()
        try scene.alterRole("SET search_path = \(scene.name)")
        try Servers.rabbitmqctl("add_user", user, password)
        try Servers.rabbitmqctl("set_permissions", user, ".*", ".*", ".*")
        role = Servers.arePooled ? nil : try PasswordRole(user, password: password)
        try write(password)
    }

    deinit {
        do {
            try Servers.rabbitmqctl("delete_user", user)
        } catch { Issue.record(error, "a user is left over") }
    }

    var brokerSetting: String { form == .parts ? "RABBITMQ_PASSWORD_FILE" : "RABBITMQ_URL_FILE" }
    var databaseSetting: String {
        form == .parts ? "POSTGRES_PASSWORD_FILE" : "DATABASE_URL_FILE"
    }

    /// Instead of the scene's own URLs.
    ///
    /// - Parameter ports: of the broker and the database, or of what stands before them.
    func settings(ports: (broker: UInt16, database: UInt16)? = nil) throws -> [String: String] {
        var settings = [
            "RABBITMQ_URL": "", "DATABASE_URL": "", brokerSetting: broker.path,
            databaseSetting: database.path,
        ]
        if form == .urls { return settings }
        let rabbitmq = try ports?.broker ?? Servers.port("RABBITMQ_URL")
        let postgres = try ports?.database ?? Servers.workersDatabasePort()
        settings["RABBITMQ_HOST"] = "127.0.0.1:\(rabbitmq)"
        settings["RABBITMQ_USERNAME"] = user
        settings["POSTGRES_HOST"] = "127.0.0.1:\(postgres)"
        settings["POSTGRES_USERNAME"] = user
        let url = try #require(URLComponents(string: databaseURL))
        settings["POSTGRES_DATABASE"] = String(url.path.dropFirst())
        return settings
    }

    /// At both servers; links that are open stay so.
    func change(to password: String) throws {
        try Servers.rabbitmqctl("change_password", user, password)
        try changeDatabase(to: password)
    }

    func changeDatabase(to password: String) throws { try role?.set(password: password) }

    /// Into the files, in place.
    func write(_ password: String) throws {
        let rabbitmq = try Servers.port("RABBITMQ_URL")
        let texts =
            form == .parts
            ? (password, password)
            : (
                "amqp://\(user):\(password)@127.0.0.1:\(rabbitmq)/",
                databaseURL.replacing("\(user)@", with: "\(user):\(password)@")
            )
        for (text, file) in [(texts.0, broker), (texts.1, database)] {
            try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: file.path))
        }
    }
}
