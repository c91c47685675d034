import Documents
import HTTPCalling
import Settings
import TaskHandlers
import TaskRunning

extension TaskSettings {
    /// What a worker with these settings can run.
    ///
    /// - Parameters:
    ///   - own: Swift code, by the type's name.
    ///   - environment: the worker's: it has the secrets of services.
    package func handlers(
        own: [String: any RunHandler] = [:],
        environment: [String: String]
    ) -> HandlerSet {
        var handlers = HandlerSet.builtIn
        handlers.swift.merge(own) { _, own in own }
        handlers.commands = commands.mapValues {
            CommandHandler($0, environment: environment)
        }
        if let documentRoot {
            handlers.swift[DocumentHandler.type] = DocumentHandler(
                root: DocumentRoot(documentRoot),
                embeddings: embeddings.map {
                    Embeddings(baseURL: $0.baseURL, model: $0.model, key: $0.key)
                }
            )
        }
        let client = GuardedClient(targets)
        handlers.service = { url, secret in
            HTTPHandler(url: url, secret: secret, environment: environment, client: client)
        }
        handlers.callbacks = { store in
            CallbackHandler(store: store, client: client, environment: environment)
        }
        return handlers
    }
}
