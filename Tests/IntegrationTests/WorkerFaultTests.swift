import Foundation
import Testing

@testable import SampleConversations

extension Integration {
    /// The workers themselves at their worst.
    struct WorkerFaults {
        /// Fault: a worker is suspended for longer than the broker waits (a laptop's lid, a
        /// debugger, a starved machine), and acks under its new session what it was given under the
        /// old one.
        @Test func aSuspendedWorkersLateAcksCountForNothing() throws {
            let scene = try Scene(settings: ["HEARTBEAT_SECONDS": "1"])
            try scene.holdCommits()
            try scene.addConversations(20)
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            let worker = try scene.startWorker()
            try eventually("commits wait") { try scene.isCommitWaiting() }
            worker.signal(SIGSTOP)
            try eventually("the broker has given it up") { try scene.queue.ready() == 20 }
            try scene.release()
            try eventually("what was held is committed") {
                try scene.count("status = 'PROCESSED'") > 0
            }
            #expect(worker.events("consumer.connection-lost").isEmpty, "it was not suspended")
            worker.signal(SIGCONT)
            try worker.resumes(session: 2)
            try scene.expectEachToCountOnce(20, by: worker)
            #expect(worker.events("consumer.connection-lost").count == 1)
        }

        /// Fault: a producer that retries, and messages that overtake each other.
        @Test func threeCopiesInAnyOrderForTwoWorkersCountOnce() throws {
            let scene = try Scene()
            try scene.addConversations(300)
            let ids = (0..<300).map { "c\($0)" }
            var random = SplitMix64(state: 7)
            try scene.publish(ids: (ids + ids + ids).shuffled(using: &random))
            let workers = try (0..<2).map { _ in try scene.startWorker(["BATCH_MAX": "8"]) }
            try scene.expectEachToCountOnce(300, by: workers[0], workers[1])
            for worker in workers { #expect(!worker.events("conversation.scored").isEmpty) }
        }
    }
}
