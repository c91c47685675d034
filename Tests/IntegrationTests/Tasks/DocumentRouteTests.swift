import Postgres
import Testing

@testable import Tasks

extension Integration {
    struct DocumentRouteTests {
        private func store(_ text: String, kbID: String, in scene: TaskAPIScene) throws {
            try scene.tasks.sql(
                """
                WITH document AS (
                    INSERT INTO amity_documents (kb_id, path, format, characters, stored_at)
                    VALUES ($1, 'a "b".txt', 'text', 9, now()) RETURNING id)
                INSERT INTO amity_chunks (document, number, start, text)
                SELECT id, 3, 20, $2 FROM document
                """,
                .text(kbID),
                .text(text)
            )
        }

        @Test func whatMatchesIsFoundAsItWasStored() throws {
            let scene = try TaskAPIScene()
            try store("A penguin\n\"swims\".", kbID: "kb-a", in: scene)
            try store("A penguin walks.", kbID: "", in: scene)
            func search(_ query: String) throws -> [[String: Any]] {
                try scene.send("GET", "/documents/search?\(query)").list("matches")
            }
            let found = try search("q=penguin%20-walks")
            let match = try #require(found.first)
            #expect(found.count == 1)
            #expect(match["text"] as? String == "A penguin\n\"swims\".")
            #expect(match["kb_id"] as? String == "kb-a" && match["chunk"] as? Int == 3)
            #expect(match["file_path"] as? String == "a \"b\".txt" && match["start"] as? Int == 20)
            #expect(try search("q=penguin").count == 2)
            #expect(try search("q=penguin&limit=1").count == 1)
            #expect(try search("q=penguin&kb_id=kb-b").isEmpty)
            let wrong = try scene.send("GET", "/documents/search?limit=51")
            #expect(wrong.status == 422)
            #expect(try Set(wrong.pointers) == ["/q", "/limit"])
        }

        /// Fault: a client of one kb reads what another's documents say.
        @Test func aTokenOfAKbSearchesItsOwnDocumentsAlone() throws {
            let scene = try TaskAPIScene(token: "a-token-of-many-signs")
            try store("A penguin.", kbID: "kb-a", in: scene)
            try store("A penguin, too.", kbID: "kb-b", in: scene)
            let (_, secret) = try scene.tasks.ownersStore().createToken(
                name: "a",
                scopes: [.readTasks],
                kbID: "kb-a"
            )
            let path = "/documents/search?q=penguin"
            let found = try scene.send("GET", path, token: secret).list("matches")
            #expect(found.compactMap { $0["kb_id"] as? String } == ["kb-a"])
            let foreign = try scene.send("GET", "\(path)&kb_id=kb-b", token: secret)
            #expect(try foreign.code == "foreign_kb")
            #expect(try scene.send("GET", path).list("matches").count == 2)
        }
    }
}
