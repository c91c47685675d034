import Foundation
import Testing

@testable import Settings

struct SecretFileTests {
    private let path = NSTemporaryDirectory() + UUID().uuidString

    private func values() -> SettingValues {
        let variables = ["RABBITMQ_PASSWORD_FILE": path]
        return SettingValues { variables[$0] }
    }

    private func write(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// Fault: whatever is wrong with the file, it is said not to be UTF-8.
    @Test func saysWhyAFileCannotBeRead() throws {
        defer { unlink(path) }
        let prefix = "RABBITMQ_PASSWORD_FILE: cannot read the file it names: "
        #expect(values().mistakes == [prefix + "No such file or directory"])
        try write([0xFF, 0xFE])
        #expect(values().mistakes == [prefix + "it is not UTF-8 text"])
        try write([UInt8](repeating: 0x61, count: 100_000))
        #expect(values().mistakes == [prefix + "it is too large for a secret"])
        unlink(path)
        mkdir(path, 0o700)
        #expect(values().mistakes == [prefix + "Is a directory"])
        rmdir(path)
        symlink(path, path)
        #expect(values().mistakes == [prefix + "Too many levels of symbolic links"])
        unlink(path)
        try write([0x61])
        chmod(path, 0)
        // Root reads everything.
        if geteuid() != 0 { #expect(values().mistakes == [prefix + "Permission denied"]) }
    }

    /// Fault: a pipe, as of a shell's `<(vault read …)`, gives its content once; a second look
    /// waits for ever.
    @Test func aPipeIsReadOnce() throws {
        let pipe = Pipe()
        let variables = [
            "RABBITMQ_PASSWORD_FILE": "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        ]
        Thread.detachNewThread {
            pipe.fileHandleForWriting.write(Data("from a pipe\n".utf8))
            pipe.fileHandleForWriting.closeFile()
        }
        let values = SettingValues { variables[$0] }
        #expect(values.mistakes == [] && values.text("RABBITMQ_PASSWORD") == "from a pipe")
        #expect(!values.isRenewable(["RABBITMQ_PASSWORD"]))
        #expect(values.origin(of: "RABBITMQ_PASSWORD") == "RABBITMQ_PASSWORD_FILE")
        let renewed = try values.renewed(["RABBITMQ_PASSWORD"])
        #expect(renewed.text("RABBITMQ_PASSWORD") == "from a pipe")
    }

    /// Fault: a password that is rotated in its file is never picked up.
    @Test func credentialsAreReadAgain() throws {
        defer { unlink(path) }
        try write(Array("one\n".utf8))
        let settings = try WorkerSettings(values())
        let renew = try #require(settings.endpoint.renewCredentials)
        #expect(settings.endpoint.passwordOrigin == "RABBITMQ_PASSWORD_FILE")
        #expect(try renew().password == "one")
        try write(Array("two\n".utf8))
        #expect(try renew().password == "two" && renew().username == "guest")
        // A file in the middle of being replaced must not log in with no password, or a default.
        for bytes: [UInt8] in [[], [0xFF], Array("a\nb".utf8)] {
            try write(bytes)
            let error = #expect(throws: (any Error).self) { try renew() }
            #expect("\(try #require(error))".hasPrefix("RABBITMQ_PASSWORD"))
        }
        unlink(path)
        let error = #expect(throws: SecretFile.Unreadable.self) { try renew() }
        #expect(error?.description.hasSuffix("No such file or directory") == true)
        #expect(settings.database.renewCredentials == nil)
    }

    /// The same for what is sent with each request.
    @Test func keysAreReadAgain() throws {
        defer { unlink(path) }
        let management = NSTemporaryDirectory() + UUID().uuidString
        defer { unlink(management) }
        func write(_ text: String) throws {
            try self.write(Array(text.utf8))
            try Data("http://u:\(text)@h:1".utf8).write(to: URL(fileURLWithPath: management))
        }
        try write("one")
        let variables = [
            "LLM_ANALYSIS_ENABLED": "true", "LLM_MODEL": "m", "MEMORY_API_ENABLED": "false",
            "LLM_API_KEY_FILE": path, "RABBITMQ_MANAGEMENT_URL_FILE": management,
        ]
        let settings = try WorkerSettings(SettingValues { variables[$0] })
        guard case .services(let services) = settings.analysis.mode else {
            return #expect(Bool(false), "services are asked for")
        }
        let endpoint = try #require(settings.monitoring.management)
        let basic = { (word: String) in "Basic " + Data("u:\(word)".utf8).base64EncodedString() }
        for word in ["one", "two"] {
            try write(word)
            #expect(services.chat.renewKey?() == word)
            #expect(try endpoint.authorization() == basic(word))
        }
        unlink(path)
        unlink(management)
        #expect(services.chat.renewKey?() == nil && services.chat.key == "one")
        let error = #expect(throws: SecretFile.Unreadable.self) { try endpoint.authorization() }
        #expect(error?.description.hasPrefix("RABBITMQ_MANAGEMENT_URL_FILE: ") == true)
    }
}
