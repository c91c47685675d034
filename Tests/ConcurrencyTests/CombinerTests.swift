import Concurrency
import Glibc
import Testing

struct CombinerTests {
    /// Holds the first go until it is opened, and notes what each go was asked.
    private final class Held: Sendable {
        let goes = Locked<[[Int]]>([])
        let begun = MonotonicSemaphore(value: 0)
        let gate = MonotonicSemaphore(value: 0)
        let answers = Locked<[Int: String]>([:])
        let done = MonotonicSemaphore(value: 0)

        func combiner(limit: Int) -> Combiner<Int, String> {
            Combiner(limit: limit) { [self] requests in
                goes.withLock { $0.append(requests) }
                begun.signal()
                gate.wait()
                return requests.map { "\($0)" }
            }
        }

        func ask(_ combiner: Combiner<Int, String>, _ requests: ClosedRange<Int>) {
            for request in requests {
                startThread(name: "asks", stackBytes: 1 << 18) { [self] in
                    let answer = combiner.answer(to: request)
                    answers.withLock { $0[request] = answer }
                    done.signal()
                }
            }
        }
    }

    /// Faults: a thread gets another one's answer, or none; what comes meanwhile is done one by
    /// one, or more of it at a time than may be.
    @Test func whatComesMeanwhileIsDoneTogether() {
        let held = Held()
        let combiner = held.combiner(limit: 4)
        held.ask(combiner, 1...1)
        held.begun.wait()
        held.ask(combiner, 2...7)
        while combiner.waiting < 6 { sched_yield() }
        for _ in 0..<3 { held.gate.signal() }
        for _ in 1...7 { held.done.wait() }
        let goes = held.goes.withLock(\.self)
        #expect(goes.map(\.count) == [1, 4, 2])
        #expect(Set(goes.flatMap(\.self)) == Set(1...7))
        let answers = held.answers.withLock(\.self)
        #expect(answers == Dictionary(uniqueKeysWithValues: (1...7).map { ($0, "\($0)") }))
        #expect(combiner.waiting == 0)
    }

    /// Fault: after the first go nothing is done any more, or a thread alone waits for others.
    @Test func oneAfterTheOtherIsAnsweredAtOnce() {
        let combiner = Combiner<Int, Int>(limit: 4) { $0.map { $0 + 1 } }
        for number in 0..<3 { #expect(combiner.answer(to: number) == number + 1) }
    }
}
