import Foundation
import FriendshipScoring
import JSON

/// Asks the memory service how many new memories it has made of a conversation.
struct MemoryService: Sendable {
    private struct Request: Encodable {
        struct Item: Encodable {
            var role: String
            var content: String
        }
        var user_id: String
        var conversation_id: String
        var conversation: [Item]
    }

    private struct Answer: Decodable {
        /// The facts themselves stay unread.
        private struct Fact: Decodable {
            init(from decoder: any Decoder) throws {}
        }
        var status: String?
        var count: Int?
        var facts: Int?

        private enum Key: String, CodingKey { case status, count, facts }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            status = members.sane(String.self, .status)
            count = members.sane(Int.self, .count)
            facts = members.sane([Fact].self, .facts)?.count
        }
    }

    /// Most memories for each thing the user said. Chosen: "I am seven, live in Huế and have a
    /// dog".
    static let mostPerItem = 3

    private let caller: ServiceCaller

    init(caller: ServiceCaller) {
        self.caller = caller
    }

    var refuses: Bool { caller.refuses }

    func ask(about talk: Talk) async throws(ServiceError) -> Int {
        let request = Request(
            user_id: talk.userID,
            conversation_id: talk.conversationID,
            conversation: talk.log.items.compactMap { item in
                switch item.speaker {
                case .pika: .init(role: "assistant", content: item.text)
                case .user: .init(role: "user", content: item.text)
                case .other: nil
                }
            }
        )
        let most = talk.log.userItems * Self.mostPerItem
        return try await caller.ask(Self.json(request)) { body throws(ServiceError) in
            try Self.memories(in: body, atMost: most)
        }
    }

    static func memories(in body: Data, atMost most: Int) throws(ServiceError) -> Int {
        let answer: Answer = try decoded(body, orElse: .malformed)
        if ["error", "failed", "failure"].contains(answer.status?.lowercased()) { throw .unusable }
        guard let count = answer.count ?? answer.facts, count >= 0 else { throw .unusable }
        return min(count, most)
    }

    private static func json(_ request: Request) -> Data {
        do {
            return try JSONEncoder.stored.encode(request)
        } catch {
            preconditionFailure("texts have a JSON form")
        }
    }
}
