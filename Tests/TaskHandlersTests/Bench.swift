import Foundation
import TaskRunning
import Testing

@testable import AmityCLI
@testable import Tasks

/// What the tests of both handlers share.
enum Bench {
    /// The daemon as it was built for these tests; importing AmityCLI has it built.
    static let amity = Bundle.module.bundleURL.deletingLastPathComponent().appending(path: "amity")

    static func script(_ name: String) throws -> String {
        try #require(Bundle.module.url(forResource: "scripts/\(name)", withExtension: "py")).path
    }

    static func task(
        payload: String = "null",
        timeout: Int = 60,
        kbID: String? = nil
    ) -> ClaimedTask {
        ClaimedTask(
            id: TaskID(firstAt: 0),
            type: "resize",
            pool: "default",
            priority: .normal,
            kbID: kbID,
            run: 3,
            attempt: 2,
            maxAttempts: 4,
            isSuspect: false,
            payload: payload,
            timeout: timeout
        )
    }

    /// Waits until it is so.
    static func eventually(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () -> Bool
    ) {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition(), ContinuousClock.now < deadline { usleep(10_000) }
        #expect(condition(), sourceLocation: sourceLocation)
    }
}

extension RunEnd {
    /// In a form that can be compared.
    var told: String {
        switch self {
        case .completed(let result, _): "completed \(result ?? "without a result")"
        case .failed(let code, _, let retries, let after):
            "failed \(code), \(retries ? "again" : "for good")"
                + (after.map { " in \($0) s" } ?? "")
        case .snoozed(let seconds): "snoozed \(seconds) s"
        case .putOff(let seconds, _, _): "put off \(seconds) s"
        case .handedOver: "handed over"
        case .stopped: "stopped"
        }
    }

    var message: String? {
        if case .failed(_, let message, _, _) = self { message } else { nil }
    }
}
