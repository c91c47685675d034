import Tasks

/// What is known of a kind of task: where it runs, by what, and with which limits.
package struct TaskType: Sendable, Equatable {
    package enum Handler: Sendable, Equatable {
        /// Swift code in the worker.
        case swift
        /// A service that is called. `secret` names the environment variable with its key.
        case http(url: String, secret: String?)
        /// A command of the worker's own file.
        case command
    }

    package var name: String
    package var pool: String
    package var priority: Priority
    package var handler: Handler
    /// Of a run, in seconds.
    package var timeout: Int
    package var retryLimit: Int
    package var limit: TaskLimit?

    package init(
        name: String,
        pool: String = defaultPool,
        priority: Priority = .normal,
        handler: Handler,
        timeout: Int = RetryRule.timeout,
        retryLimit: Int = RetryRule.retryLimit
    ) {
        self.name = name
        self.pool = pool
        self.priority = priority
        self.handler = handler
        self.timeout = timeout
        self.retryLimit = retryLimit
    }

    package static let defaultPool = "default"
    /// What every worker can do. A row of `amity_task_types` with the same name changes where such
    /// a type runs, and its limits.
    package static let builtIn = ["benchmark", "document_processing", "test"].map {
        TaskType(name: $0, handler: .swift)
    }

    /// Those that are built in and those of the table, by name.
    package static func all(applying rows: [TaskType]) -> [TaskType] {
        let types = Dictionary(
            (builtIn + rows).map { ($0.name, $0) },
            uniquingKeysWith: { _, row in row }
        )
        return types.values.sorted { $0.name < $1.name }
    }

    package static let timeouts = 1...86_400
    package static let retryLimits = 0...100
    /// Names of this kind are for what is built in.
    package static let ownPrefix = "amity."
    package static let secretPrefix = "TASK_SECRET_"

    /// A pool's name is part of queues' names.
    package static func isPool(_ name: String) -> Bool {
        (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy { isSmallOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    package static let nameRule =
        "has 1 to 100 characters: a to z, A to Z, digits, dots, hyphens, underscores; not . or .."

    /// Names are parts of paths, out of which clients drop `.` and `..`.
    package static func isName(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { isSmallOrDigit($0 | 0x20) || "._-".utf8.contains($0) }
    }

    private static func isSmallOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension NewTask {
    /// As its type says.
    package init(_ type: TaskType, payload: String) {
        self.init(type: type.name, pool: type.pool, payload: payload)
        priority = type.priority
        (retryLimit, timeout) = (type.retryLimit, type.timeout)
        limitedBy = type.limit?.key.text
    }
}
