import Digests
import Foundation
import JSON

/// What the payload of a callback says.
struct CallbackRequest: Sendable {
    var url = ""
    var secret: String?
    /// A CloudEvent, as it was stored: each try sends the same bytes.
    var event = Data()
    var eventID = ""

    private struct Event: Decodable { var id: String }

    /// - Returns: nil for what is none.
    init?(_ payload: String) {
        do {
            try JSONReader.read(Array(payload.utf8)) { json throws(JSONReader.Malformed) in
                guard json.nextKind() == .object else { throw JSONReader.Malformed() }
                try json.enter()
                while let name = try json.nextKey() {
                    switch name.string {
                    case "url": url = try json.readText().string ?? ""
                    case "secret" where json.nextKind() == .string:
                        secret = try json.readText().string
                    case "event": event = Data(try json.readRaw())
                    case _: try json.skip()
                    }
                }
            }
            eventID = try JSONDecoder().decode(Event.self, from: event).id
        } catch { return nil }
        if url.isEmpty { return nil }
    }

    /// By which it is named where it may be confidential.
    var urlID: String { String(Digest.sha256(Array(url.utf8)).hexadecimal.prefix(16)) }

    /// Without what may be confidential.
    var shownURL: String { String(url.prefix { $0 != "?" && $0 != "#" }) }
}
