/// What counts where a service gives no number.
package enum AnalysisFallback: String, Sendable {
    case builtIn = "built-in"
    /// As the Python service has it.
    case zeros
    /// The message is tried again later.
    case retry
}
