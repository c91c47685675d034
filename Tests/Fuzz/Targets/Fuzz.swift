// What reads bytes of strangers, fed with bytes that libFuzzer makes up. `deploy/dev/fuzz` runs it.

import CFuzzer
import Foundation

/// `amity-fuzz TARGET [libFuzzer's own arguments]`
@main
enum Fuzz {
    private static let targets: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
        "log": fuzzLog, "body": fuzzBody, "frames": fuzzFrames, "wire": fuzzWire,
        "properties": fuzzProperties, "settings": fuzzSettings, "intake": fuzzIntake,
        "task": fuzzTask,
    ]

    private static let target = targets[CommandLine.arguments.dropFirst().first ?? ""]

    static func main() {
        guard target != nil else {
            print("name a target: \(targets.keys.sorted().joined(separator: ", "))")
            exit(64)
        }
        // libFuzzer must not see the target's name, so it gets only the arguments after it.
        var count = CommandLine.argc - 1
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
            CommandLine.unsafeArgv + 1
        _ = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            Fuzz.target?(UnsafeRawBufferPointer(start: bytes, count: count))
            return 0
        }
    }
}

/// Ends the process with a finding unless the claim holds.
func expect(_ holds: Bool, _ claim: @autoclosure () -> String) {
    if !holds { fatalError("finding: \(claim())") }
}
