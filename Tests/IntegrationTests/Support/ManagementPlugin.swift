import Foundation
import Testing

/// The broker's management plugin, on a port of its own, until it goes.
final class ManagementPlugin {
    /// For RABBITMQ_MANAGEMENT_URL.
    let url: String

    init() throws {
        let port = try Silence().port
        url = try #require(Servers.environment["RABBITMQ_URL"])
            .replacing("amqp://", with: "http://")
            .replacing(/@.*/, with: "@127.0.0.1:\(port)")
        let listener = #"[{port, \#(port)}, {ip, "127.0.0.1"}]"#
        try Servers.rabbitmqctl(
            "eval",
            """
            ok = application:set_env(rabbitmq_management, tcp_config, \(listener), \
            [{persistent, true}]).
            """
        )
        try Self.enable("rabbitmq_management")
        try eventually("the plugin answers") {
            let done = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                ["bash", "-c", ": </dev/tcp/127.0.0.1/\(port)"]
            )
            return done.status == 0
        }
    }

    deinit {
        do {
            try Self.enable("")
        } catch { Issue.record(error, "the plugin could not be switched off again") }
    }

    /// - Parameter plugins: all plugins to run, separated by commas.
    private static func enable(_ plugins: String) throws {
        let file =
            try #require(Servers.environment["AMITY_SERVERS_DIR"])
            + "/rabbitmq/enabled_plugins"
        try Data("[\(plugins)].\n".utf8).write(to: URL(fileURLWithPath: file))
        try Servers.rabbitmqctl("eval", #"rabbit_plugins:ensure("\#(file)")."#)
    }
}
