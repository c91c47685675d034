import Foundation

/// A problem and all workers that have it: an outage of a server is one cause, not one a worker.
package struct SharedProblem: Sendable, Equatable {
    /// As the worker has it that has had it longest.
    package var problem: WorkerStats.Problem
    /// Their names, in the order of the report.
    package var workers: [String]

    /// Of those that are believed to run, in the order of the links, the oldest first.
    package static func among(_ workers: [WorkerStats]) -> [SharedProblem] {
        var found: [SharedProblem] = []
        for worker in workers where worker.state.isLiving {
            for problem in worker.problems {
                if let index = found.firstIndex(where: { $0.problem.isAlike(problem) }) {
                    found[index].workers.append(worker.name)
                    if problem.since < found[index].problem.since {
                        found[index].problem = problem
                    }
                } else {
                    found.append(SharedProblem(problem: problem, workers: [worker.name]))
                }
            }
        }
        return found
    }
}

extension WorkerStats.Problem {
    fileprivate func isAlike(_ other: WorkerStats.Problem) -> Bool {
        (link, subject, kind, code) == (other.link, other.subject, other.kind, other.code)
    }
}
