import ArgumentParser
import Operations
import SafeText

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask the worker, or the API, on this host whether it is ready; exits 0 or 1.",
        discussion: """
            For container checks. Asks at HTTP_HOST and HTTP_PORT, as the worker's own settings \
            have them, or with --api at API_HOST and API_PORT, and prints what it says.
            """
    )

    @Flag(help: "Ask only whether it is alive: it may be so and wait for its broker.")
    var live = false

    @Flag(help: "Ask the API instead of the worker.")
    var api = false

    @Option(help: "Seconds to wait for an answer, 1 to 60.")
    var timeout = 3

    func validate() throws {
        if !(1...60).contains(timeout) { throw ValidationError("--timeout takes 1 to 60") }
    }

    func run() async throws {
        let probe = HealthProbe(try api ? startAPI().http : start().http)
        let answer = await probe.ask(live ? .live : .ready, timeout: .seconds(timeout))
        if answer.isHealthy { return print(answer.text.printable) }
        complain(answer.text)
        throw ExitCode.failure
    }
}
