import Postgres

/// A document that is ready to be stored.
struct StoredDocument {
    var kbID: String?
    /// Below the folder of documents.
    var path: String
    var format: DocumentFormat
    var characters: Int
    var chunks: [Chunker.Chunk]
    /// Of each chunk, in their order; nil without a service.
    var vectors: [[Float]]?

    /// Replaces what was stored under its kb and path. Two runs wait for each other at the first
    /// statement.
    var effects: [(Statement, [Parameter])] {
        let key: [Parameter] = [.text(kbID ?? ""), .text(path)]
        let facts: [Parameter] = [.text(format.rawValue), .integer(characters)]
        let batches = stride(from: 0, to: chunks.count, by: Self.batch).map { start in
            let range = start..<min(start + Self.batch, chunks.count)
            let vectors = range.map { index in self.vectors.map { Self.array($0[index]) } }
            return (
                DocumentSQL.addChunks,
                key + [
                    .integerArray(Array(range)), .integerArray(chunks[range].map(\.start)),
                    .textArray(chunks[range].map(\.text)), .textArray(vectors),
                ]
            )
        }
        return [(DocumentSQL.store, key + facts), (DocumentSQL.clear, key)] + batches
    }

    /// Chunks of one statement.
    private static let batch = 500

    private static func array(_ vector: [Float]) -> String {
        "{\(vector.map(\.description).joined(separator: ","))}"
    }
}

/// Searches in documents.
package struct DocumentStore: Sendable {
    package struct Match: Sendable, Equatable {
        package var kbID: String?
        package var filePath: String
        /// Of the chunk in its document, from 0 on.
        package var chunk: Int
        /// Where the chunk begins, in characters of the document's text.
        package var start: Int
        package var text: String
        package var rank: Double
    }

    private let sessions: SessionPool

    package init(sessions: SessionPool) {
        self.sessions = sessions
    }

    /// The chunks that match best, in PostgreSQL's form for searches of the web: `"a phrase" or
    /// word -without`.
    ///
    /// - Parameter kbID: nil for documents of all.
    package func search(
        _ query: String,
        kbID: String?,
        limit: Int
    ) throws(PostgresError) -> [Match] {
        let parameters: [Parameter] = [
            .text(query), kbID.map(Parameter.text) ?? .null, .integer(limit),
        ]
        return try sessions.withSession { session throws(PostgresError) in
            let rows = try session.flight([(DocumentSQL.search, parameters)])[0]
            return try rows.map { row throws(PostgresError) in
                Match(
                    kbID: try row.text().flatMap { $0.isEmpty ? nil : $0 },
                    filePath: try row.text() ?? "",
                    chunk: try row.integer() ?? 0,
                    start: try row.integer() ?? 0,
                    text: try row.text() ?? "",
                    rank: try row.double() ?? 0
                )
            }
        }
    }
}

private enum DocumentSQL {
    /// $1: the kb, empty for none; $2: the path.
    static let store = Statement(
        "store_document",
        """
        INSERT INTO amity_documents (kb_id, path, format, characters, stored_at)
        VALUES ($1, $2, $3, $4::int, now())
        ON CONFLICT (kb_id, path) DO UPDATE
        SET format = excluded.format, characters = excluded.characters,
            stored_at = excluded.stored_at
        """
    )

    static let clear = Statement(
        "clear_document",
        """
        DELETE FROM amity_chunks
        WHERE document = (SELECT id FROM amity_documents WHERE kb_id = $1 AND path = $2)
        """
    )

    static let addChunks = Statement(
        "add_chunks",
        """
        INSERT INTO amity_chunks (document, number, start, text, embedding)
        SELECT document.id, chunk.number, chunk.start, chunk.text, chunk.embedding::real[]
        FROM amity_documents AS document,
            unnest($3::int[], $4::int[], $5::text[], $6::text[])
                AS chunk (number, start, text, embedding)
        WHERE document.kb_id = $1 AND document.path = $2
        """
    )

    /// $1: the query; $2: the kb or NULL; $3: most rows.
    static let search = Statement(
        "search_documents",
        """
        SELECT document.kb_id, document.path, chunk.number, chunk.start, chunk.text,
            ts_rank(chunk.search, query)::float8 AS rank
        FROM websearch_to_tsquery('simple', $1) AS query,
            amity_chunks AS chunk JOIN amity_documents AS document ON document.id = chunk.document
        WHERE chunk.search @@ query AND ($2::text IS NULL OR document.kb_id = $2)
        ORDER BY rank DESC, document.id, chunk.number
        LIMIT $3::int
        """
    )
}
