import Concurrency
import Foundation
import Hummingbird
import Operations
import TestSupport
import Testing

@testable import OperatorPages

struct CachedResponseTests {
    /// Fault: a question that takes a second on a large database is asked every two.
    @Test func anAnswerThatCostMuchLastsLonger() async throws {
        let asked = Locked(0)
        let failure = Locked<OperatorServiceError?>(nil)
        let cached = CachedResponse(lifetime: .zero, costFactor: 1000) {
            asked.withLock { $0 += 1 }
            // As a question to a database takes its time.
            _ = DispatchSemaphore(value: 0).wait(timeout: .now() + 0.05)
            return failure.withLock { failure in
                failure.map { .failure($0) } ?? .success(ByteBuffer())
            }
        }
        for _ in 0..<3 { _ = await cached.answer() }
        #expect(asked.withLock { $0 } == 1)
        // One that failed slowly is asked for again.
        failure.withLock { $0 = .early }
        await cached.forget()
        for _ in 0..<3 { _ = await cached.answer() }
        #expect(asked.withLock { $0 } == 4)
    }
}
