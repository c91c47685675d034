import AnalysisServices
import Conversations
import Logging
import Settings
import WorkerHealth

extension AnalysisSettings {
    /// For the log.
    package var name: String {
        switch mode {
        case .builtIn: "built-in"
        case .zeros: "zeros"
        case .services: "services"
        }
    }

    /// The analyser that the settings ask for.
    ///
    /// - Parameter health: is told what the services suffer from.
    package func analyser(
        health: LinkHealth = LinkHealth(),
        logger: Logger
    ) -> any Analyser {
        switch mode {
        case .builtIn: return builtIn
        case .zeros: return NoAnalyser()
        case .services(let settings):
            for name in settings.plainText {
                logger.warning("analysis.not-encrypted", metadata: ["setting": "\(name)"])
            }
            let services = AnalysisServices(
                chat: settings.chat,
                model: settings.model,
                memory: settings.memory,
                health: health,
                logger: logger
            )
            return ServiceAnalyser(
                services: services,
                model: settings.model,
                asksForMemories: settings.memory != nil,
                standIn: standIn(settings.fallback)
            )
        }
    }

    private var builtIn: any LocalAnalyser { LexicalAnalyser() }

    private func standIn(_ fallback: AnalysisFallback) -> (any LocalAnalyser)? {
        switch fallback {
        case .builtIn: builtIn
        case .zeros: NoAnalyser()
        case .retry: nil
        }
    }
}
