// Measures Amity from outside, as its users run it: real workers, a real broker, a real database.
// What is here may start and stop processes and servers; nothing that a worker runs depends on it.

package enum BenchmarkError: Error, Equatable, CustomStringConvertible {
    case onlyOneServerGiven
    case databaseURLNeeded
    case serversScriptMissing
    case failed(program: String, status: Int32, said: String)
    case noFreePort
    case notConfirmed(Int)
    case workerDied(log: String)
    case notLogged(event: String, log: String)
    case tooSlow(String)
    case refused(String, log: String)
    case notFinished(processed: Int, of: Int, log: String)

    package var description: String {
        switch self {
        case .onlyOneServerGiven:
            "set both RABBITMQ_URL and DATABASE_URL, or neither for private servers"
        case .databaseURLNeeded:
            "DATABASE_URL: a URL is needed here, postgresql://user:password@host:port/database"
        case .serversScriptMissing:
            """
            deploy/dev/servers is neither here nor above the program: run it from the package's \
            folder, or set RABBITMQ_URL and DATABASE_URL
            """
        case .failed(let program, let status, let said):
            "\(program) ended with \(status): \(said)"
        case .noFreePort:
            "no port of this machine is free for a worker's HTTP"
        case .notConfirmed(let count):
            "the broker did not confirm \(count) messages"
        case .workerDied(let log):
            "a worker ended before its work was done: \(log)"
        case .notLogged(let event, let log):
            "a worker did not log \(event) within 30 seconds: \(log)"
        case .tooSlow(let what):
            "this machine is too slow \(what)"
        case .refused(let answer, let log):
            "the API did not take a conversation: \(answer); \(log)"
        case .notFinished(let processed, let count, let log):
            "\(processed) of \(count) conversations were done when time was over: \(log)"
        }
    }
}
