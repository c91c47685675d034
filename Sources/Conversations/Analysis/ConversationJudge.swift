import Failpoints
import Foundation
import FriendshipScoring
import Messaging

/// Reads a conversation, has it analysed, and says what is to become of it. Knows no transaction.
struct ConversationJudge: Sendable {
    let analyser: any Analyser
    let weights: ScoreWeights
    let logs = LogBudget()

    /// What has come of asking about an event.
    struct Judgement {
        let event: ConversationEvent
        /// nil when it was interrupted.
        let verdict: Verdict?
        /// What was paid for now, with what was paid for before; nil if nothing was.
        let paid: PaidAnalysis?
    }

    /// Judges at once, without a call to a service: safe under locks.
    func judge(_ event: ConversationEvent, _ paid: PaidAnalysis) -> Verdict? {
        switch read(event, paid) {
        case .failure(let failure): return .failed(failure, mayPass: false)
        case .success(let conversation):
            let answer = analyser.analyse([conversation], until: nil)[0]
            return verdict(on: conversation, answer.conclusion)
        }
    }

    /// Judges events side by side, and waits for the services that it has to call.
    func judge(
        _ events: [(event: ConversationEvent, paid: PaidAnalysis)],
        until limit: ContinuousClock.Instant
    ) -> [Judgement] {
        var judgements: [Judgement] = []
        var asked: [(event: ConversationEvent, conversation: FinishedConversation)] = []
        for (event, paid) in events {
            switch read(event, paid) {
            case .success(let conversation): asked.append((event, conversation))
            case .failure(let failure):
                let verdict = Verdict.failed(failure, mayPass: false)
                judgements.append(Judgement(event: event, verdict: verdict, paid: nil))
            }
        }
        let answers = analyser.analyse(asked.map(\.conversation), until: limit)
        for ((event, conversation), answer) in zip(asked, answers) {
            judgements.append(
                Judgement(
                    event: event,
                    verdict: verdict(on: conversation, answer.conclusion),
                    paid: answer.paid == conversation.paid ? nil : answer.paid
                )
            )
        }
        return judgements
    }

    private func read(
        _ event: ConversationEvent,
        _ paid: PaidAnalysis
    ) -> Result<FinishedConversation, Failure> {
        Failpoint.scores(event.conversationID.text)
        logs.met(logOf: event.logJSON?.count ?? 0)
        do throws(ConversationLogError) {
            return .success(
                FinishedConversation(
                    conversationID: event.conversationID.text,
                    userID: event.userID.text,
                    botType: event.botType,
                    log: try log(of: event),
                    paid: paid
                )
            )
        } catch {
            return .failure(Failure(code: "INVALID_LOG", reason: error.description))
        }
    }

    private func log(of event: ConversationEvent) throws(ConversationLogError) -> ConversationLog {
        let text = event.logJSON ?? Data()
        // See `SQL.LogPart`.
        if text.first == UInt8(ascii: "s") {
            return try ConversationLog(speakers: Data(text.dropFirst()))
        }
        return try ConversationLog(json: text, readsTexts: analyser.readsTexts)
    }

    private func verdict(
        on conversation: FinishedConversation,
        _ conclusion: AnalysisAnswer.Conclusion
    ) -> Verdict? {
        switch conclusion {
        case .interrupted: return nil
        case .unavailable(let failure): return .failed(failure, mayPass: true)
        case .found(let found):
            let score = ConversationScore(
                of: conversation.log,
                analysis: found.analysis,
                weights: weights
            )
            if !score.change.isFinite { return .failed(.invalidScore, mayPass: false) }
            return .scored(ScoredConversation(score: score, sources: found.sources))
        }
    }
}

/// What is to become of a conversation that still counts.
enum Verdict: Sendable {
    case scored(ScoredConversation)
    case failed(Failure, mayPass: Bool)
}
