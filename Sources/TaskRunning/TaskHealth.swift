import Concurrency
import Logging
import Postgres
import Storage
import WorkerHealth

/// What tasks suffer from in the database: told to the worker's health and its log.
struct TaskHealth: Sendable {
    let links: LinkHealth
    let logger: Logger
    /// Raised when the worker has ended: no thread tries on.
    let end = DrainSignal()

    /// An error that is no outage is met by few rows, and comes again. Chosen.
    private static let tries = 5
    /// One that loses a race, or waits too long, may come through the next time. Chosen.
    private static let triesOfRaces = 50
    /// As long as any outage: what ends it is the drain.
    private static let longest = Duration.seconds(365 * 86_400)

    /// Does it, again and again while the database is away. Blocks the calling thread.
    ///
    /// - Parameters:
    ///   - drain: ends the tries; nil for the end of the worker.
    ///   - isOwn: whether an error is the work's own matter, although it looks like an outage.
    /// - Returns: nil where it could not be done.
    func persist<R>(
        until drain: DrainSignal?,
        isOwn: (PostgresError) -> Bool = { _ in false },
        _ body: () throws(PostgresError) -> R
    ) -> R? {
        var persistence = Persistence(until: drain ?? end)
        var (failures, races) = (0, 0)
        while true {
            do throws(PostgresError) {
                let value = try body()
                if failures > 0 { works() }
                return value
            } catch {
                failed(error)
                switch error.kind {
                case _ where isOwn(error): failures += 1
                case _ where error.isOutage || error.endsSession: break
                case .conflict, .timeout: races += 1
                case _: failures += 1
                }
                if failures >= Self.tries || races >= Self.triesOfRaces { return nil }
            }
            if !persistence.mayTryAgain(within: Self.longest) { return nil }
        }
    }

    /// A part of the link of its own: other components know better whether the database works for
    /// them.
    private static let subject = "task runs"

    func failed(_ error: PostgresError) {
        var problem = error.problem
        problem.subject = Self.subject
        links.failed(problem, logging: "tasks.database-failed", to: logger)
    }

    func works() {
        links.works(.database, Self.subject, logging: "tasks.database-restored", to: logger)
    }
}
