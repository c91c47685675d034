import Foundation
import Testing

@testable import TaskAPI
@testable import Tasks

/// How many workers a backlog needs.
struct DemandTests {
    @Test(
        arguments: [
            // backlog, running, seconds, threads, workers
            (0, 0, 5.0, 10.0, 0),
            (0, 1, 5.0, 10.0, 1),
            (1, 0, nil, 10.0, 1),
            // 1,200 seconds of work within 60: twenty threads.
            (600, 0, 2.0, 10.0, 2),
            (600, 5, 2.0, 10.0, 3),
            (600, 0, nil, 10.0, 1),
            // More threads than tasks would wait.
            (12, 0, 3_600.0, 10.0, 2),
            (1_000_000, 0, 0.0, 10.0, 2),
        ] as [(Int, Int, Double?, Double, Int)]
    ) func isMetInTime(
        backlog: Int,
        running: Int,
        seconds: Double?,
        threads: Double,
        workers: Int
    ) {
        let demand = Demand(backlog: backlog, running: running, seconds: seconds, threads: threads)
        #expect(demand.workers(within: 60) == workers)
    }

    /// Fault: what other versions or pools have told counts.
    @Test func knowsTheThreadsOfItsPoolsWorkers() {
        func worker(_ facts: String?) -> WorkerLease {
            WorkerLease(worker: TaskID(firstAt: 1), renewedAt: "", running: 0, facts: facts)
        }
        let workers = [
            worker(#"{"pools":["gpu","default"],"threads":4}"#), worker(nil),
            worker(#"{"pools":["default"],"threads":20}"#), worker(#"{"pools":[],"threads":0}"#),
        ]
        #expect(Demand.threads(of: workers, pool: "gpu") == 4)
        #expect(Demand.threads(of: workers, pool: nil) == 12)
        #expect(Demand.threads(of: workers, pool: "other") == 10)
    }
}
