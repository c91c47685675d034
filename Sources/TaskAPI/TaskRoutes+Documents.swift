import Documents
import HTTPServing
import Hummingbird
import Postgres

extension TaskRoutes {
    /// In what tasks of the type `document_processing` have stored.
    @Sendable func searchDocuments(
        _ request: Request,
        _: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        var query = Query(request, knowing: ["kb_id", "q", "limit"])
        let kbID = try caller.kb(query.text("kb_id"))
        let words = query.needed("q") ?? ""
        let limit = Int(query.number("limit", 1...50) ?? 10)
        try query.check()
        let documents = service.documents
        let found = try await service.call { _ throws(PostgresError) in
            try documents.search(words, kbID: kbID, limit: limit)
        }
        var answer = Answer()
        answer.add("matches", found.map { Answer($0) })
        return answer.response()
    }
}

extension Answer {
    fileprivate init(_ match: DocumentStore.Match) {
        add("kb_id", match.kbID)
        add("file_path", match.filePath)
        add("chunk", match.chunk)
        add("start", match.start)
        add("text", match.text)
        add("rank", json: "\(match.rank)")
    }
}
