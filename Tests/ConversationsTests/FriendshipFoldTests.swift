import Foundation
import FriendshipScoring
import Testing

@testable import Conversations

private let now = Date(timeIntervalSince1970: 0)

private func score(turns: Int) -> ScoredConversation {
    let speakers: [Speaker] = (0..<turns).flatMap { _ in [Speaker.pika, .user] }
    let log = ConversationLog(items: speakers.map { .init(speaker: $0, text: "") })
    let score = ConversationScore(of: log, analysis: .none)
    return ScoredConversation(score: score, sources: .init(all: .zeros))
}

private func event(
    _ id: Int,
    user: String = "u",
    agent: String? = nil,
    bot: String = "b"
) -> ConversationEvent {
    ConversationEvent(
        id: id,
        conversationID: ExactText("c\(id)"),
        userID: ExactText(user),
        botType: "TALK",
        botID: bot,
        agent: agent.map(ExactText.init),
        isSettled: false
    )
}

private func fold(
    _ users: [String: Double] = ["u": 0],
    topics: [String: TopicProgress] = [:]
) -> FriendshipFold {
    var agenda = Agenda()
    agenda.add(topic: "t1", agent: "agent", level: "PHASE1_STRANGER")
    agenda.add(topic: "t2", agent: "agent", level: "PHASE2_ACQUAINTANCE")
    let friendships = users.map { name, score in
        let level = FriendshipLevel(score: score).rawValue
        return (ExactText(name), Friendship(score: score, level: level))
    }
    let stored = topics.map { topic, progress in
        (FriendshipFold.TopicKey(user: ExactText("u"), topic: ExactText(topic)), progress)
    }
    return FriendshipFold(
        users: Dictionary(uniqueKeysWithValues: friendships),
        agenda: agenda,
        topics: Dictionary(uniqueKeysWithValues: stored),
        at: now
    )
}

extension FriendshipFold {
    fileprivate func texts(_ index: Int) -> [String?] {
        let parameters = userUpdate.1
        guard index < parameters.count, case .textArray(let texts) = parameters[index]
        else { return [] }
        return texts
    }

    fileprivate var scores: [String: Double] {
        guard case .doubleArray(let scores) = userUpdate.1[1] else { return [:] }
        let names = texts(0).compactMap(\.self).map { Array($0.utf8).description }
        return Dictionary(uniqueKeysWithValues: zip(names, scores))
    }

    /// Members as they would be written, by topic.
    fileprivate var topics: [String: String] {
        let first = userUpdate.0.name == SQL.updateUsersAndTopic.name ? 3 : 4
        let (topics, members) = (texts(first), texts(first + 1))
        return Dictionary(
            uniqueKeysWithValues: zip(topics.compactMap(\.self), members.compactMap(\.self))
        )
    }
}

private func members(_ json: String?) throws -> NSDictionary {
    let data = Data((json ?? "{}").utf8)
    return try #require(JSONSerialization.jsonObject(with: data) as? NSDictionary)
}

struct FriendshipFoldTests {
    /// Fault: a batch whose members all read the score before the batch loses all but one update,
    /// and every event would record the same level.
    @Test func eachEventBuildsOnTheOneBeforeIt() {
        var fold = fold(["u": 498])
        let levels = (1...3).map { fold.apply(score(turns: 1), to: event($0)) }
        #expect(levels == [.stranger, .acquaintance, .acquaintance])
        #expect(Array(fold.scores.values) == [501])
    }

    /// Fault: one child's points go to another, because Swift holds their ids for equal.
    @Test func usersAreToldApartByteForByte() {
        let (composed, decomposed) = ("m\u{1EB9}", "me\u{323}")
        #expect(composed == decomposed)
        var fold = fold([composed + "1": 0])
        fold = FriendshipFold(
            users: [
                ExactText(composed): Friendship(score: 1000), ExactText(decomposed): Friendship(),
            ],
            at: now
        )
        _ = fold.apply(score(turns: 2), to: event(1, user: composed))
        _ = fold.apply(score(turns: 5), to: event(2, user: decomposed))
        #expect(
            fold.scores == [
                Array(composed.utf8).description: 1002, Array(decomposed.utf8).description: 5,
            ]
        )
    }

    @Test func anEventWithoutItsUserChangesNothing() {
        var fold = fold()
        #expect(fold.apply(score(turns: 1), to: event(2, user: "gone")) == nil)
        #expect(fold.isEmpty && fold.scores.isEmpty)
    }

    /// The agenda is asked for the level before the conversation, which the one before it may move.
    @Test func theLevelBeforeChoosesTheTopic() throws {
        var fold = fold(["u": 499])
        _ = fold.apply(score(turns: 2), to: event(1, agent: "agent"))
        _ = fold.apply(score(turns: 3), to: event(2, agent: "agent"))
        #expect(try members(fold.topics["t1"])["score"] as? Double == 2)
        #expect(try members(fold.topics["t2"])["score"] as? Double == 3)
    }

    @Test func noAgentOrNoAgendaMeansNoTopic() {
        var fold = fold()
        _ = fold.apply(score(turns: 1), to: event(1))
        _ = fold.apply(score(turns: 1), to: event(2, agent: "unknown"))
        #expect(fold.topics.isEmpty)
    }

    @Test func aTopicGoesOnFromWhatIsStored() throws {
        var fold = fold(topics: ["t1": TopicProgress(score: 10.5, turns: 4)])
        _ = fold.apply(score(turns: 2), to: event(1, agent: "agent", bot: "b2"))
        _ = fold.apply(score(turns: 1), to: event(2, agent: "agent", bot: "b2"))
        let expected: NSDictionary = [
            "score": 13.5, "turns": 7, "friendship_level": "PHASE1_STRANGER",
            "last_date": "1970-01-01T00:00:00Z",
        ]
        #expect(try members(fold.topics["t1"]) == expected)
        #expect(fold.texts(5) == ["b2"])
    }

    @Test func aTopicThatTwoRobotsMoveIsAddedToOnce() throws {
        var fold = fold(topics: ["t1": TopicProgress(score: 10.5, turns: 4)])
        _ = fold.apply(score(turns: 2), to: event(1, agent: "agent", bot: "b2"))
        _ = fold.apply(score(turns: 1), to: event(2, agent: "agent", bot: "b3"))
        #expect(fold.userUpdate.0.name == SQL.updateUsersAndTopics.name)
        #expect(try members(fold.topics["t1"])["score"] as? Double == 13.5)
        let robots = try JSONDecoder().decode(
            [String].self,
            from: Data((fold.texts(6)[0] ?? "").utf8)
        )
        #expect(Set(robots) == ["b2", "b3"])
    }

    /// Users of a batch who move no topic keep theirs.
    @Test func eachUserHasAMoveOrNone() throws {
        var fold = fold(["u": 0, "v": 0])
        _ = fold.apply(score(turns: 1), to: event(1, user: "v"))
        _ = fold.apply(score(turns: 2), to: event(2, user: "u", agent: "agent"))
        let moves = Dictionary(uniqueKeysWithValues: zip(fold.texts(0), fold.texts(3)))
        #expect(moves == ["u": "t1", "v": nil])
    }

    @Test func eventsAreWrittenInTheOrderOfTheirIds() throws {
        var fold = fold(["u": 2.5])
        for id in [3, 1, 2] { _ = fold.apply(score(turns: 1), to: event(id)) }
        guard case .integerArray(let ids) = fold.eventUpdate.1[0],
            case .textArray(let details) = fold.eventUpdate.1[4]
        else { return #expect(Bool(false)) }
        #expect(ids == [1, 2, 3])
        // The one that came first is the first that counts.
        #expect(try members(details[2])["score_before"] as? Double == 2.5)
        let expected: NSDictionary = [
            "total_turns": 1, "session_emotion": "neutral", "user_initiated_questions": 0,
            "new_memories_count": 0, "total_exchange_score": 1, "score_before": 3.5,
        ]
        #expect(try members(details[0]) == expected)
        #expect(details[0]?.contains(#""total_exchange_score":1,"#) == true)
    }

    @Test(
        arguments: [
            (nil, nil), ("x", "y"), ("1e400", "1e400"), ("-1e400", "-3"), ("nan", "9.2e18"),
        ] as [(String?, String?)]
    )
    func oddMembersCountAsNone(score: String?, turns: String?) {
        #expect(TopicProgress(score: score, turns: turns, level: nil) == TopicProgress())
    }
}

struct ExactTextTests {
    @Test func equalsOnlyByteForByte() {
        #expect(ExactText("caf\u{E9}") != ExactText("cafe\u{301}"))
        #expect(ExactText("cafe\u{301}") == ExactText("cafe" + "\u{301}"))
        #expect(Set([ExactText("caf\u{E9}"), ExactText("cafe\u{301}")]).count == 2)
    }
}
