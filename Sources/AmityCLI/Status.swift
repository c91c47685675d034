import ArgumentParser
import Concurrency
import Daemon
import Foundation
import JSON
import Operations

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is queued, running and failing, by worker.",
        discussion: """
            Asks the broker and the database. Where one of them is away it shows what the other \
            knows, names what is missing, and exits with 69.
            """
    )

    @Flag(help: "One JSON object, with --watch one a line, instead of tables.")
    var json = false

    @Option(
        name: .customLong("watch"),
        defaultAsFlag: 2,
        help: "Show it again every so many seconds, 1 to 3600, until Ctrl-C."
    )
    var interval: Int?

    func validate() throws {
        if let interval, !(1...3600).contains(interval) {
            throw ValidationError("--watch takes 1 to 3600 seconds")
        }
    }

    func run() async throws {
        let settings = try start()
        let json = json
        let interval = interval
        let isComplete = try await onThread(named: "amity-status", stackBytes: 16 << 20) {
            var reporter = StatusReporter(
                options: settings.queue,
                database: settings.database
            )
            if let interval { try LiveView(asJSON: json).run(&reporter, every: interval) }
            let report = reporter.report()
            print(try Self.text(report, asJSON: json))
            return report.isComplete
        }
        if !isComplete { throw ExitStatus.unavailable }
    }

    static func text(_ report: StatusReport, asJSON: Bool) throws -> String {
        asJSON
            ? try JSONEncoder.api.text(report)
            : StatusText(report).lines.joined(separator: "\n")
    }
}

/// Shows reports over and over, on a terminal in place, until the process is told to end.
struct LiveView {
    private let asJSON: Bool
    /// Drawn in place; elsewhere one report follows the other.
    private let isScreen: Bool

    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    init(asJSON: Bool) {
        self.asJSON = asJSON
        isScreen = !asJSON && isatty(STDOUT_FILENO) == 1
    }

    /// Returns only with an error.
    func run(_ reporter: inout StatusReporter, every seconds: Int) throws -> Never {
        let signals = leaveOnSignal()
        defer { signals.forEach { $0.cancel() } }
        if isScreen { show(Self.enter) }
        while true {
            let begin = ContinuousClock.now
            let report = reporter.report()
            if isScreen {
                show(frame(StatusText(report).lines))
            } else {
                show(try Status.text(report, asJSON: asJSON) + (asJSON ? "\n" : "\n\n"))
            }
            let rest = ContinuousClock.now.duration(to: begin + .seconds(seconds))
            Thread.sleep(forTimeInterval: max(0.1, rest / .seconds(1)))
        }
    }

    /// The terminal is as it was, whatever the loop is waiting for.
    private func leaveOnSignal() -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [self] in
                if isScreen { show(Self.leave) }
                // Ctrl-C is how one ends a live view; the rest is as a shell reports it.
                _exit(number == SIGINT ? 0 : 128 + number)
            }
            source.resume()
            return source
        }
    }

    /// The lines in place of those before, no more and no longer than the screen takes.
    private func frame(_ lines: [String]) -> String {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
        let (rows, columns) = isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
        let shown = lines.prefix(rows).map { $0.prefix(columns) + "\u{1B}[K" }
        return "\u{1B}[H" + shown.joined(separator: "\n") + "\u{1B}[J"
    }

    /// With one call, so that a frame is not torn. Who reads no more ends it.
    private func show(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            if written <= 0 { _exit(EXIT_SUCCESS) }
            rest = rest.dropFirst(written)
        }
    }
}
