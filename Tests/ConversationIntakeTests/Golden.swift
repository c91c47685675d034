import Foundation
import TestSupport
import Testing

/// What FastAPI and pydantic answer, and what the service's own code computed.
enum Golden {
    static func lines<Line: Decodable>(_ name: String, as: Line.Type) throws -> [Line] {
        let url = try #require(
            Bundle.module.url(forResource: "golden/\(name)", withExtension: "jsonl")
        )
        return try lines(of: url)
    }

    static func lines<Line: Decodable>(of url: URL) throws -> [Line] {
        try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }
}
