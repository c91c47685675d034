import Documents
import Foundation
import Postgres
import TaskHandlers
import TaskRunning
import Testing

@testable import Tasks

extension Integration {
    /// Documents from a file to a search, with PostgreSQL.
    struct DocumentTests {
        /// A folder of documents, and a handler for it.
        private final class Bench {
            let scene: TaskScene
            let documents: DocumentStore
            private let folder = NSTemporaryDirectory() + "amity-documents-\(UUID().uuidString)"

            init() throws {
                scene = try TaskScene()
                documents = DocumentStore(
                    sessions: SessionPool(
                        target: scene.scene.settings.database,
                        limit: 1,
                        applicationName: "documents",
                        statementTimeout: .seconds(20)
                    )
                )
                try FileManager.default.createDirectory(
                    atPath: folder,
                    withIntermediateDirectories: true
                )
            }

            deinit { try? FileManager.default.removeItem(atPath: folder) }

            func write(_ bytes: Data, to name: String) throws {
                try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }

            /// Runs a task for a file to its end.
            @discardableResult
            func process(
                _ name: String,
                kbID: String? = nil,
                beforeTheEnd: (TaskID) throws -> Void = { _ in }
            ) throws -> TaskState? {
                let id = try scene.submit(DocumentHandler.type) {
                    $0.payload = #"{"file_path": "\#(name)", "chunk_size": 100}"#
                    $0.kbID = kbID
                }
                let task = try scene.claim(id, run: 1)
                let filter = CommandFilter(
                    ["/usr/bin/pdftotext", "-enc", "UTF-8", "-nopgbrk", "-", "-"],
                    program: Command.amity.path
                )
                let handler = DocumentHandler(
                    root: DocumentRoot(folder),
                    embeddings: nil,
                    pdfText: filter
                )
                let end = handler.run(task, in: RunContext())
                guard case .completed(let result, let effects) = end else {
                    Issue.record("\(end)")
                    return nil
                }
                try beforeTheEnd(id)
                let outcome = RunOutcome.succeeded(result: result)
                return try scene.store.finish(id, run: 1, as: outcome, with: effects)?.state
            }

            func search(_ query: String, kbID: String? = nil) throws -> [String] {
                try documents.search(query, kbID: kbID, limit: 10).map(\.text)
            }
        }

        @Test func aDocumentIsFoundAndReplacedAsAWhole() throws {
            let bench = try Bench()
            let filler = (0..<1500).map { "Sentence number \($0) is here to fill the chunks up." }
            let text = filler.joined(separator: " ") + " Größe\\n{a,\"b\"} of a penguin\u{1}."
            try bench.write(Data(text.utf8), to: "a.txt")
            #expect(try bench.process("a.txt", kbID: "k1") == .completed)
            let match = try #require(
                try bench.documents.search("penguin größe -zebra", kbID: "k1", limit: 10).first
            )
            #expect(match.text.hasSuffix("Größe\\n{a,\"b\"} of a penguin\u{1}."))
            #expect(match.kbID == "k1" && match.filePath == "a.txt" && match.rank > 0)
            #expect(match.chunk > 1000 && match.start > 50_000)
            #expect(try bench.search("penguin", kbID: "k2") == [])
            #expect(try bench.search("\"number 77\" or penguin").count == 2)
            #expect(try bench.search("\" & ' (").isEmpty)

            try bench.write(Data("A zebra.".utf8), to: "a.txt")
            try bench.process("a.txt", kbID: "k1")
            try bench.process("a.txt")
            #expect(try bench.search("penguin") == [])
            #expect(try bench.search("zebra") == ["A zebra.", "A zebra."])
            #expect(try bench.search("zebra", kbID: "k1") == ["A zebra."])
            let counts = try bench.scene.sql(
                "SELECT (SELECT count(*) FROM amity_documents), (SELECT count(*) FROM amity_chunks)"
            )
            #expect(counts.integer(0, 0) == 2 && counts.integer(0, 1) == 2)
        }

        /// Fault: a run that was fenced off replaces what a later one has stored.
        @Test func aRunThatIsFencedOffStoresNothing() throws {
            let bench = try Bench()
            try bench.write(Data("A zebra.".utf8), to: "a.txt")
            let state = try bench.process("a.txt") { id in
                try bench.scene.sql("UPDATE amity_tasks SET run = run + 1")
            }
            #expect(state == nil)
            #expect(try bench.search("zebra") == [])
        }

        @Test func textIsTakenOutOfPDF() throws {
            let bench = try Bench()
            let stream = "BT /F1 24 Tf 72 700 Td (A quagga in a PDF.) Tj ET"
            let pdf = """
                %PDF-1.4
                1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
                2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
                3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R
                /Resources <</Font <</F1 5 0 R>>>>>> endobj
                4 0 obj <</Length \(stream.utf8.count)>> stream
                \(stream)
                endstream endobj
                5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
                trailer <</Root 1 0 R>>
                """
            try bench.write(Data(pdf.utf8), to: "a.pdf")
            #expect(try bench.process("a.pdf") == .completed)
            #expect(try bench.search("quagga") == ["A quagga in a PDF."])
        }
    }
}
