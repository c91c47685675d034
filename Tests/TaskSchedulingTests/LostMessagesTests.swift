import Tasks
import Testing

@testable import TaskScheduling

struct LostMessagesTests {
    private let queue = TaskQueue(pool: "default", priority: .normal)

    private func look(
        _ before: Int,
        _ after: Int? = nil,
        ready: Int,
        unclaimed: Int = 0
    ) -> LostMessages.Look {
        LostMessages.Look(
            before: [queue: before],
            after: [queue: after ?? before],
            ready: [queue: ready],
            unclaimed: [queue.name: unclaimed]
        )
    }

    @Test func whatIsMissingInTwoLooksInARowIsLost() {
        var messages = LostMessages()
        #expect(messages.take(look(10, ready: 4, unclaimed: 1)) == [:])
        #expect(messages.take(look(12, ready: 3, unclaimed: 1)) == [queue: 5])
        #expect(messages.take(look(12, ready: 10)) == [queue: 2])
        #expect(messages.take(look(12, ready: 12)) == [:])
        #expect(messages.take(look(12, ready: 10)) == [:])
        messages.forget()
        #expect(messages.take(look(12, ready: 10)) == [:])
    }

    /// Fault: tasks that come or go while a look is taken seem to have lost their messages.
    @Test func whatCameOrWentDuringALookIsNotMissing() {
        var messages = LostMessages()
        for _ in 0..<3 {
            #expect(messages.take(look(10, 20, ready: 10)) == [:])
            #expect(messages.take(look(20, 10, ready: 10)) == [:])
        }
    }

    /// Deliveries of which a worker tells while the queue has them again.
    @Test func moreMessagesThanTasksAreNoMatter() {
        var messages = LostMessages()
        for _ in 0..<3 { #expect(messages.take(look(3, ready: 3, unclaimed: 9)) == [:]) }
    }
}
