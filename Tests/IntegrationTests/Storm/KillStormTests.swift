import Foundation
import TestSupport
import Testing

extension Integration {
    struct KillStorms {
        private static func number(_ name: String, _ preset: Int) -> Int {
            ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? preset
        }

        /// Faults: whatever is killed, a task that was accepted is lost, runs twice at a time, is
        /// charged for the kill, keeps the result of an older run, or leaves processes behind; or
        /// one that kills its workers goes on for ever.
        /// `deploy/dev/kill-storm` runs it at full length.
        @Test(.timeLimit(.minutes(60))) func whateverIsKilledEachTaskEndsOnce() throws {
            let seed = UInt64(Self.number("AMITY_SEED", Int.random(in: 1...1_000_000)))
            let count = Self.number("AMITY_STORM_TASKS", 400)
            print("storm: AMITY_SEED=\(seed), \(count) tasks")
            let storm = try KillStorm(seed: seed)
            try eventually("the first are accepted") {
                try storm.submit(20)
                return !storm.accepted.isEmpty
            }
            var (broker, database, fatal) = (2, 1, 0)
            var next = ContinuousClock.now + .seconds(2)
            while storm.accepted.count < count {
                try storm.submit(min(200, count / 10))
                if fatal <= storm.accepted.count / 5000, try storm.submitFatal() { fatal += 1 }
                let share = Double(storm.accepted.count) / Double(count)
                if broker > 0, share > (broker == 2 ? 0.3 : 0.7) {
                    broker -= 1
                    try Servers.without(.rabbitmq, .kill) { try storm.submit(10) }
                }
                if database > 0, share > 0.5 {
                    database -= 1
                    try Servers.without(.postgres, .kill) {}
                }
                // Submissions and kills go side by side: a kill is due every two seconds.
                try eventually("it is time") { .now >= next }
                next = .now + .seconds(2)
                try storm.kill()
            }
            try storm.finish(within: .seconds(150 + count / 20))
        }
    }
}
