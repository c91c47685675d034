import Messaging
import WorkerRuntime

/// Counts each user's birthday once a year.
protocol BirthdayStore: Sendable {
    /// - Returns: false when it was counted before.
    func count(_ user: String) throws -> Bool
}

/// The handler of messages of type `birthday`, whose body is a user's id.
struct BirthdayHandler: Handler {
    let batchLimit = 1
    let store: any BirthdayStore

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        deliveries.map { delivery in
            guard let user = String(validating: delivery.message.body, as: UTF8.self) else {
                return .deadLetter(Failure(code: "INVALID_USER", reason: "it is not UTF-8"))
            }
            do {
                return try store.count(user) ? .done : .duplicate
            } catch {
                return .retry(Failure(code: "NOT_COUNTED", reason: "the store failed"))
            }
        }
    }

    func record(_ failed: [FailedDelivery], in context: HandlerContext) {}
}
