import Foundation
import Testing

/// Has a script of `Tests/Browser` use a page as a person would. Where `AMITY_PICTURES` names a
/// folder, screenshots are put there.
///
/// - Parameter port: of the worker that serves the page.
func useInABrowser(
    _ script: String,
    port: UInt16,
    _ arguments: [String],
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let pictures = ProcessInfo.processInfo.environment["AMITY_PICTURES"]
    let seen = try Command.run(
        URL(fileURLWithPath: "/usr/bin/python3"),
        ["-B", Servers.root.appending(path: "Tests/Browser/\(script)").path]
            + ["http://127.0.0.1:\(port)"] + arguments
            + (pictures.map { ["--pictures", $0] } ?? []),
        environment: ["HOME": NSTemporaryDirectory()]
    )
    #expect(seen.status == 0, "\(seen.output)\(seen.error)", sourceLocation: sourceLocation)
}
