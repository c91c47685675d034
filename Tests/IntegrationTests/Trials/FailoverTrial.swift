import Foundation
import Glibc
import TestSupport
import Testing

extension Integration {
    /// The database's primary goes, and its standby is promoted under load. Run by
    /// `deploy/dev/failover-trial`, which starts both; elsewhere these tests are left out.
    @Suite(
        .serialized,
        .enabled(if: DatabasePair.shared != nil, "deploy/dev/failover-trial runs them")
    )
    struct FailoverTrial {
        enum Loss: String, CaseIterable, Sendable {
            /// As in a switch that was planned.
            case stopped
            /// Before it has sent its last commits to the standby.
            case killed
            /// It keeps its connections, and answers nothing on them.
            case frozen
        }

        /// Faults: workers stay with a primary that is gone or answers nothing, an attempt is spent
        /// on it, or what an asynchronous standby has lost stays lost although its row is there.
        @Test(.timeLimit(.minutes(60)), arguments: DatabasePair.seeds)
        func workGoesOnFiveSecondsAfterThePromotion(seed: UInt64) throws {
            var random = SeededGenerator(seed: seed)
            for isSynchronous in [false, true].shuffled(using: &random) {
                for loss in Loss.allCases.shuffled(using: &random) {
                    let pause = Double.random(in: 0...3, using: &random)
                    try lose(loss, isSynchronous: isSynchronous, for: pause, seed: seed)
                }
            }
        }

        /// - Parameter pause: seconds between the loss and the promotion.
        private func lose(
            _ loss: Loss,
            isSynchronous: Bool,
            for pause: Double,
            seed: UInt64
        ) throws {
            let name = "seed \(seed): \(loss), \(isSynchronous ? "synchronous" : "asynchronous")"
            let pair = try #require(DatabasePair.shared)
            let primary = try pair.primary()
            let standby = 3 - primary
            try pair.setSynchronous(isSynchronous, on: primary)
            let load = try TrialLoad(seed: seed)
            try load.waitForWork()
            if loss == .killed, !isSynchronous {
                try pair.holdBack(on: primary)
                let before = try load.scored()
                try eventually("something will be lost") { try load.scored() > before + 50 }
            }
            switch loss {
            case .stopped: try pair.control("stop-node", primary)
            case .killed: try pair.control("kill-node", primary)
            case .frozen: try pair.control("freeze-node", primary)
            }
            let lost = Date()
            Thread.sleep(forTimeInterval: pause)
            try pair.sql("ALTER SYSTEM SET synchronous_standby_names = ''", on: standby)
            try pair.sql("SELECT pg_reload_conf(), pg_promote()", on: standby)
            let promoted = Date()
            // What waits for an answer of a frozen server waits until its deadline.
            let begin =
                loss == .frozen
                ? max(promoted, lost + TrialLoad.deadline / .seconds(1)) : promoted
            let resumed = Result { try load.resumed(after: promoted) }
            try pair.control("rejoin-node", primary)
            if case .failure = resumed { load.showLogs() }
            let seconds = try resumed.get() / .seconds(1)
            #expect(promoted + seconds < begin + 5, "\(name)")
            try eventually("the old primary is a standby", within: .seconds(60)) {
                try pair.sql("SELECT state FROM pg_stat_replication", on: standby) == "streaming"
            }
            try pair.setSynchronous(isSynchronous, on: standby)
            try load.waitForWork()
            let gone = try load.finish()
            print(
                "failover: \(name): on after \((seconds * 10).rounded() / 10) s; "
                    + "\(gone.conversations) conversations and \(gone.tasks) tasks are gone"
            )
            if isSynchronous || loss == .stopped {
                #expect(gone.conversations == 0 && gone.tasks == 0, "\(name)")
            }
        }
    }
}
