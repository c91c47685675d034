/// A series' name as it stands in the text.
struct SampleName {
    let metric: String
    /// `name="value",…`, sorted by name, without the braces; empty when there are none.
    let labels: String
    private let names: [String]

    init(metric: String, labels: [(String, String)]) {
        self.metric = metric
        let sorted = labels.map { (ExpositionText.labelName($0.0), $0.1) }.sorted { $0.0 < $1.0 }
        names = sorted.map(\.0)
        self.labels = sorted.map { "\($0.0)=\"\(ExpositionText.escaped(value: $0.1))\"" }
            .joined(separator: ",")
    }

    /// The series that stands for all for which there is no room.
    var withoutDetail: SampleName {
        SampleName(metric: metric, labels: names.map { ($0, "other") })
    }

    /// What a line of the text begins with, the blank before the value included.
    ///
    /// - Parameter bound: of a histogram's bucket.
    func sample(suffix: String = "", bound: String? = nil) -> String {
        let all = [labels, bound.map { "le=\"\($0)\"" } ?? ""].filter { !$0.isEmpty }
        let braces = all.isEmpty ? "" : "{\(all.joined(separator: ","))}"
        return "\(metric)\(suffix)\(braces) "
    }
}

/// What the format allows, and how it writes it.
enum ExpositionText {
    /// A metric's name with `_` for every character that may not be in one.
    static func name(_ text: String) -> String { sanitized(text, allowing: ":") }

    static func labelName(_ text: String) -> String { sanitized(text, allowing: "_") }

    private static func sanitized(_ text: String, allowing other: Character) -> String {
        let name = String(
            text.map { character in
                let isAllowed =
                    character.isASCII && (character.isLetter || character.isNumber)
                    || character == "_" || character == other
                return isAllowed ? character : "_"
            }
        )
        return name.first?.isNumber ?? true ? "_\(name)" : name
    }

    static func escaped(value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }

    static func escaped(help: String) -> String {
        help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Whole numbers without a fraction, as long as every one of them has a form of its own.
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return value.description
    }
}
