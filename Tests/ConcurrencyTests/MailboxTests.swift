import Concurrency
import Dispatch
import Synchronization
import TestSupport
import Testing

struct MailboxTests {
    @Test func aBurstRingsOnce() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        for number in 0..<10 { mailbox.post(number) }
        #expect(bell.rings.load(ordering: .relaxed) == 1)
        #expect(mailbox.drain() == Array(0..<10))
        mailbox.post([])
        #expect(bell.rings.load(ordering: .relaxed) == 1)
        mailbox.post(10)
        #expect(bell.rings.load(ordering: .relaxed) == 2)
    }

    /// Fault: a drain that takes first and disarms after. An element posted in between rings no
    /// bell, and stays in the mailbox until the next post.
    @Test func whatIsPostedWhileTheBellIsSilencedIsTaken() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        bell.onSilence.withLock { $0 = { mailbox.post(2) } }
        // It holds the mailbox, which holds the bell.
        defer { bell.onSilence.withLock { $0 = nil } }
        mailbox.post(1)
        #expect(mailbox.drain() == [1, 2])
    }

    /// Fault: a post that falls between the reader's look and its sleep, and wakes no thread. The
    /// reader here sleeps until the bell rings, so a lost ring is a hang that the timeout reports.
    @Test func noPostIsEverOverslept() {
        let bell = CountingBell()
        let mailbox = Mailbox<Int>(bell: bell)
        let (writers, each) = (4, 5_000)
        for writer in 0..<writers {
            DispatchQueue.global().async {
                for number in 0..<each { mailbox.post(writer * each + number) }
            }
        }
        var seen: Set<Int> = []
        while seen.count < writers * each, bell.posted.wait(timeout: .now() + 30) == .success {
            seen.formUnion(mailbox.drain())
        }
        #expect(seen.count == writers * each)
    }
}
