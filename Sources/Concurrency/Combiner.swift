import DequeModule

/// Does in one go what several threads ask for: who finds nothing under way does it, and with it
/// all that has come meanwhile; the others wait for their answers. A thread alone waits for none.
package final class Combiner<Request: Sendable, Answer: Sendable>: Sendable {
    private final class Ticket: Sendable {
        enum Call { case lead, answered(Answer) }

        let request: Request
        private let called = MonotonicSemaphore(value: 0)
        private let answer = Locked<Answer?>(nil)

        init(_ request: Request) { self.request = request }

        func give(_ answer: Answer) {
            self.answer.withLock { $0 = answer }
            called.signal()
        }

        func lead() { called.signal() }

        func wait() -> Call {
            called.wait()
            return answer.withLock(\.self).map(Call.answered) ?? .lead
        }
    }

    private struct State {
        var waiting: Deque<Ticket> = []
        var isBusy = false
    }

    private let state = Locked(State())
    private let limit: Int
    private let perform: @Sendable ([Request]) -> [Answer]

    /// - Parameters:
    ///   - limit: most requests of one go.
    ///   - perform: answers each, in order; called by one thread at a time.
    package init(limit: Int, perform: @escaping @Sendable ([Request]) -> [Answer]) {
        (self.limit, self.perform) = (limit, perform)
    }

    /// How many threads wait for a go.
    package var waiting: Int { state.withLock(\.waiting.count) }

    /// Blocks the calling thread until it has its answer.
    package func answer(to request: Request) -> Answer {
        let ticket = Ticket(request)
        let isFirst = state.withLock { state in
            if state.isBusy {
                state.waiting.append(ticket)
                return false
            }
            state.isBusy = true
            return true
        }
        if !isFirst, case .answered(let answer) = ticket.wait() { return answer }
        let others = state.withLock { state in
            let others = Array(state.waiting.prefix(limit - 1))
            state.waiting.removeFirst(others.count)
            return others
        }
        let answers = perform([request] + others.map(\.request))
        // The next go begins before these threads have woken.
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            state.isBusy = next != nil
            return next
        }
        next?.lead()
        for (other, answer) in zip(others, answers.dropFirst()) { other.give(answer) }
        return answers[0]
    }
}
