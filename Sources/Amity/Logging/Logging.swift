import Foundation
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
            line += ",\(quoted(key)):\(isNumber(value) ? "\(value)" : quoted("\(value)"))"
        }
        return line + "}\n"
    }

    func textLine(_ level: Logger.Level, _ event: String, _ fields: Logger.Metadata) -> String {
        let pairs = fields.sorted { $0.key < $1.key }.map { key, value in
            let text = "\(value)"
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

    private func isNumber(_ value: Logger.MetadataValue) -> Bool {
        guard case .stringConvertible(let number) = value else { return false }
        return number is any BinaryInteger || (number as? Double)?.isFinite == true
    }

    /// A JSON string. Encoding a string cannot fail.
    private func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        do {
            return String(decoding: try encoder.encode(text), as: UTF8.self).printableJSON
        } catch {
            preconditionFailure("a string has a JSON form")
        }
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
