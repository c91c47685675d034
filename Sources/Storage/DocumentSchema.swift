import Postgres

extension Schema {
    /// What tasks of the built-in type `document_processing` store.
    static let documents = Step(
        name: "documents",
        isForTasks: true,
        statements: [
            // A kb that is empty stands for none: so the pair can be unique.
            Statement(
                "create_amity_documents",
                """
                CREATE TABLE amity_documents (
                    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    kb_id text NOT NULL,
                    path text NOT NULL,
                    format text NOT NULL,
                    characters integer NOT NULL,
                    stored_at timestamptz NOT NULL
                )
                """
            ),
            Statement(
                "index_amity_documents_path",
                """
                CREATE UNIQUE INDEX amity_documents_path_idx ON amity_documents (kb_id, path)
                """
            ),
            // `simple` takes words as they are: documents may be in any language.
            Statement(
                "create_amity_chunks",
                """
                CREATE TABLE amity_chunks (
                    document bigint NOT NULL,
                    number integer NOT NULL,
                    start integer NOT NULL,
                    text text NOT NULL,
                    embedding real[],
                    search tsvector
                        GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, text)) STORED,
                    PRIMARY KEY (document, number)
                )
                """
            ),
            Statement(
                "index_amity_chunks_search",
                "CREATE INDEX amity_chunks_search_idx ON amity_chunks USING gin (search)"
            ),
        ]
    )
}
