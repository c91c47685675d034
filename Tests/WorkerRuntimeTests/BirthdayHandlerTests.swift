import Concurrency
import Messaging
import Testing
import WorkerRuntime

/// The example of the article WritingAHandler.md does what the article says.
struct BirthdayHandlerTests {
    private struct StoreFailed: Error {}

    private final class Store: BirthdayStore {
        private let counted = Locked<Set<String>>([])

        func count(_ user: String) throws -> Bool {
            if user == "away" { throw StoreFailed() }
            return counted.withLock { $0.insert(user).inserted }
        }
    }

    @Test func eachDeliveryHasAnOutcomeOfItsOwn() {
        let bodies: [[UInt8]] = ["mia", "mia", "away"].map { Array($0.utf8) } + [[0xFF]]
        let deliveries = bodies.enumerated().map { index, body in
            Delivery(
                id: DeliveryID(session: 1, tag: UInt64(index + 1)),
                message: Message(body: body),
                redelivered: false,
                receivedAt: .now
            )
        }
        let context = HandlerContext(slot: 0, drain: DrainSignal())
        let outcomes = BirthdayHandler(store: Store()).handle(deliveries, in: context)
        #expect(
            outcomes == [
                .done, .duplicate,
                .retry(Failure(code: "NOT_COUNTED", reason: "the store failed")),
                .deadLetter(Failure(code: "INVALID_USER", reason: "it is not UTF-8")),
            ]
        )
    }
}
