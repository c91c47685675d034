import Tasks

/// Answers its payload: for a first try.
package struct EchoHandler: RunHandler {
    package let isInProcess = true
    package let needsToken = false

    package init() {}

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        .completed(result: task.payload)
    }
}

/// Does nothing: what is left is Amity's own work.
package struct EmptyHandler: RunHandler {
    package let isInProcess = true
    package let needsToken = false

    package init() {}

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        .completed(result: nil)
    }
}

extension HandlerSet {
    /// What every worker can run.
    package static let builtIn = HandlerSet(
        swift: ["test": EchoHandler(), "benchmark": EmptyHandler()]
    )
}
