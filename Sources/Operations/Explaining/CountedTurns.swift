import ConversationAnalysis
import Conversations
import Foundation
import FriendshipScoring

/// Which turns of a stored conversation the built-in analysis counts, by their ids: never what they
/// say. Found anew when an operator asks, so that scoring costs nothing more.
struct CountedTurns: Sendable, Equatable {
    /// A turn stands once for each question in it.
    var questions: [Int]
    var memories: [Int]

    /// - Parameter log: the content of `conversation_log`, in either shape.
    init(log json: Data, botType: String) throws(ConversationLogError) {
        let log = try ConversationLog(json: json)
        let counted = CountedItems(reading: log)
        let ids = Self.ids(in: json)
        // Without ids, as in the API shape, turns count from 1, as they do after intake.
        func id(_ place: Int) -> Int {
            ids.count == log.items.count ? ids[place] ?? place + 1 : place + 1
        }
        questions = counted.questions.map(id)
        memories = FinishedConversation.isLesson(botType) ? [] : counted.memories.map(id)
    }

    private static func ids(in json: Data) -> [Int?] {
        do {
            return try JSONDecoder().decode([StoredTurn].self, from: json).map(\.id)
        } catch {
            // The log was read before: its turns have no ids that fit.
            return []
        }
    }
}

private struct StoredTurn: Decodable {
    let id: Int?

    enum CodingKeys: String, CodingKey { case id = "turn_id" }
}
