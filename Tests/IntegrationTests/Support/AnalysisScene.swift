import Foundation
import Postgres
import TestSupport
import Testing

extension Scene {
    /// A conversation in which the child says something three times: two turns.
    static let threeWords = #"""
        [{"speaker":"user","turn_id":1,"text":"canary-words-4712"},
         {"speaker":"pika","turn_id":2,"text":"Hi"},{"speaker":"user","turn_id":3,"text":"Why?"},
         {"speaker":"pika","turn_id":4,"text":"So"},{"speaker":"other"},
         {"speaker":"user","turn_id":5,"text":"Oh"}]
        """#

    static let serviceKey = "canary-key-4711"

    /// Settings of a worker that asks a stub.
    static func services(
        _ stub: StubServer,
        fallback: String = "zeros",
        _ extra: [String: String] = [:]
    ) -> [String: String] {
        [
            "LLM_ANALYSIS_ENABLED": "true", "LLM_BASE_URL": "\(stub.url)/v1",
            "LLM_MODEL": "model-1",
            "LLM_API_KEY": serviceKey, "MEMORY_API_URL": stub.url, "ANALYSIS_FALLBACK": fallback,
        ].merging(extra) { _, new in new }
    }

    /// The details of a conversation's score.
    func details(of id: String) throws -> [String: Any] {
        let rows = try sql(
            """
            SELECT score_calculation_details FROM conversation_events WHERE conversation_id = $1
            """,
            .text(id)
        )
        let json = try #require(rows.data(0, 0))
        return try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
    }

    /// A word stands for three that are the same, and none for zeros.
    func sources(of id: String) throws -> [String: String] {
        let sources = try details(of: id)["sources"] ?? "zeros"
        if let word = sources as? String {
            return ["questions": word, "emotion": word, "memories": word]
        }
        return try #require(sources as? [String: String])
    }

    func waitUntilScored(_ ids: String..., within limit: Duration = .seconds(30)) throws {
        try eventually("\(ids) are scored", within: limit) {
            try ids.allSatisfy {
                try count("conversation_id = '\($0)' AND status = 'PROCESSED'") == 1
            }
        }
    }

    var keptAnalyses: Int {
        get throws { try sql("SELECT count(*) FROM amity_analyses").integer(0, 0) ?? -1 }
    }
}

extension StubServer.Request {
    var isChat: Bool { path == "/v1/chat/completions" }
}

extension StubServer {
    /// A chat model and a memory service that are well.
    static func healthy() throws -> StubServer {
        try StubServer { $0.isChat ? .chat(questions: 2, emotion: "interesting") : .memories(1) }
    }

    var chats: Int { requests.count { $0.isChat } }
    var memoryCalls: Int { requests.count { !$0.isChat } }
}

extension RunningWorker {
    /// Text and key are looked for in all that the worker has said.
    func expectSilence(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(!log.contains("canary"), sourceLocation: sourceLocation)
    }
}
