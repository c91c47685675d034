import Foundation
import FriendshipScoring
import JSON
import Messaging
import Postgres

/// Which topic an agent leads to, at each level of the user.
struct Agenda: Sendable {
    private struct Key: Hashable {
        var agent: ExactText
        var level: ExactText
    }

    private var topics: [Key: ExactText] = [:]

    init() {}

    /// Reads the rows of `SQL.readAgenda`.
    init(_ rows: Rows) {
        for row in 0..<rows.count {
            guard let agent = rows.string(row, 0), let level = rows.string(row, 1),
                let topic = rows.string(row, 2)
            else { continue }
            add(topic: topic, agent: agent, level: level)
        }
    }

    mutating func add(topic: String, agent: String, level: String) {
        topics[Key(agent: ExactText(agent), level: ExactText(level))] = ExactText(topic)
    }

    func topic(agent: ExactText, level: String) -> ExactText? {
        topics[Key(agent: agent, level: ExactText(level))]
    }
}

/// Applies conversations to locked users one after the other, each on what the one before it left.
struct FriendshipFold {
    struct TopicKey: Hashable {
        var user: ExactText
        var topic: ExactText
    }

    private struct MovedTopic {
        var progress: TopicProgress
        /// Robots that talked about it in this batch.
        var agents: Set<ExactText> = []
    }

    private struct Applied {
        var id: Int
        var user: ExactText
        var scored: ScoredConversation
        var scoreBefore: Double
        var level: FriendshipLevel
    }

    private var users: LockedUsers
    private var touched: Set<ExactText> = []
    private let topics: [TopicKey: TopicProgress]
    /// Whose stored score is no number that can be added to.
    private let badTopics: Set<TopicKey>
    private var moved: [TopicKey: MovedTopic] = [:]
    private var applied: [Applied] = []
    private let agenda: Agenda
    private let now: Date

    init(
        users: [ExactText: Friendship],
        agenda: Agenda = .init(),
        topics: [TopicKey: TopicProgress] = [:],
        at now: Date
    ) {
        self.users = LockedUsers(users)
        self.agenda = agenda
        self.topics = topics
        badTopics = []
        self.now = now
    }

    /// - Parameter topics: the rows of `SQL.readTopics`; nil where none may move.
    init(_ users: LockedUsers, agenda: Agenda = .init(), topics: Rows? = nil, at now: Date) {
        self.users = users
        self.agenda = agenda
        (self.topics, badTopics) = topics.map(Self.topics) ?? ([:], [])
        self.now = now
    }

    /// Why nothing can be added to what is stored of an event's user; nil where that is all right.
    func defect(of event: ConversationEvent) -> Failure? {
        if users.defects.isEmpty && badTopics.isEmpty { return nil }
        let user = users.stored(event.userID)
        if let defect = users.defects[user] { return defect }
        guard let key = topicKey(of: event, user), badTopics.contains(key) else { return nil }
        return .invalidFriendship("the score of a topic in topic_metrics is not a finite number")
    }

    /// The topic that an event moves, if any.
    private func topicKey(of event: ConversationEvent, _ user: ExactText) -> TopicKey? {
        guard let agent = event.agent, let friendship = users[user],
            let topic = agenda.topic(agent: agent, level: friendship.level)
        else { return nil }
        return TopicKey(user: user, topic: topic)
    }

    /// - Returns: the user's level after it; nil when the user is not among the locked.
    mutating func apply(
        _ scored: ScoredConversation,
        to event: ConversationEvent
    ) -> FriendshipLevel? {
        let user = users.stored(event.userID)
        guard var friendship = users[user] else { return nil }
        let score = scored.score
        let scoreBefore = friendship.score
        let key = topicKey(of: event, user)
        let level = friendship.apply(change: score.change)
        users[user] = friendship
        touched.insert(user)
        if let key {
            var topic = moved[key] ?? MovedTopic(progress: topics[key] ?? TopicProgress())
            topic.progress.apply(score, userLevel: level)
            topic.agents.insert(ExactText(event.botID))
            moved[key] = topic
        }
        applied.append(
            Applied(
                id: event.id,
                user: event.userID,
                scored: scored,
                scoreBefore: scoreBefore,
                level: level
            )
        )
        return level
    }

    /// Whether anything is to be written.
    var isEmpty: Bool { applied.isEmpty }
    var movesTopics: Bool { !moved.isEmpty }

    /// What writes the users, and their topics where there are any.
    var userUpdate: (Statement, [Parameter]) {
        let users = touched.map { ($0.text, self.users[$0] ?? Friendship()) }
        let scores: [Parameter] = [
            .textArray(users.map(\.0)), .doubleArray(users.map(\.1.score)),
            .textArray(users.map(\.1.level)),
        ]
        if moved.isEmpty { return (SQL.updateUsers, scores) }
        let topics = Array(moved)
        let moves: [Parameter] = [
            .textArray(topics.map(\.key.user.text)), .textArray(topics.map(\.key.topic.text)),
            .textArray(
                topics.map {
                    JSONEncoder.stored.certainText(TopicMembers($0.value.progress, at: now))
                }
            ),
            .textArray(topics.map { JSONEncoder.stored.certainText($0.value.agents.map(\.text)) }),
        ]
        return (SQL.updateUsersAndTopics, scores + moves)
    }

    /// What writes the events.
    var eventUpdate: (Statement, [Parameter]) {
        let scores = applied.map(\.scored.score)
        return (
            SQL.updateEvents,
            [
                .integerArray(applied.map(\.id)), .doubleArray(scores.map(\.change)),
                .textArray(applied.map(\.level.rawValue)),
                .integerArray(scores.map(\.totalTurns)), .textArray(scores.map(\.sessionEmotion)),
                .integerArray(scores.map(\.userInitiatedQuestions)),
                .integerArray(scores.map(\.newMemoriesCount)),
                .textArray(applied.map(\.user.text)),
                .textArray(applied.map(\.scored.sources.json)),
                .doubleArray(applied.map(\.scoreBefore)),
            ]
        )
    }

    /// What writes the only conversation there is, and its user if his level still is `level` and
    /// his score what it was; nil when there is nothing to write.
    func conversationUpdate(of level: String) -> (Statement, [Parameter])? {
        guard let only = applied.first, let user = users[only.user] else { return nil }
        let score = only.scored.score
        return (
            SQL.updateConversation,
            [
                .integer(only.id), .double(score.change), .text(only.level.rawValue),
                .integer(score.totalTurns), .text(score.sessionEmotion),
                .integer(score.userInitiatedQuestions), .integer(score.newMemoriesCount),
                .text(only.user.text), .text(only.scored.sources.json), .double(only.scoreBefore),
                .double(user.score), .text(level),
            ]
        )
    }
}

extension FriendshipFold {
    /// Reads the rows of `SQL.readTopics`.
    private static func topics(in rows: Rows) -> ([TopicKey: TopicProgress], bad: Set<TopicKey>) {
        var topics: [TopicKey: TopicProgress] = [:]
        var bad: Set<TopicKey> = []
        for row in 0..<rows.count {
            let key = TopicKey(
                user: ExactText(rows.string(row, 0) ?? ""),
                topic: ExactText(rows.string(row, 1) ?? "")
            )
            if let score = rows.double(row, 2), !score.isFinite { bad.insert(key) }
            topics[key] = TopicProgress(
                score: rows.string(row, 2),
                turns: rows.string(row, 3),
                level: rows.string(row, 4)
            )
        }
        return (topics, bad)
    }
}

extension TopicProgress {
    /// Takes members as they are stored; what is no number, or none that can have been reached,
    /// counts as none.
    init(score: String?, turns: String?, level: String?) {
        let score = score.flatMap { Double($0) } ?? 0
        let turns = turns.flatMap { Double($0) } ?? 0
        self.init(
            score: score.isFinite ? score : 0,
            turns: (0...1_000_000_000).contains(turns) ? Int(turns) : 0,
            level: level ?? FriendshipLevel.stranger.rawValue
        )
    }
}

/// The members of a topic that a conversation sets; `agents_used` is merged by the server.
private struct TopicMembers: Encodable {
    var score: Double
    var turns: Int
    var friendship_level: String
    var last_date: String

    init(_ progress: TopicProgress, at now: Date) {
        score = progress.score
        turns = progress.turns
        friendship_level = progress.level
        last_date = now.formatted(.iso8601)
    }
}
