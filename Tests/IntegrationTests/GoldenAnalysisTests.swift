import Foundation
import TestSupport
import Testing

/// A case of the golden file, as far as a conversation's way through the worker needs it.
private struct GoldenCase: Sendable {
    let line: Int
    let log: String
    let questions: Int
    let emotion: String
    let memories: Int
    let change: Double
    let scoreBefore: Double
    let scoreAfter: Double
    let levelAfter: String

    static func load() throws -> [GoldenCase] {
        let file = Servers.root.appending(path: "Tests/FriendshipScoringTests/golden/scoring.jsonl")
        return try Data(contentsOf: file).split(separator: UInt8(ascii: "\n")).enumerated()
            .map { index, line in
                let members = try #require(
                    try JSONSerialization.jsonObject(with: line) as? [String: Any]
                )
                return try GoldenCase(members, line: index + 1)
            }
    }

    private init(_ members: [String: Any], line: Int) throws {
        func object(_ name: String) throws -> [String: Any] {
            try #require(members[name] as? [String: Any])
        }
        let (analysis, status) = (try object("analysis"), try object("status"))
        self.line = line
        questions = try #require(analysis["user_initiated_questions"] as? Int)
        emotion = try #require(analysis["session_emotion"] as? String)
        memories = try #require(analysis["new_memories_count"] as? Int)
        change = try #require(try object("expected")["friendship_score_change"] as? Double)
        scoreBefore = try #require(status["score_before"] as? Double)
        scoreAfter = try #require(status["score_after"] as? Double)
        levelAfter = try #require(status["level_after"] as? String)
        var items = try #require(members["conversation_log"] as? [[String: Any]])
        // The file's numbers are made up: some cases have more questions than the child has words.
        // The added items make room for the questions without a further turn: one of another
        // speaker, then only items of the child. Their text tells the stub which case it is.
        items.append(["speaker": "narrator", "turn_id": 0, "text": ""])
        for number in 0..<40 {
            items.append(["speaker": "user", "turn_id": number, "text": "golden-\(line)."])
        }
        log = String(decoding: try JSONSerialization.data(withJSONObject: items), as: UTF8.self)
    }
}

extension Integration {
    struct GoldenAnalysis {
        /// The formula from end to end: queue, services, database, with the numbers that the
        /// service had that Amity replaces.
        @Test func everyCaseOfTheGoldenFileComesOutAsItShould() throws {
            let cases = try GoldenCase.load()
            let stub = try StubServer { request in
                guard let match = request.body.firstMatch(of: /golden-(\d+)\./),
                    let line = Int(match.1)
                else { return .status(404) }
                let golden = cases[line - 1]
                return request.isChat
                    ? .chat(questions: golden.questions, emotion: golden.emotion)
                    : .memories(golden.memories)
            }
            // An unknown emotion counts nothing, as in the replaced service.
            let scene = try Scene(settings: Scene.services(stub, fallback: "zeros"))
            for golden in cases {
                try scene.sql(
                    "INSERT INTO friendship_status (user_id, friendship_score) VALUES ($1, $2)",
                    .text("u\(golden.line)"),
                    .double(golden.scoreBefore)
                )
                try scene.addConversation(
                    "c\(golden.line)",
                    user: "u\(golden.line)",
                    log: golden.log
                )
            }
            let worker = try scene.startWorker()
            try scene.publish(ids: cases.map { "c\($0.line)" })
            try eventually("all are scored", within: .seconds(60)) {
                try scene.count("status = 'PROCESSED'") == cases.count
            }
            #expect(cases.count == 60)
            for golden in cases {
                let row = try scene.sql(
                    """
                    SELECT friendship_score_change, friendship_score, friendship_level,
                        new_friendship_level
                    FROM conversation_events JOIN friendship_status USING (user_id)
                    WHERE conversation_id = $1
                    """,
                    .text("c\(golden.line)")
                )
                #expect(row.double(0, 0) == golden.change, "line \(golden.line)")
                #expect(row.double(0, 1) == golden.scoreAfter, "line \(golden.line)")
                #expect(row.string(0, 2) == golden.levelAfter, "line \(golden.line)")
                #expect(row.string(0, 3) == golden.levelAfter, "line \(golden.line)")
            }
            #expect(stub.chats == 60 && stub.memoryCalls == 60)
            withExtendedLifetime(worker) {}
        }
    }
}
