import AnalysisServices
import Concurrency
import Foundation
import FriendshipScoring
import Messaging

/// Asks the chat model and the memory service, side by side, and knows what counts where they fail.
package final class ServiceAnalyser: Analyser {
    private let services: AnalysisServices
    /// In the details of a score.
    private let model: String
    private let asksForMemories: Bool
    /// Stands in where a service gives no number; nil to try the message again.
    private let standIn: (any LocalAnalyser)?

    package init(
        services: AnalysisServices,
        model: String,
        asksForMemories: Bool,
        standIn: (any LocalAnalyser)?
    ) {
        self.services = services
        self.model = model
        self.asksForMemories = asksForMemories
        self.standIn = standIn
    }

    /// While the circuits of both services are open, no call waits for them.
    package var isImmediate: Bool { services.refuse }
    package var isSometimesImmediate: Bool { true }
    package var isPaid: Bool { true }

    package func drain(within time: Duration) {
        // Chosen: a fifth is enough to give the messages back.
        Task { [services] in
            do {
                try await Task.sleep(for: time * 0.8)
            } catch {
                // No caller cancels this task; if one did, the calls should end at once.
            }
            services.cancel()
        }
    }

    package func stop() { services.stop() }

    package func analyse(
        _ conversations: [FinishedConversation],
        until limit: ContinuousClock.Instant?
    ) -> [AnalysisAnswer] {
        guard let limit else {
            return conversations.map { conversation in
                var answers = ServiceAnswers()
                let need = Need(of: conversation, asksForMemories)
                if need.chat { answers.chat = .failure(.circuitOpen) }
                if need.memories { answers.memories = .failure(.circuitOpen) }
                return conclude(conversation, answers)
            }
        }
        let answers = Locked<[Int: ServiceAnswers]>([:])
        let arrived = MonotonicSemaphore(value: 0)
        let tasks = conversations.enumerated().map { index, conversation in
            let need = Need(of: conversation, asksForMemories)
            let talk = Talk(
                conversationID: conversation.conversationID,
                userID: conversation.userID,
                log: conversation.log
            )
            return services.ask(about: talk, chat: need.chat, memories: need.memories) { answer in
                answers.withLock { $0[index] = answer }
                arrived.signal()
            }
        }
        // This thread is one of ours: it may block, and what it waits for does not run on it.
        for _ in tasks where !arrived.wait(atMost: ContinuousClock.now.duration(to: limit)) {
            for task in tasks { task.cancel() }
            arrived.wait()
        }
        let found = answers.withLock { $0 }
        return conversations.enumerated().map { index, conversation in
            conclude(conversation, found[index] ?? ServiceAnswers())
        }
    }

    /// Which services are to be called.
    private struct Need {
        let chat: Bool
        let memories: Bool

        init(of conversation: FinishedConversation, _ asksForMemories: Bool) {
            let paid = conversation.paid
            let spoke = conversation.hasUser
            chat = spoke && (paid.questions == nil || paid.emotion == nil)
            memories =
                spoke && asksForMemories && !conversation.isLesson && paid.memories == nil
        }
    }

    /// Puts together what has been answered, now or before, and what stands in for the rest.
    private func conclude(
        _ conversation: FinishedConversation,
        _ answers: ServiceAnswers
    ) -> AnalysisAnswer {
        var paid = conversation.paid
        var failures: (llm: ServiceError?, memory: ServiceError?)
        switch answers.chat {
        case nil: break
        case .success(let chat):
            paid.questions = chat.questions ?? paid.questions
            paid.emotion = chat.emotion ?? paid.emotion
            paid.model = model
            if paid.questions == nil || paid.emotion == nil { failures.llm = .unusable }
        case .failure(let error): failures.llm = error
        }
        switch answers.memories {
        case nil: break
        case .success(let memories): paid.memories = memories
        case .failure(let error): failures.memory = error
        }
        if failures.llm == .cancelled || failures.memory == .cancelled {
            return AnalysisAnswer(conclusion: .interrupted, paid: paid)
        }
        if standIn == nil, let error = failures.llm ?? failures.memory {
            let service = failures.llm == nil ? "memory service" : "chat model"
            let failure = Failure(
                code: "ANALYSIS_UNAVAILABLE",
                reason: "the \(service) gave no answer of use: \(error)"
            )
            return AnalysisAnswer(conclusion: .unavailable(failure), paid: paid)
        }
        var found = substitute(for: conversation, lacking: paid)
        found.sources.llmFailure = failures.llm?.code
        found.sources.memoryFailure = failures.memory?.code
        found.take(paid)
        return AnalysisAnswer(conclusion: .found(found), paid: paid)
    }

    /// What counts where nothing has been answered.
    private func substitute(
        for conversation: FinishedConversation,
        lacking paid: PaidAnalysis
    ) -> SourcedAnalysis {
        if !conversation.hasUser { return SourcedAnalysis(.none, from: .init(all: .skipped)) }
        var found = SourcedAnalysis(.none, from: .init(all: .zeros))
        let isComplete =
            paid.questions != nil && paid.emotion != nil
            && (paid.memories != nil || !asksForMemories || conversation.isLesson)
        if !isComplete, let standIn {
            found = SourcedAnalysis(standIn.analyse(conversation), from: .init(all: standIn.source))
        }
        if conversation.isLesson || !asksForMemories {
            // Memories that are not asked for count zero, also where a stand-in gives the others.
            found.analysis.newMemoriesCount = 0
            found.sources.memories = conversation.isLesson ? .skipped : .zeros
        }
        return found
    }
}

extension SourcedAnalysis {
    /// Takes over what services have answered.
    fileprivate mutating func take(_ paid: PaidAnalysis) {
        if let questions = paid.questions {
            analysis.userInitiatedQuestions = questions
            sources.questions = .llm
        }
        if let emotion = paid.emotion {
            analysis.sessionEmotion = emotion
            sources.emotion = .llm
        }
        if paid.questions != nil || paid.emotion != nil { sources.model = paid.model }
        if let memories = paid.memories {
            analysis.newMemoriesCount = memories
            sources.memories = .memoryService
        }
    }
}

extension FinishedConversation {
    /// Whether there is anything to ask about.
    fileprivate var hasUser: Bool { log.items.contains { $0.speaker == .user } }
}
