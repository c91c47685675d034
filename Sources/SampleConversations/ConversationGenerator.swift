import Foundation
import FriendshipScoring
import JSON
import Postgres

/// Makes up finished conversations for trials: English, Vietnamese and a mixture, in both log
/// shapes, of several users, about several topics. The same seed makes the same conversations.
package struct ConversationGenerator {
    private let seed: UInt64
    private let userCount: Int
    private let exchanges: Int?
    private let hasAgents: Bool
    private var random: SplitMix64

    /// Conversations inserted in one statement. Chosen: about a megabyte.
    private static let chunk = 500

    /// - Parameters:
    ///   - userCount: 1 or more; conversations are spread over them at random.
    ///   - exchanges: how many each conversation has, one question with one answer each; by default
    ///     1 to 20, where the child says nothing now and then, or two things in a row.
    ///   - hasAgents: whether every conversation has an agent, and so moves a topic.
    package init(seed: UInt64, userCount: Int, exchanges: Int? = nil, hasAgents: Bool = true) {
        self.seed = seed
        self.userCount = userCount
        self.exchanges = exchanges
        self.hasAgents = hasAgents
        random = SplitMix64(state: seed)
    }

    /// Inserts `count` conversations and the agenda that leads their agents to topics.
    ///
    /// - Parameter onInserted: called with the ids of each chunk once they are committed.
    package mutating func insert(
        _ count: Int,
        into target: ConnectionTarget,
        onInserted: ([String]) throws -> Void
    ) throws {
        var session = try Session(to: target, applicationName: "amity publish")
        _ = try session.flight([(Self.insertAgenda, agendaParameters)])
        var made = 0
        while made < count {
            let size = min(Self.chunk, count - made)
            let conversations = (0..<size).map { conversation(number: made + $0) }
            _ = try session.flight([(Self.insertEvents, Self.parameters(conversations))])
            try onInserted(conversations.map(\.id))
            made += size
        }
    }

    private struct Conversation {
        var id, user, botType, bot: String
        var agent: String?
        var start, end: String
        var log: String
        var rawLog: String?
    }

    private mutating func conversation(number: Int) -> Conversation {
        let topic = Phrases.topics[random.below(Phrases.topics.count)]
        let minutes = 2 + random.below(20)
        let end = Self.epoch.addingTimeInterval(Double(number % 86_400))
        let start = end.addingTimeInterval(-Double(minutes * 60))
        let spoken = talk(about: topic)
        let (log, rawLog) = stored(spoken, from: start, to: end)
        return Conversation(
            id: "generated-\(seed)-\(number)",
            // The lesser of two draws: some users talk much more than others.
            user: "user-\(seed)-\(min(random.below(userCount), random.below(userCount)))",
            botType: random.below(4) == 0 ? "NEXT_LESSON" : "FREE_TALK",
            bot: "bot-\(topic.name)-\(random.below(3))",
            agent: hasAgents ? "agent-\(topic.name)" : nil,
            start: start.formatted(.iso8601),
            end: end.formatted(.iso8601),
            log: log,
            rawLog: rawLog
        )
    }

    /// A fixed instant, so that a seed fixes every column.
    private static let epoch = Date(timeIntervalSince1970: 1_767_225_600)

    private mutating func talk(about topic: Phrases.Topic) -> [(isRobot: Bool, text: String)] {
        let count = exchanges ?? 1 + random.below(20)
        var talk: [(isRobot: Bool, text: String)] = []
        for _ in 0..<count {
            let language = topic.languages[random.below(topic.languages.count)]
            talk.append((true, language.robot[random.below(language.robot.count)]))
            for _ in 0..<answers() {
                talk.append((false, language.child[random.below(language.child.count)]))
            }
        }
        if exchanges == nil, random.below(2) == 0 {
            talk.append((false, Phrases.verdicts[random.below(Phrases.verdicts.count)]))
        }
        return talk
    }

    private mutating func answers() -> Int {
        if exchanges != nil { return 1 }
        return random.below(8) == 0 ? 0 : random.below(6) == 0 ? 2 : 1
    }

    /// Half the logs are standard from the start. The rest came in API shape, and most of those
    /// were normalised at intake, the original kept beside.
    private mutating func stored(
        _ talk: [(isRobot: Bool, text: String)],
        from start: Date,
        to end: Date
    ) -> (log: String, rawLog: String?) {
        let step = end.timeIntervalSince(start) / Double(talk.count)
        let standard = talk.enumerated().map { index, item in
            StandardItem(
                speaker: item.isRobot ? "pika" : "user",
                turn_id: index + 1,
                text: item.text,
                timestamp: start.addingTimeInterval(step * Double(index)).formatted(.iso8601)
            )
        }
        if random.below(2) == 0 { return (JSONEncoder.stored.certainText(standard), nil) }
        let raw = talk.map { item in
            APIItem(
                character: item.isRobot
                    ? "BOT_RESPONSE_CONVERSATION" : "USER_RESPONSE_CONVERSATION",
                content: item.text
            )
        }
        let text = JSONEncoder.stored.certainText(raw)
        if random.below(4) == 0 { return (text, nil) }
        return (JSONEncoder.stored.certainText(standard), text)
    }

    private struct StandardItem: Encodable {
        var speaker: String
        var turn_id: Int
        var text: String
        var timestamp: String
    }

    private struct APIItem: Encodable {
        var character: String
        var content: String
    }

    private static func parameters(_ conversations: [Conversation]) -> [Parameter] {
        [
            .textArray(conversations.map(\.id)), .textArray(conversations.map(\.user)),
            .textArray(conversations.map(\.botType)), .textArray(conversations.map(\.bot)),
            .textArray(conversations.map(\.agent)), .textArray(conversations.map(\.start)),
            .textArray(conversations.map(\.end)), .textArray(conversations.map(\.log)),
            .textArray(conversations.map(\.rawLog)),
        ]
    }

    private var agendaParameters: [Parameter] {
        let rows = Phrases.topics.flatMap { topic in
            FriendshipLevel.allCases.map { (topic.name, $0.rawValue) }
        }
        return [
            .textArray(rows.map { "topic-\($0.0)" }), .textArray(rows.map { "agent-\($0.0)" }),
            .textArray(rows.map(\.1)),
        ]
    }

    private static let insertAgenda = Statement(
        "insert_agenda",
        """
        INSERT INTO agenda_agent_prompting
            (topic_id, agent_id, talking_agenda, friendship_level, agent_type)
        SELECT topic, agent, 'made for trials', level, 'TALK'
        FROM unnest($1::text[], $2::text[], $3::text[]) AS new (topic, agent, level)
        ON CONFLICT DO NOTHING
        """
    )

    /// Timestamps are cast to the column's own type on assignment: naive columns hold UTC.
    private static let insertEvents = Statement(
        "insert_events",
        """
        INSERT INTO conversation_events (conversation_id, user_id, bot_type, bot_id, bot_name,
            agent_tag, start_time, end_time, conversation_log, raw_conversation_log)
        SELECT id, user_id, bot_type, bot_id, 'Pika', agent, starts::timestamptz,
            ends::timestamptz, log::jsonb, raw_log::jsonb
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                    $7::text[], $8::text[], $9::text[])
            AS new (id, user_id, bot_type, bot_id, agent, starts, ends, log, raw_log)
        ON CONFLICT (conversation_id) DO NOTHING
        """
    )
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough to make up conversations.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}
