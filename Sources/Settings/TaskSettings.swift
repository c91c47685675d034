import Events
import Foundation
import HTTPCalling
import TaskHandlers
import TaskTypes
import Tasks

/// What a worker is told of tasks.
package struct TaskSettings: Sendable {
    package struct EmbeddingService: Sendable {
        package var baseURL: String
        package var model: String
        package var key: String?
    }

    /// Whose tasks it runs; empty for none.
    package var pools: [String]
    package var threads: Int
    /// Zero for ever.
    package var retentionDays: Int
    /// Of one pool and priority; 0 for never.
    package var alertQueueDepth: Int
    /// Seconds; 0 for never.
    package var alertWait: Int
    /// By type of task.
    package var commands: [String: CommandsFile.Command] = [:]
    /// What is not public and may be called.
    package var targets = TargetHosts()
    /// nil where it processes no documents.
    package var documentRoot: String?
    package var embeddings: EmbeddingService?
    package var events: EventTopics = []

    init(_ values: SettingValues, _ mistakes: inout [String]) {
        pools = (values.text("TASK_QUEUES") ?? "").split(separator: ",").map(\.trimmed)
        threads = values.integer("TASK_CONCURRENCY")
        retentionDays = values.integer("TASK_RETENTION_DAYS")
        alertQueueDepth = values.integer("ALERT_TASK_QUEUE_DEPTH")
        alertWait = values.integer("ALERT_TASK_WAIT_SECONDS")
        for pool in pools where !TaskType.isPool(pool) {
            mistakes.append(
                """
                TASK_QUEUES: a pool is 1 to 40 of a to z, 0 to 9 and -, several with commas \
                between; "\(pool)" is none
                """
            )
        }
        if Set(pools).count < pools.count {
            mistakes.append("TASK_QUEUES: name each pool once")
        }
        if let topics = EventTopics(values.text("EVENTS") ?? "off") {
            events = topics
        } else {
            mistakes.append(
                "EVENTS: use off, tasks, scores, or tasks,scores; its value is none of them"
            )
        }
        readCommands(values.text("TASK_COMMANDS"), &mistakes)
        do throws(TargetHosts.Mistake) {
            targets = try TargetHosts(values.text("HTTP_TARGET_HOSTS") ?? "")
        } catch {
            mistakes.append("HTTP_TARGET_HOSTS: \(error)")
        }
        documentRoot = values.text("DOCUMENT_ROOT")
        if let documentRoot, !documentRoot.hasPrefix("/") {
            mistakes.append("DOCUMENT_ROOT: give an absolute path")
        }
        readEmbeddings(values, &mistakes)
    }

    private mutating func readCommands(_ path: String?, _ mistakes: inout [String]) {
        guard let path else { return }
        guard let json = FileManager.default.contents(atPath: path) else {
            mistakes.append("TASK_COMMANDS: the file cannot be read")
            return
        }
        do throws(CommandsFile.Problems) {
            commands = try CommandsFile(json).commands
        } catch {
            mistakes += error.list.map { "TASK_COMMANDS: \($0.pointer) \($0.message)" }
        }
    }

    private mutating func readEmbeddings(_ values: SettingValues, _ mistakes: inout [String]) {
        guard let baseURL = values.text("EMBEDDINGS_BASE_URL") else { return }
        guard let model = values.text("EMBEDDINGS_MODEL") else {
            mistakes.append("EMBEDDINGS_MODEL: set it, as EMBEDDINGS_BASE_URL is set")
            return
        }
        if !baseURL.hasPrefix("http://") && !baseURL.hasPrefix("https://") {
            mistakes.append("EMBEDDINGS_BASE_URL: give a URL that begins with https:// or http://")
        }
        embeddings = EmbeddingService(
            baseURL: baseURL,
            model: model,
            key: values.text("EMBEDDINGS_API_KEY")
        )
    }
}
