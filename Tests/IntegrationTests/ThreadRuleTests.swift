import Foundation
import Testing

@testable import AMQP
@testable import Settings

extension Integration {
    struct ThreadRule {
        /// Fault: a handler's thread sends an ack by itself. Frames of two threads mix on the wire,
        /// and the broker closes the connection. The compiler refuses the way there, so this test
        /// goes round it by hand; the precondition must still stop the process.
        @Test func aConnectionUsedByAnotherThreadStopsTheProcess() async throws {
            let url = try #require(Servers.environment["RABBITMQ_URL"])
            await #expect(processExitsWith: .failure) { [url = url as String] in
                useFromThread(other: true, url)
            }
            // The control: the same steps on the owning thread end well.
            await #expect(processExitsWith: .success) { [url = url as String] in
                useFromThread(other: false, url)
            }
        }
    }
}

private func useFromThread(other: Bool, _ url: String) {
    do {
        let endpoint = try WorkerSettings(SettingValues { ["RABBITMQ_URL": url][$0] }).endpoint
        let pointer = UnsafeMutablePointer<Connection>.allocate(capacity: 1)
        pointer.initialize(to: try Connection(to: endpoint, timeout: .seconds(10)))
        nonisolated(unsafe) let connection = pointer
        let use: @Sendable () -> Void = {
            do { try connection.pointee.openChannel() } catch {
                exit(other ? EXIT_SUCCESS : EXIT_FAILURE)
            }
        }
        if other {
            let thread = Thread(block: use)
            thread.start()
            while !thread.isFinished {}
        } else {
            use()
        }
        exit(EXIT_SUCCESS)
    } catch {
        // No connection, no test: each of the two expectations must fail then.
        exit(other ? EXIT_SUCCESS : EXIT_FAILURE)
    }
}
