import Foundation
import FriendshipScoring
import Postgres

/// A row of `friendship_status` under this transaction's lock.
struct LockedUser: Sendable {
    var friendship: Friendship
    var topicMetrics: Data

    /// Reads the rows of `SQL.lockUsers`, by user_id.
    static func all(in rows: Rows) -> [String: LockedUser] {
        var users: [String: LockedUser] = [:]
        for row in 0..<rows.count {
            users[rows.string(row, 0) ?? ""] = LockedUser(
                friendship: Friendship(
                    score: rows.double(row, 1) ?? 0,
                    level: rows.string(row, 2) ?? ""
                ),
                topicMetrics: rows.data(row, 3) ?? Data()
            )
        }
        return users
    }
}

/// Which topic an agent leads to, at each level of the user.
struct Agenda: Sendable {
    private struct Key: Hashable {
        var agent: String
        var level: String
    }

    private var topics: [Key: String] = [:]

    mutating func add(topic: String, agent: String, level: String) {
        topics[Key(agent: agent, level: level)] = topic
    }

    /// Reads a row of `SQL.loadAgenda`.
    mutating func add(_ rows: Rows, _ row: Int) {
        guard let agent = rows.string(row, 0), let level = rows.string(row, 1),
            let topic = rows.string(row, 2)
        else { return }
        add(topic: topic, agent: agent, level: level)
    }

    func topic(agent: String, level: String) -> String? {
        topics[Key(agent: agent, level: level)]
    }
}

/// Applies conversations to locked users one after the other, each on what the one before it left.
struct FriendshipFold {
    private struct User {
        var friendship: Friendship
        /// Decoded when the first conversation about a topic comes.
        var topics: TopicMetrics?
        var stored: Data
    }

    private var users: [String: User]
    private var touched: Set<String> = []
    private let agenda: Agenda
    private let now: Date
    private(set) var applied: [AppliedEvent] = []
    private var details: [(id: Int, score: ConversationScore)] = []

    init(users: [String: LockedUser], agenda: Agenda, at now: Date) {
        self.users = users.mapValues { User(friendship: $0.friendship, stored: $0.topicMetrics) }
        self.agenda = agenda
        self.now = now
    }

    /// - Parameter scored: an event this transaction has claimed; its user is locked.
    mutating func apply(_ scored: ScoredEvent) {
        let (event, score) = (scored.event, scored.score)
        guard var user = users[event.userID] else { return }
        let levelBefore = user.friendship.level
        let level = user.friendship.apply(change: score.change)
        if let agent = event.agentTag,
            let topic = agenda.topic(agent: agent, level: levelBefore)
        {
            var topics = user.topics ?? TopicMetrics(json: user.stored)
            topics.apply(score, to: topic, botID: event.botID, userLevel: level, at: now)
            user.topics = topics
        }
        users[event.userID] = user
        touched.insert(event.userID)
        details.append((event.id, score))
        applied.append(
            AppliedEvent(
                conversationID: event.conversationID,
                userID: event.userID,
                change: score.change,
                level: level
            )
        )
    }

    /// For `SQL.updateUsers`.
    var userParameters: [Parameter] {
        let changed = touched.map { ($0, users[$0]!) }
        return [
            .textArray(changed.map(\.0)), .doubleArray(changed.map(\.1.friendship.score)),
            .textArray(changed.map(\.1.friendship.level)),
            .textArray(changed.map { $0.1.topics?.changedJSON }),
        ]
    }

    /// For `SQL.updateEvents`.
    var eventParameters: [Parameter] {
        [
            .integerArray(details.map(\.id)), .doubleArray(applied.map(\.change)),
            .textArray(applied.map(\.level.rawValue)), .textArray(details.map { json($0.score) }),
        ]
    }
}
