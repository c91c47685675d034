/// What a file holds, by the end of its name.
enum DocumentFormat: String, Sendable {
    case text
    case markdown
    case html
    case pdf

    init?(path: String) {
        guard let dot = path.lastIndex(of: ".") else { return nil }
        switch path[dot...].lowercased() {
        case ".txt", ".text": self = .text
        case ".md", ".markdown": self = .markdown
        case ".html", ".htm", ".xhtml": self = .html
        case ".pdf": self = .pdf
        case _: return nil
        }
    }

    /// - Returns: text of a file of any format but PDF.
    func text(of source: String) -> String {
        switch self {
        case .text, .pdf: source
        case .markdown: MarkdownText.text(of: source)
        case .html: HTMLText.text(of: source)
        }
    }
}
