import Concurrency
import Foundation
import Testing

@testable import AMQP

struct TransportSecurityTests {
    /// Fault: a worker that stopped while connections were being opened crashed in OpenSSL, which
    /// had freed everything at exit.
    @Test func threadsMayUseTLSWhileTheProcessExits() async {
        await #expect(processExitsWith: .success) {
            TransportSecurity.keepAllUntilTheEnd()
            let begun = DispatchSemaphore(value: 0)
            for _ in 0..<4 {
                startThread(name: "tls", stackBytes: 1 << 20) {
                    _ = TransportSecurity().defect()
                    begun.signal()
                    while true { _ = TransportSecurity().defect() }
                }
            }
            for _ in 0..<4 { begun.wait() }
            exit(EXIT_SUCCESS)
        }
    }
}
