// AnalysisServices: the chat model and the memory service, with their limits, retries and circuit
// breakers.
//
// It sends texts to the addresses of the settings and nowhere else; no error or log line quotes
// them.

import Concurrency
import CoreMetrics
import FriendshipScoring
import Logging
import WorkerHealth

/// A conversation to be asked about.
package struct Talk: Sendable {
    package var conversationID: String
    package var userID: String
    package var log: ConversationLog

    package init(conversationID: String, userID: String, log: ConversationLog) {
        self.conversationID = conversationID
        self.userID = userID
        self.log = log
    }
}

/// What the services answered; nil for one that was not asked.
package struct ServiceAnswers: Sendable {
    package var chat: Result<ChatAnswer, ServiceError>?
    package var memories: Result<Int, ServiceError>?

    package init(
        chat: Result<ChatAnswer, ServiceError>? = nil,
        memories: Result<Int, ServiceError>? = nil
    ) {
        self.chat = chat
        self.memories = memories
    }
}

/// The chat model and the memory service, asked side by side.
package final class AnalysisServices: Sendable {
    private struct Calls {
        var running: [Int: Task<Void, Never>] = [:]
        var next = 0
        var isStopped = false
    }

    private let chat: ChatModel
    private let memory: MemoryService?
    private let exchange: HTTPExchange
    private let calls = Locked(Calls())

    /// - Parameters:
    ///   - memory: nil where there is none.
    ///   - health: records the problems of each service.
    package init(
        chat: ServiceSettings,
        model: String,
        memory: ServiceSettings?,
        health: LinkHealth = LinkHealth(),
        metrics factory: any MetricsFactory = MetricsSystem.factory,
        logger: Logger
    ) {
        let exchange = HTTPExchange(connections: chat.concurrency + (memory?.concurrency ?? 0))
        self.exchange = exchange
        func caller(of service: Service, _ settings: ServiceSettings) -> ServiceCaller {
            ServiceCaller(
                service: service,
                settings: settings,
                exchange: exchange,
                health: health,
                metrics: ServiceMetrics(of: service, in: factory),
                logger: logger
            )
        }
        self.chat = ChatModel(caller: caller(of: .chatModel, chat), model: model)
        self.memory = memory.map { MemoryService(caller: caller(of: .memoryService, $0)) }
    }

    /// Whether every service would refuse a call now.
    package var refuse: Bool { chat.refuses && memory?.refuses ?? true }

    /// Asks, and calls `answered` once, from a thread that must not be blocked. Returns at once.
    /// It has no time limit, because requests may queue before a service: the caller limits it by
    /// cancelling the task that this returns.
    ///
    /// - Parameters:
    ///   - chat: whether to ask for questions and emotion.
    ///   - memories: whether to ask for memories, where there is a service for them.
    package func ask(
        about talk: Talk,
        chat: Bool,
        memories: Bool,
        _ answered: @escaping @Sendable (ServiceAnswers) -> Void
    ) -> Task<Void, Never> {
        calls.withLock { calls in
            let id = calls.next
            calls.next += 1
            let task = Task { [self] in
                async let chat = chat ? askChat(about: talk) : nil
                async let memories = memories ? askMemory(about: talk) : nil
                let answers = await ServiceAnswers(chat: chat, memories: memories)
                self.calls.withLock { _ = $0.running.removeValue(forKey: id) }
                answered(answers)
            }
            // Still locked, so that its end comes after this.
            calls.running[id] = task
            if calls.isStopped { task.cancel() }
            return task
        }
    }

    /// Gives up what is under way, and whatever is asked from now on.
    package func cancel() {
        calls.withLock { calls in
            calls.isStopped = true
            for task in calls.running.values { task.cancel() }
        }
    }

    /// Gives up what is under way and closes the connections.
    package func stop() {
        cancel()
        exchange.stop()
    }

    private func askChat(about talk: Talk) async -> Result<ChatAnswer, ServiceError>? {
        do throws(ServiceError) {
            return .success(try await chat.ask(about: talk.log))
        } catch {
            return .failure(error)
        }
    }

    private func askMemory(about talk: Talk) async -> Result<Int, ServiceError>? {
        guard let memory else { return nil }
        do throws(ServiceError) {
            return .success(try await memory.ask(about: talk))
        } catch {
            return .failure(error)
        }
    }
}
