import JSON
import TaskRunning
import Tasks

/// Reads what a command writes to its standard output, JSON lines: `{"progress":65,"note":"…"}` as
/// often as it likes, and at last `{"result":…}` or
/// `{"error":{"code":"NO_SUCH_FILE","message":"…","retry":false}}`. Pure.
struct CommandOutput {
    /// Why a command's output is not taken. Holds nothing of it.
    enum Refusal: Error {
        case lineTooLong
        case notJSON
        /// Another object than those above.
        case unknownLine
        case lineAfterLast
    }

    /// How it says that it ends.
    enum Last: Equatable {
        /// JSON.
        case result(String)
        case error(code: String, message: String, retries: Bool)
    }

    /// How far it is.
    struct Report: Equatable {
        var percent: Int?
        var note: String?
    }

    private enum Line {
        case report(Report)
        case last(Last)
    }

    /// In bytes, without its end.
    static let longestLine = 64 << 10

    private(set) var last: Last?
    private var rest: [UInt8] = []

    /// - Returns: what it reports in these bytes.
    mutating func take(
        _ bytes: some Collection<UInt8>
    ) throws(Refusal) -> [Report] {
        rest += bytes
        var (reports, start): ([Report], Int) = ([], 0)
        while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
            if let report = try takeLine(rest[start..<end]) { reports.append(report) }
            start = end + 1
        }
        rest.removeFirst(start)
        if rest.count > Self.longestLine { throw .lineTooLong }
        return reports
    }

    /// Its last line may have no end.
    mutating func finish() throws(Refusal) -> [Report] {
        let line = rest
        rest = []
        return line.isEmpty ? [] : try takeLine(line[...]).map { [$0] } ?? []
    }

    private mutating func takeLine(
        _ line: ArraySlice<UInt8>
    ) throws(Refusal) -> Report? {
        if line.count > Self.longestLine { throw .lineTooLong }
        if last != nil { throw .lineAfterLast }
        switch try Self.read(line) {
        case .report(let report): return report
        case .last(let last): self.last = last
        }
        return nil
    }

    private static func read(_ line: ArraySlice<UInt8>) throws(Refusal) -> Line {
        do {
            let found = try JSONReader.read(line) { json throws(JSONReader.Malformed) in
                try read(&json)
            }
            guard let found else { throw Refusal.unknownLine }
            return found
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw .notJSON
        }
    }

    /// - Returns: nil for what is JSON and no such line.
    private static func read(_ json: inout JSONReader) throws(JSONReader.Malformed) -> Line? {
        guard json.nextKind() == .object else {
            try json.skip()
            return nil
        }
        var (percent, note): (Int?, String?) = (nil, nil)
        var last: Last?
        var isKnown = true
        try json.enter()
        while let key = try json.nextKey() {
            switch key.string {
            case "progress":
                percent = Double(text(try json.readRaw())).map { Int(min(max($0, 0), 100)) }
                isKnown = isKnown && percent != nil
            case "note" where json.nextKind() == .string: note = try json.readText().string
            case "result": last = .result(text(try json.readRaw()))
            case "error" where json.nextKind() == .object:
                last = try error(&json)
                isKnown = isKnown && last != nil
            case _:
                try json.skip()
                isKnown = false
            }
        }
        if !isKnown { return nil }
        if let last { return percent == nil && note == nil ? .last(last) : nil }
        return percent == nil && note == nil ? nil : .report(Report(percent: percent, note: note))
    }

    /// - Returns: nil without a code of capitals, digits and underscores.
    private static func error(_ json: inout JSONReader) throws(JSONReader.Malformed) -> Last? {
        var (code, message, retries): (String?, String, Bool?) = (nil, "", true)
        try json.enter()
        while let key = try json.nextKey() {
            switch key.string {
            case "code" where json.nextKind() == .string: code = try json.readText().string
            case "message" where json.nextKind() == .string:
                message = try json.readText().string ?? ""
            case "retry": retries = Bool(text(try json.readRaw()))
            case _: try json.skip()
            }
        }
        guard let code, let retries, code.wholeMatch(of: /[A-Z][A-Z0-9_]{0,63}/) != nil else {
            return nil
        }
        return .error(code: code, message: message, retries: retries)
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

/// How a command has ended.
struct CommandEnd {
    enum Status: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    var status: Status
    var last: CommandOutput.Last?
    /// Bytes of its standard error, which nothing else is known of.
    var errorBytes: Int

    var runEnd: RunEnd {
        switch (status, last) {
        case (_, .error(let code, let message, let retries)):
            .failed(code: code, message: message, retries: retries)
        case (.exit(0), .result(let result)): .completed(result: result)
        case (.exit(0), nil): .completed(result: nil)
        case (.exit(let code), _): failure("COMMAND_EXIT_\(code)", Self.meaning(of: code))
        case (.signal(let number), _):
            failure("COMMAND_SIGNAL_\(number)", "the command was ended by signal \(number)")
        }
    }

    private func failure(_ code: String, _ message: String) -> RunEnd {
        let dropped =
            errorBytes == 0 ? "" : "; \(errorBytes) bytes of standard error were dropped"
        return .failed(code: code, message: message + dropped, retries: true)
    }

    /// As the command line has it, too.
    private static func meaning(of code: Int32) -> String {
        switch code {
        case 126: "the command cannot be started, or ended with status 126"
        case 127: "the command is not there, or ended with status 127"
        case _: "the command ended with status \(code)"
        }
    }
}

extension CommandOutput.Refusal {
    var runEnd: RunEnd {
        let message =
            switch self {
            case .lineTooLong: "the command wrote a line of over 64 KB"
            case .notJSON: "the command wrote a line that is no JSON"
            case .unknownLine:
                "the command wrote a line that is no object with progress, result or error"
            case .lineAfterLast: "the command wrote a line after its result or error"
            }
        return .failed(.outputRefused, message, retries: false)
    }
}
