/// Where the questions, the emotion and the memories of a conversation come from.
package enum AnalyserChoice: Sendable, Equatable {
    /// From nowhere: 0, neutral, 0.
    case none
    /// From the rules that are built in.
    case builtIn

    /// From LLM_ANALYSIS_ENABLED, which teams bring along: not set is not the same as false.
    init(_ values: SettingValues, _ mistakes: inout [String]) {
        switch values.text("LLM_ANALYSIS_ENABLED")?.lowercased() {
        case "false": self = .none
        case "true":
            self = .none
            mistakes.append(
                """
                LLM_ANALYSIS_ENABLED: this version asks no services; leave it out for the built-in \
                analyser, or use false for none
                """
            )
        case _: self = .builtIn
        }
    }

    package var analyser: any Analyser {
        switch self {
        case .none: NoAnalyser()
        case .builtIn: LexicalAnalyser()
        }
    }
}
