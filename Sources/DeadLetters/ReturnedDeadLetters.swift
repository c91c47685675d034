import AMQP
import Concurrency
import Foundation
import Logging
import Messaging
import Postgres
import QueueAccess

/// Gives dead letters back to their queue without loss: what may return to its place does so when
/// the pass closes, and of the others a copy is published to the queue's end and confirmed before
/// the original is removed. Stays with the thread of its pass.
final class ReturnedDeadLetters {
    private let queue: String
    private let makePublisher: () -> Publisher
    private var publisher: Publisher?
    private var moving = 0
    private let answers = Locked<[(QueuePass.Entry, Publisher.Result)]>([])
    private let answered = MonotonicSemaphore(value: 0)
    private var stranded = 0

    /// Chosen: hides the round trip of a confirm, and is all that a crash may double.
    private static let mostMoving = 100

    init(to queue: String, by makePublisher: @escaping () -> Publisher) {
        self.queue = queue
        self.makePublisher = makePublisher
    }

    func give(back entry: QueuePass.Entry, _ pass: inout QueuePass) throws(AMQPError) {
        if entry.mayReturn { return }
        while moving >= Self.mostMoving { try takeAnswer(&pass) }
        if publisher == nil {
            publisher = makePublisher()
            publisher?.start()
        }
        moving += 1
        publisher?.publish(Self.copy(of: entry.message), routingKey: queue) {
            [answers, answered] result in
            answers.withLock { $0.append((entry, result)) }
            answered.signal()
        }
    }

    /// Waits until every copy is confirmed.
    ///
    /// - Returns: how many dead letters have no copy, and so return to their place.
    func finish(_ pass: inout QueuePass) throws(AMQPError) -> Int {
        while moving > 0 { try takeAnswer(&pass) }
        return stranded
    }

    func stop() { publisher?.stop() }

    private func takeAnswer(_ pass: inout QueuePass) throws(AMQPError) {
        // Chosen: a broker that confirms nothing for this long is not well.
        guard answered.wait(atMost: .seconds(30)) else {
            stranded += moving
            moving = 0
            return
        }
        moving -= 1
        guard let (entry, result) = answers.withLock({ $0.popLast() }) else { return }
        switch result {
        case .confirmed: try pass.remove(entry, hasCopy: true)
        case .returned, .refused, .abandoned: stranded += 1
        }
    }

    private static func copy(of message: Message) -> Message {
        var message = message
        message.properties.headers = message.properties.headers.filter {
            HeaderName.travels($0.key)
        }
        return message
    }
}

/// Dead letters that have left the queue, whose rows are settled in batches. Stays with its thread.
final class SettledDeadLetters {
    private let how: DeadLetter.State
    private let table: DeadLetterTable
    private let logger: Logger
    private var open: [String: Int] = [:]
    private(set) var count = 0
    private(set) var ids: Set<String> = []

    /// Chosen: all that a crash leaves to be found gone.
    private static let batch = 200

    init(_ how: DeadLetter.State, in table: DeadLetterTable, _ logger: Logger) {
        self.how = how
        self.table = table
        self.logger = logger
    }

    func add(_ id: String) {
        count += 1
        ids.insert(id)
        open[id, default: 0] += 1
        if open.count >= Self.batch { flush() }
    }

    /// What cannot be settled is found to be gone later.
    func flush() {
        if open.isEmpty { return }
        do throws(PostgresError) {
            try table.settle(open, as: how)
        } catch {
            // Without the table there are no rows.
            logger.log(
                level: error.isMissingOrForbidden ? .debug : .warning,
                "dead-letters.not-settled",
                metadata: ["error": "\(error)", "letters": .stringConvertible(open.count)]
            )
        }
        open = [:]
    }
}
