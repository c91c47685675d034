import ArgumentParser
import Benchmark
import Foundation

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure workers next to what the database and the broker allow.",
        discussion: """
            Fills a queue, lets workers empty it, and says how fast, at what cost and with what \
            delay, next to pgbench doing the same work. Starts private servers with \
            deploy/dev/servers; or uses those that RABBITMQ_URL and DATABASE_URL name in the \
            environment, in a schema and a queue of its own that are gone afterwards. Asks first \
            where those are not this machine's.
            """
    )

    @Flag(help: "Measure tasks instead: TASK_CONCURRENCY as --threads says.")
    var tasks = false

    @Option(help: "Conversations in a run, of twenty items each; with --tasks, tasks.")
    var conversations = 20_000

    @OptionGroup var load: LoadOptions

    @Option(help: "MESSAGE_CONCURRENCY_PER_WORKER to try, with commas between.")
    var threads = CountList([10])

    @Flag(help: "Try MESSAGE_CONCURRENCY_PER_WORKER=auto, too. It needs some tens of seconds.")
    var auto = false

    @Option(help: "BATCH_MAX to try. (default: 1,64,128; with an analyser that waits 1)")
    var batch: CountList?

    @Option(
        help: "What an analyser takes for each conversation, in seconds. (default: there is none)"
    )
    var analyserSeconds: Double?

    @Option(help: "Numbers of workers to try.")
    var replicas = CountList([1])

    @Option(help: "Measure everything this many times, in turn; medians count.")
    var `repeat` = 3

    @Option(
        help: """
            Conversations a second while all is calm. (default: a tenth of what each configuration \
            does)
            """
    )
    var calmRate: Int?

    @Flag(help: "JSON instead of a table.")
    var json = false

    @Flag(help: "Do not ask before using servers that are not this machine's.")
    var yes = false

    func validate() throws {
        try validateAmounts(conversations: conversations, users: load.userCount, repeats: `repeat`)
        try validateAnalyser(analyserSeconds, batch)
        if let calmRate, !(10...10_000).contains(calmRate) {
            throw ValidationError("--calm-rate takes 10 to 10000")
        }
        let isOfConversations =
            batch != nil || analyserSeconds != nil || replicas.values != [1] || auto
            || calmRate != nil || load.users != nil || load.workload != .plain
        if tasks, isOfConversations {
            throw ValidationError("--tasks takes --conversations, --threads and --repeat alone")
        }
    }

    func run() throws {
        try askForConsentToMeasure(isGiven: yes)
        if tasks {
            let bench = TaskBench(tasks: conversations, repeats: `repeat`, threads: threads.values)
            let report = try measuring { try bench.run() }
            return print(json ? try report.json : report.text)
        }
        let batches = batch ?? CountList(analyserSeconds == nil ? [1, 64, 128] : [1])
        let bench = Bench(
            conversations: conversations,
            users: load.userCount,
            workload: load.workload,
            repeats: `repeat`,
            analyserSeconds: analyserSeconds,
            calmRate: calmRate,
            configurations: Configuration.all(
                replicas: replicas.values,
                threads: threads.values,
                batches: batches.values,
                isAutomaticToo: auto,
                waits: analyserSeconds != nil
            )
        )
        let report = try measuring { try bench.run() }
        print(json ? try report.json : report.text)
    }
}

/// What conversations the workers are measured with.
struct LoadOptions: ParsableArguments {
    @Option(
        help: """
            plain: known users, no agents; service: few users, new at first, an agent on every \
            conversation, a service's indexes; legacy: all indexes of the Python service.
            """
    )
    var workload = Workload.plain

    @Option(
        help: "Spread them over this many users. (default: 20000; for service and legacy 2000)"
    )
    var users: Int?

    var userCount: Int { users ?? workload.users }
}

extension Workload: ExpressibleByArgument {}

extension CountList: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }

    public var defaultValueDescription: String {
        values.map(String.init).joined(separator: ",")
    }
}

func validateAmounts(conversations: Int, users: Int, repeats: Int) throws {
    if conversations < 1 { throw ValidationError("--conversations takes 1 or more") }
    if users < 1 { throw ValidationError("--users takes 1 or more") }
    if repeats < 1 { throw ValidationError("--repeat takes 1 or more") }
}

func validateAnalyser(_ seconds: Double?, _ batch: CountList?) throws {
    guard let seconds else { return }
    if !(0.001...20).contains(seconds) {
        throw ValidationError("--analyser-seconds takes 0.001 to 20")
    }
    if let batch, batch.values != [1] {
        throw ValidationError("--batch: with --analyser-seconds batches are of one")
    }
}

/// Cleans up when it is interrupted, and says in one line what went wrong.
func measuring<R>(_ body: () throws -> R) throws -> R {
    Interruption.watch()
    do {
        return try body()
    } catch let error as Interrupted {
        throw ExitCode(128 + error.signal)
    } catch {
        complain("\(error)")
        throw ExitStatus.unavailable
    }
}
