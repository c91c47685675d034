import Foundation
import FriendshipScoring
import Testing

@testable import ConversationAnalysis

/// A conversation labelled by hand; see `labelled/README.md`.
struct Labelled: Decodable, Sendable {
    struct Item: Decodable, Sendable {
        var speaker: String
        var text: String
    }

    var id: Int
    var split: String
    var language: String
    var questions: Int
    var emotion: String
    var memories: Int
    var log: [Item]

    /// Four sets, each labelled by one hand.
    enum Collection: String, CaseIterable, Sendable {
        case conversations, talks
        case talks2 = "talks-2"
        /// No part of it is held out.
        case talks3 = "talks-3"
    }

    var collection: Collection { Collection.allCases[(id - 1) / 1000] }

    static let all = Collection.allCases.flatMap(read)

    private static func read(_ collection: Collection) -> [Labelled] {
        do {
            let url = Bundle.module.url(
                forResource: "labelled/\(collection.rawValue)",
                withExtension: "jsonl"
            )
            let lines = try Data(contentsOf: #require(url)).split(separator: UInt8(ascii: "\n"))
            return try lines.map { try JSONDecoder().decode(Labelled.self, from: $0) }
        } catch {
            Issue.record(error)
            return []
        }
    }

    /// The same conversation with its texts changed.
    func conversation(_ change: (String) -> String = { $0 }) -> ConversationLog {
        ConversationLog(
            items: log.map {
                .init(speaker: Speaker(rawValue: $0.speaker) ?? .other, text: change($0.text))
            }
        )
    }
}

/// How much of what was found is right, and how much of what is right was found.
struct Agreement: CustomStringConvertible {
    private var right = 0
    private var found = 0
    private var labelled = 0

    /// Of a number: what both say of one conversation is right.
    mutating func add(found: Int, labelled: Int) {
        right += min(found, labelled)
        self.found += found
        self.labelled += labelled
    }

    var precision: Double { found == 0 ? 1 : Double(right) / Double(found) }
    var recall: Double { labelled == 0 ? 1 : Double(right) / Double(labelled) }

    var description: String {
        func text(_ number: Double) -> String { String(format: "%.2f", number) }
        return "\(text(precision)) / \(text(recall)) (\(right) right, \(found) found, "
            + "\(labelled) labelled)"
    }
}

/// Precision and recall of every number over one part of a set: numbers alone, so that the errors
/// in a part that is held out stay unseen.
struct Measurement: CustomStringConvertible {
    private(set) var questions = Agreement()
    private(set) var memories = Agreement()
    private(set) var emotions: [String: Agreement] = [:]
    /// Of all conversations, how many have the labelled emotion.
    private(set) var accuracy = 0.0

    static let names = ["interesting", "boring", "neutral", "angry", "happy", "sad"]

    init(of split: String, in collection: Labelled.Collection, language: String? = nil) {
        let part = Labelled.all.filter {
            $0.split == split && $0.collection == collection
                && (language == nil || $0.language == language)
        }
        for labelled in part {
            let analysis = Analysis(reading: labelled.conversation())
            questions.add(
                found: analysis.userInitiatedQuestions,
                labelled: labelled.questions
            )
            memories.add(found: analysis.newMemoriesCount, labelled: labelled.memories)
            let emotion = analysis.sessionEmotion
            if emotion == labelled.emotion { accuracy += 1 / Double(part.count) }
            for name in Self.names {
                emotions[name, default: Agreement()].add(
                    found: emotion == name ? 1 : 0,
                    labelled: labelled.emotion == name ? 1 : 0
                )
            }
        }
    }

    var description: String {
        let each = Self.names.map { "  \($0): \(emotions[$0, default: Agreement()])" }
        return """
            questions: \(questions)
            memories: \(memories)
            emotion: \(String(format: "%.2f", accuracy)) of all
            \(each.joined(separator: "\n"))
            """
    }
}
