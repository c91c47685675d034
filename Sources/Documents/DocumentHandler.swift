import JSON
import TaskHandlers
import TaskRunning
import Tasks

/// Runs tasks of type `document_processing` in five steps: validate, convert, chunk, embed, store.
/// A stop ends it between two steps, and within those that wait.
package struct DocumentHandler: RunHandler {
    package static let type = "document_processing"

    package let needsToken = false

    private let root: DocumentRoot
    private let embeddings: Embeddings?
    private let pdfText: CommandFilter

    /// Of one document. Chosen: a book has about a thousand.
    private static let mostChunks = 50_000
    private static let mostText = 64 << 20

    /// - Parameters:
    ///   - embeddings: nil where no service is set.
    ///   - pdfText: makes text (UTF-8) of PDF.
    package init(
        root: DocumentRoot,
        embeddings: Embeddings?,
        pdfText: CommandFilter = CommandFilter(
            ["/usr/bin/pdftotext", "-enc", "UTF-8", "-nopgbrk", "-", "-"]
        )
    ) {
        self.root = root
        self.embeddings = embeddings
        self.pdfText = pdfText
    }

    package func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        do throws(Interruption) {
            return try process(task, in: context)
        } catch {
            return error.end
        }
    }

    /// What ends a run before its last step.
    private struct Interruption: Error {
        let end: RunEnd

        static let stopped = Interruption(end: .stopped)

        static func failed(
            _ code: DocumentErrorCode,
            _ message: String,
            retries: Bool = false,
            after: Double? = nil
        ) -> Interruption {
            let code = code.rawValue
            return Self(
                end: .failed(code: code, message: message, retries: retries, after: after)
            )
        }
    }

    private func process(
        _ task: ClaimedTask,
        in context: RunContext
    ) throws(Interruption) -> RunEnd {
        try begin("validate", at: 0, in: context)
        let (request, format, bytes) = try validate(task.payload)
        try begin("convert", at: 10, in: context)
        let text = try text(of: bytes, format, in: context)
        try begin("chunk", at: 25, in: context)
        let chunker = Chunker(size: request.chunkSize, overlap: request.chunkOverlap)
        let chunks = chunker.chunks(of: text)
        if chunks.count > Self.mostChunks {
            throw .failed(.tooLarge, "the document has over \(Self.mostChunks) chunks")
        }
        let vectors = try vectors(of: chunks, in: context)
        try begin("store", at: 95, in: context)
        let document = StoredDocument(
            kbID: task.kbID,
            path: root.relative(request.filePath),
            format: format,
            characters: text.unicodeScalars.count,
            chunks: chunks,
            vectors: vectors
        )
        let members = [
            ("file_path", JSONValue.string(document.path)),
            ("format", JSONValue.string(format.rawValue)),
            ("characters", "\(document.characters)"), ("chunks", "\(chunks.count)"),
            ("embedded", "\(vectors != nil)"),
        ]
        let result = "{\(members.map { "\"\($0)\":\($1)" }.joined(separator: ","))}"
        return .completed(result: result, effects: document.effects)
    }

    private func begin(
        _ step: String,
        at percent: Int,
        in context: RunContext
    ) throws(Interruption) {
        if context.stopReason != nil { throw .stopped }
        context.report(progress: percent, note: step)
    }

    private func validate(
        _ payload: String
    ) throws(Interruption) -> (DocumentRequest, DocumentFormat, [UInt8]) {
        let request: DocumentRequest
        do throws(DocumentRequest.Mistake) {
            request = try DocumentRequest(payload)
        } catch {
            throw .failed(.invalidPayload, "the payload: \(error)")
        }
        guard let format = DocumentFormat(path: request.filePath) else {
            throw .failed(.unsupportedFormat, "the file is no .txt, .md, .html or .pdf")
        }
        do throws(DocumentRoot.Failure) {
            return (request, format, try root.read(request.filePath))
        } catch {
            switch error {
            case .notFound: throw .failed(.fileNotFound, "there is no such file")
            case .refused:
                throw .failed(.fileRefused, "the path leads out of the folder, or to no file")
            case .tooLarge: throw .failed(.tooLarge, "the file has over 32 MB")
            case .unreadable:
                throw .failed(.fileUnreadable, "the file cannot be read", retries: true)
            }
        }
    }

    // MARK: Convert

    private func text(
        of bytes: [UInt8],
        _ format: DocumentFormat,
        in context: RunContext
    ) throws(Interruption) -> String {
        let bytes = format == .pdf ? try textOfPDF(bytes, in: context) : bytes
        guard let source = String(validating: bytes, as: UTF8.self) else {
            throw .failed(.conversionFailed, "the file is not in UTF-8")
        }
        // PostgreSQL's text holds no NUL.
        return format.text(of: source.replacing("\0", with: " ").replacing("\r\n", with: "\n"))
    }

    private func textOfPDF(
        _ bytes: [UInt8],
        in context: RunContext
    ) throws(Interruption) -> [UInt8] {
        do throws(CommandFilter.Failure) {
            return try pdfText.run(bytes, limit: Self.mostText, in: context)
        } catch {
            switch error {
            case .stopped: throw .stopped
            case .notStarted:
                throw .failed(.unsupportedFormat, "PDF needs pdftotext, which is not here")
            case .tooMuch: throw .failed(.tooLarge, "the document has over 64 MB of text")
            case .failed: throw .failed(.conversionFailed, "pdftotext cannot read the file")
            }
        }
    }

    // MARK: Embed

    /// - Returns: nil without a service.
    private func vectors(
        of chunks: [Chunker.Chunk],
        in context: RunContext
    ) throws(Interruption) -> [[Float]]? {
        guard let embeddings else { return nil }
        var vectors: [[Float]] = []
        while vectors.count < chunks.count {
            try begin("embed", at: 30 + 65 * vectors.count / chunks.count, in: context)
            let texts = chunks[vectors.count...].prefix(Embeddings.batch).map(\.text)
            do throws(Embeddings.Failure) {
                vectors += try embeddings.vectors(of: texts, in: context)
            } catch {
                throw Self.interruption(error)
            }
        }
        return vectors
    }

    private static func interruption(_ failure: Embeddings.Failure) -> Interruption {
        switch failure {
        case .stopped: .stopped
        case .noAnswer(let error):
            .failed(.embeddingsFailed, "the service for embeddings: \(error)", retries: true)
        case .status(let status, let after):
            .failed(
                .embeddingsFailed,
                "the service for embeddings answered with status \(status)",
                retries: [408, 425, 429].contains(status) || status >= 500,
                after: after
            )
        case .malformed:
            .failed(.embeddingsFailed, "the service for embeddings gave no vector for each chunk")
        }
    }
}

/// Why a document was not processed.
enum DocumentErrorCode: String {
    case invalidPayload = "INVALID_PAYLOAD"
    case unsupportedFormat = "UNSUPPORTED_FORMAT"
    case fileNotFound = "FILE_NOT_FOUND"
    case fileRefused = "FILE_REFUSED"
    case fileUnreadable = "FILE_UNREADABLE"
    case tooLarge = "DOCUMENT_TOO_LARGE"
    case conversionFailed = "CONVERSION_FAILED"
    case embeddingsFailed = "EMBEDDINGS_FAILED"
}
