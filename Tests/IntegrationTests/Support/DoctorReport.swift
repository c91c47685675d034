import Foundation
import TestSupport
import Testing

/// What `amity doctor --json` prints.
struct DoctorReport: Decodable {
    struct Entry: Decodable { var level, check, text, source: String }
    var findings: [Entry]
}

extension Scene {
    /// A scene with everything in its place on the broker.
    static func complete(_ tables: Tables = .fresh) throws -> Scene {
        let scene = try Scene(tables)
        try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
        return scene
    }

    /// Runs the doctor.
    ///
    /// - Returns: all findings that are not ok, as `level check`. By default two notes that most
    ///   tests get are left out: no consumer, and no management plugin.
    func findings(
        _ extra: [String: String] = [:],
        leavingOut expected: [String] = ["note consumers", "note management"],
        status: Int32? = nil
    ) throws -> [String] {
        let (found, exit) = try report(extra)
        let worst: Int32 = found.contains { $0.level == "error" } ? 1 : 0
        #expect(exit == status ?? worst)
        return found.map { "\($0.level) \($0.check)" }.filter { !expected.contains($0) }
    }

    func report(
        _ extra: [String: String]
    ) throws -> (findings: [DoctorReport.Entry], status: Int32) {
        let done = try amity(["doctor", "--json"], extra)
        let report = try JSONDecoder().decode(DoctorReport.self, from: Data(done.output.utf8))
        return (report.findings.filter { $0.level != "ok" }, done.status)
    }
}
