import Foundation
import Settings

/// What one benchmark needs: a folder, servers, and a fixture on them. `with` removes all of it
/// afterwards.
struct BenchmarkRun {
    let folder: URL
    let servers: Servers
    let fixture: BenchmarkFixture

    static func with<R>(
        conversations: Int,
        users: Int,
        workload: Workload = .plain,
        _ body: (BenchmarkRun) throws -> R
    ) throws -> R {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "amity-bench-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { remove(folder) }
        let environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        let servers = try Servers(environment: environment, folder: folder)
        defer { cleaningUp { try servers.stop(in: folder) } }
        say("making up \(conversations) conversations of \(users) users")
        let fixture = try BenchmarkFixture(
            on: servers,
            conversations: conversations,
            users: users,
            workload: workload
        )
        defer { cleaningUp { try fixture.tearDown() } }
        return try body(BenchmarkRun(folder: folder, servers: servers, fixture: fixture))
    }

    func trial(_ configuration: Configuration, analyserSeconds: Double? = nil) -> Trial {
        Trial(
            fixture: fixture,
            servers: servers,
            folder: folder,
            configuration: configuration,
            analyserSeconds: analyserSeconds
        )
    }

    private static func remove(_ folder: URL) {
        cleaningUp { try FileManager.default.removeItem(at: folder) }
    }
}

/// What cannot be cleaned up is said, and hides neither a result nor an earlier error.
func cleaningUp(_ body: () throws -> Void) {
    do {
        try body()
    } catch {
        say("not cleaned up: \(error)")
    }
}

/// Writes a line of progress to standard error.
func say(_ text: String) {
    writeToStandardError("\(text)\n")
}

extension Double {
    /// Rounded, with the thousands set apart.
    var shown: String { shown(0) }

    func shown(_ digits: Int) -> String {
        formatted(
            .number.precision(.fractionLength(digits)).locale(Locale(identifier: "en_US"))
                .grouping(.automatic)
        )
    }
}
