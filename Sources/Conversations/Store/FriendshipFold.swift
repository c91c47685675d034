import Events
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

    private var topicsByKey: [Key: ExactText] = [:]

    var topics: Set<ExactText> { Set(topicsByKey.values) }

    init() {}

    /// Reads the rows of `SQL.readAgenda`.
    init(_ rows: Rows) throws(PostgresError) {
        try rows.forEach { row throws(PostgresError) in
            guard let (agent, level, topic) = try SQL.agendum(&row) else { return }
            add(topic: topic, agent: agent, level: level)
        }
    }

    mutating func add(topic: String, agent: String, level: String) {
        topicsByKey[Key(agent: ExactText(agent), level: ExactText(level))] = ExactText(topic)
    }

    func topic(agent: ExactText, level: String) -> ExactText? {
        topicsByKey[Key(agent: agent, level: ExactText(level))]
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
        var conversation: ExactText
        /// As the event spells it.
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
    /// As ISO 8601 writes it.
    private let now: String

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
        self.now = now.formatted(.iso8601)
    }

    /// - Parameter alone: its user is one that can be added to, or new.
    init(_ alone: ConversationAlone, at now: Date) {
        let user = alone.user ?? Friendship()
        var agenda = Agenda()
        var topics: [TopicKey: TopicProgress] = [:]
        if let agent = alone.event.agent, let topic = alone.topic {
            agenda.add(topic: topic.key.topic.text, agent: agent.text, level: user.level)
            topics[topic.key] = topic.progress
        }
        self.init(users: [alone.event.userID: user], agenda: agenda, topics: topics, at: now)
    }

    /// - Parameter topics: as they are stored, each as often as its user was read.
    init(
        _ users: LockedUsers,
        agenda: Agenda = .init(),
        topics: [StoredTopic] = [],
        at now: Date
    ) {
        self.users = users
        self.agenda = agenda
        self.topics = Dictionary(topics.map { ($0.key, $0.progress) }) { $1 }
        badTopics = Set(topics.lazy.filter(\.isBad).map(\.key))
        self.now = now.formatted(.iso8601)
    }

    func has(_ user: ExactText) -> Bool { users.has(user) }

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
                conversation: event.conversationID,
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
    var numberOfUsers: Int { touched.count }
    /// Those of `users` that a conversation has moved.
    func users(of users: Set<ExactText>) -> [String] {
        users.isEmpty ? [] : users.intersection(touched).map(\.text)
    }
    var conversations: [ExactText] { applied.map(\.conversation) }

    /// What is to be written, in parts of so many users at most.
    func parts(of count: Int) -> [FriendshipFold] {
        let moved = Dictionary(grouping: moved, by: \.key.user)
        let applied = Dictionary(grouping: applied) { users.stored($0.user) }
        let touched = Array(touched)
        return stride(from: 0, to: touched.count, by: count).map { start in
            let users = touched[start..<min(start + count, touched.count)]
            var part = self
            part.touched = Set(users)
            part.moved = Dictionary(uniqueKeysWithValues: users.flatMap { moved[$0] ?? [] })
            part.applied = users.flatMap { applied[$0] ?? [] }
            return part
        }
    }

    /// What writes it so that it can be taken back alone.
    func writes(_ apart: Apart) -> [(Statement, [Parameter])] {
        [(.savepoint, []), userUpdate] + (apart == .usersAndEvents ? [eventUpdate] : [])
    }

    /// Writes nothing of the users of a part.
    mutating func leaveOut(_ part: FriendshipFold) {
        touched.subtract(part.touched)
        moved = moved.filter { touched.contains($0.key.user) }
        applied.removeAll { !touched.contains(users.stored($0.user)) }
    }

    /// What writes the users, and their topics where there are any.
    var userUpdate: (Statement, [Parameter]) {
        let users = touched.map { ($0.text, self.users[$0] ?? Friendship()) }
        let scores: [Parameter] = [
            .textArray(users.map(\.0)), .doubleArray(users.map(\.1.score)),
            .textArray(users.map(\.1.level)),
        ]
        if moved.isEmpty { return (SQL.updateUsers, scores) }
        if let moves = singleMoves {
            let ordered = touched.map { moves[$0] }
            return (
                SQL.updateUsersAndTopic,
                scores + [
                    .textArray(ordered.map { $0?.topic }), .textArray(ordered.map { $0?.members }),
                    .textArray(ordered.map { $0?.robot }),
                ]
            )
        }
        let topics = Array(moved)
        let moves: [Parameter] = [
            .textArray(topics.map(\.key.user.text)), .textArray(topics.map(\.key.topic.text)),
            .textArray(topics.map { TopicMembers($0.value.progress, at: now).json }),
            .textArray(topics.map { JSONEncoder.stored.certainText($0.value.agents.map(\.text)) }),
        ]
        return (SQL.updateUsersAndTopics, scores + moves)
    }

    /// The topic of each user that moves one, if none moves two or one with two robots.
    private var singleMoves: [ExactText: SingleMove]? {
        var moves: [ExactText: SingleMove] = [:]
        for (key, topic) in moved {
            guard topic.agents.count == 1, let robot = topic.agents.first else { return nil }
            let move = SingleMove(
                topic: key.topic.text,
                members: TopicMembers(topic.progress, at: now).json,
                robot: robot.text
            )
            if moves.updateValue(move, forKey: key.user) != nil { return nil }
        }
        return moves
    }

    private struct SingleMove {
        var topic: String
        var members: String
        var robot: String
    }

    /// What writes the events, in the order in which the table has them, as far as ids tell.
    var eventUpdate: (Statement, [Parameter]) {
        let applied = applied.sorted { $0.id < $1.id }
        return (
            SQL.updateEvents,
            [
                .integerArray(applied.map(\.id)),
                .doubleArray(applied.map(\.scored.score.change)),
                .textArray(applied.map(\.level.rawValue)), .textArray(applied.map(\.user.text)),
                .textArray(applied.map { $0.scored.details(scoreBefore: $0.scoreBefore) }),
            ]
        )
    }

    /// What tells other programs of each conversation that has counted, in order of arrival.
    var events: (Statement, [Parameter]) {
        let told = applied.map {
            ScoreEvent($0.conversation.text, of: $0.user.text, $0.scored.score, $0.scoreBefore)
        }
        return ScoreEvent.writing(told)
    }

    /// What writes the only conversation there is, and its user and topic if they still are as
    /// found; nil when there is nothing to write.
    func update(of alone: ConversationAlone) -> (Statement, [Parameter])? {
        guard let only = applied.first, let user = users[only.user] else { return nil }
        let found = alone.user ?? Friendship()
        var parameters: [Parameter] = [
            .integer(only.id), .double(only.scored.score.change), .text(only.level.rawValue),
            .text(only.user.text), .text(only.scored.details(scoreBefore: only.scoreBefore)),
            .double(user.score), .double(found.score), .text(found.level),
        ]
        guard let move = singleMoves?[only.user], let topic = alone.topic else {
            return (SQL.updateConversation, parameters)
        }
        parameters += [
            .text(move.topic), .text(move.members), .text(move.robot),
            topic.score.map { .text($0) } ?? .null, topic.turns.map { .text($0) } ?? .null,
            topic.level.map { .text($0) } ?? .null,
        ]
        return (SQL.updateConversationAndTopic, parameters)
    }
}

/// A topic of a user as it is stored.
struct StoredTopic {
    var key: FriendshipFold.TopicKey
    var score: String?
    var turns: String?
    var level: String?

    /// Whether its score is no number that can be added to.
    var isBad: Bool { score.flatMap { Double($0) }.map { !$0.isFinite } ?? false }
    var progress: TopicProgress { TopicProgress(score: score, turns: turns, level: level) }
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
private struct TopicMembers {
    var json: String

    /// By hand, as `ScoredConversation.details`.
    ///
    /// - Parameter now: as ISO 8601 writes it.
    init(_ progress: TopicProgress, at now: String) {
        json = """
            {"score":\(JSONValue.number(progress.score)),"turns":\(progress.turns),\
            "friendship_level":\(JSONValue.string(progress.level)),"last_date":"\(now)"}
            """
    }
}
