import Foundation
import JSON
import Logging
import SafeText

package enum LogFormat: String, Sendable {
    /// Text on a terminal, JSON elsewhere.
    case auto
    case json
    case text
}

/// Sends all loggers to standard error, one event a line: a static name plus metadata.
///
/// Metadata holds ids, counts, durations and errors that are safe to log; no text of a conversation
/// ever gets here, because no error of ours carries one.
package func bootstrapLogging(format: LogFormat, level: Logger.Level) {
    // A reader that goes away is an error of its write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    let isTerminal = isatty(STDERR_FILENO) == 1
    let asJSON = format == .json || (format == .auto && !isTerminal)
    LoggingSystem.bootstrap { label in
        LineLogHandler(label: label, asJSON: asJSON, logLevel: level)
    }
}

/// Writes one line per event with a single system call, so that lines of threads never mix.
struct LineLogHandler: LogHandler {
    let label: String
    let asJSON: Bool
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, event in event }
        let line =
            asJSON
            ? jsonLine(event.level, "\(event.message)", fields)
            : textLine(event.level, "\(event.message)", fields)
        writeToStandardError(line)
    }

    func jsonLine(_ level: Logger.Level, _ event: String, _ fields: Logger.Metadata) -> String {
        var line = #"{"time":"\#(timestamp)","level":"\#(level)","event":\#(quoted(event))"#
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += ",\(quoted(key)):\(json(value))"
        }
        return line + "}\n"
    }

    func textLine(_ level: Logger.Level, _ event: String, _ fields: Logger.Metadata) -> String {
        let pairs = fields.sorted { $0.key < $1.key }.map { key, value in
            let text = plain(value)
            let isPlain =
                text.isPrintable
                && text.allSatisfy { !$0.isWhitespace && $0 != "\"" && $0 != "=" }
            return " \(key.printable)=\(isPlain ? text : quoted(text))"
        }
        return "\(timestamp) \(level.rawValue.uppercased()) \(event.printable)\(pairs.joined())\n"
    }

    private var timestamp: String {
        Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// A value with its type: lists, numbers and booleans as such.
    private func json(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): return quoted(text)
        case .stringConvertible(let value): return literal(value) ?? quoted("\(value)")
        case .array(let values): return "[\(values.map(json).joined(separator: ","))]"
        case .dictionary(let fields):
            let members = fields.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(json($1))" }
            return "{\(members.joined(separator: ","))}"
        }
    }

    private func plain(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let value): literal(value) ?? "\(value)"
        case .array(let values): values.map(plain).joined(separator: ",")
        case .dictionary: json(value)
        }
    }

    /// nil for what is neither a number nor a boolean, and for a number that JSON has no form for.
    private func literal(_ value: any CustomStringConvertible) -> String? {
        switch value {
        case let number as any BinaryInteger: "\(number)"
        case let isTrue as Bool: isTrue ? "true" : "false"
        case let number as Double where number.isFinite: "\(rounded(number))"
        case _: nil
        }
    }

    /// To three decimals, or to three digits where there is nothing before the
    /// point: the rest is noise.
    private func rounded(_ number: Double) -> Double {
        let size = abs(number)
        // Beyond that it has no three decimals.
        guard size > 0, size < 1e12 else { return number }
        let scale = size >= 1 ? 1000 : pow(10, 2 - floor(log10(size)))
        return scale.isFinite ? (number * scale).rounded() / scale : number
    }

    /// A JSON string. Encoding a string cannot fail.
    private func quoted(_ text: String) -> String {
        JSONEncoder.stored.certainText(text).printableJSON
    }
}

/// Writes to standard error and loses what it does not take: a full disk or a reader that has gone
/// must not stop a worker.
package func writeToStandardError(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        if written < 0 && errno == EINTR { continue }
        if written <= 0 { return }
        rest = rest.dropFirst(written)
    }
}
