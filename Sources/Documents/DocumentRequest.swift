import Foundation

/// The payload of a task: `{"file_path": "reports/2026.pdf", "chunk_size": 1000,
/// "chunk_overlap": 200}`.
struct DocumentRequest: Equatable {
    /// What is wrong with it: the name of a member, and a rule.
    struct Mistake: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    let filePath: String
    /// In characters, as `chunkOverlap`.
    let chunkSize: Int
    let chunkOverlap: Int

    static let chunkSizes = 100...10_000

    private struct Members: Decodable {
        var filePath: String?
        var chunkSize: Int?
        var chunkOverlap: Int?
    }

    init(_ payload: String) throws(Mistake) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let members: Members
        do {
            members = try decoder.decode(Members.self, from: Data(payload.utf8))
        } catch {
            throw Mistake(
                description: "is no object with file_path (a string), chunk_size and chunk_overlap"
                    + " (whole numbers)"
            )
        }
        guard let path = members.filePath, !path.isEmpty, !path.contains("\0") else {
            throw Mistake(description: "file_path is missing")
        }
        let size = members.chunkSize ?? 1000
        guard Self.chunkSizes.contains(size) else {
            throw Mistake(
                description: "chunk_size is from \(Self.chunkSizes.lowerBound) to "
                    + "\(Self.chunkSizes.upperBound)"
            )
        }
        let overlap = members.chunkOverlap ?? size / 5
        guard 0...size / 2 ~= overlap else {
            throw Mistake(description: "chunk_overlap is from 0 to half of chunk_size")
        }
        filePath = path
        (chunkSize, chunkOverlap) = (size, overlap)
    }
}
