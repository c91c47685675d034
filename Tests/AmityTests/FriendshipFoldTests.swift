import Foundation
import FriendshipScoring
import Testing

@testable import Amity

private let now = Date(timeIntervalSince1970: 0)

private func scored(
    _ id: Int,
    user: String = "u",
    turns: Int,
    agent: String? = nil,
    bot: String = "b"
) -> ScoredEvent {
    let speakers: [Speaker] = (0..<turns).flatMap { _ in [Speaker.pika, .user] }
    let log = ConversationLog(
        items: speakers.map { .init(speaker: $0, text: "", sourceIndex: 0) }
    )
    return ScoredEvent(
        event: ConversationEvent(
            id: id,
            conversationID: "c\(id)",
            userID: user,
            botID: bot,
            agentTag: agent,
            isSettled: false,
            logJSON: Data()
        ),
        score: ConversationScore(of: log, analysis: .none)
    )
}

private func fold(score: Double, level: String = "PHASE1_STRANGER", topics: String = "{}")
    -> FriendshipFold
{
    var agenda = Agenda()
    agenda.add(topic: "t1", agent: "agent", level: "PHASE1_STRANGER")
    agenda.add(topic: "t2", agent: "agent", level: "PHASE2_ACQUAINTANCE")
    let user = LockedUser(
        friendship: Friendship(score: score, level: level),
        topicMetrics: Data(topics.utf8)
    )
    return FriendshipFold(users: ["u": user], agenda: agenda, at: now)
}

private func topics(_ fold: FriendshipFold) throws -> [String: JSONValue] {
    guard case .textArray(let patches) = fold.userParameters[3], let patch = patches.first ?? nil
    else { return [:] }
    return try JSONDecoder().decode([String: JSONValue].self, from: Data(patch.utf8))
}

struct FriendshipFoldTests {
    /// Fault: a batch whose members all read the score before the batch loses all but one update,
    /// and every event would record the same level.
    @Test func eachEventBuildsOnTheOneBeforeIt() {
        var fold = fold(score: 498)
        for id in 1...3 { fold.apply(scored(id, turns: 1)) }
        #expect(fold.applied.map(\.level) == [.stranger, .acquaintance, .acquaintance])
        guard case .doubleArray(let scores) = fold.userParameters[1] else {
            Issue.record("scores are doubles")
            return
        }
        #expect(scores == [501])
    }

    /// The agenda is asked for the level before the conversation, which the one before it may move.
    @Test func theLevelBeforeChoosesTheTopic() throws {
        var fold = fold(score: 499)
        fold.apply(scored(1, turns: 2, agent: "agent"))
        fold.apply(scored(2, turns: 3, agent: "agent"))
        let topics = try topics(fold)
        #expect(topics["t1"]?.object?["score"] == .number(2))
        #expect(topics["t2"]?.object?["score"] == .number(3))
    }

    @Test func noAgentOrNoAgendaMeansNoTopic() throws {
        var fold = fold(score: 0)
        fold.apply(scored(1, turns: 1))
        fold.apply(scored(2, turns: 1, agent: "unknown"))
        #expect(try topics(fold).isEmpty)
    }

    /// Members that somebody else keeps in a topic, and topics that were not talked about, survive.
    @Test func onlyTouchedTopicsAreWrittenAndStrangersMembersKept() throws {
        let stored = #"""
            {"t1": {"score": 10.5, "turns": 4, "friendship_level": "PHASE1_STRANGER",
                    "agents_used": ["b"], "colour": ["red", null]}, "other": {"score": 1}}
            """#
        var fold = fold(score: 0, topics: stored)
        fold.apply(scored(1, turns: 2, agent: "agent", bot: "b2"))
        let topics = try topics(fold)
        #expect(Set(topics.keys) == ["t1"])
        #expect(
            topics["t1"]?.object == [
                "score": .number(12.5), "turns": .number(6),
                "friendship_level": .string("PHASE1_STRANGER"),
                "agents_used": .array([.string("b"), .string("b2")]),
                "last_date": .string("1970-01-01T00:00:00Z"),
                "colour": .array([.string("red"), .null]),
            ]
        )
    }

    @Test(arguments: [
        "null", "[]", "7", #"{"t1": 3}"#, #"{"t1": {"score": "x", "turns": 9.2e18}}"#,
    ])
    func oddTopicMetricsCountAsEmpty(stored: String) throws {
        var fold = fold(score: 0, topics: stored)
        fold.apply(scored(1, turns: 2, agent: "agent"))
        let topic = try topics(fold)["t1"]?.object
        #expect(topic?["score"] == .number(2))
        #expect(topic?["turns"] == .number(2))
    }
}
