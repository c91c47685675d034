import FriendshipScoring
import JSON

/// The log of a request on its way into the table.
enum IntakeLog {
    /// What keeps its items from being stored.
    ///
    /// - Parameters:
    ///   - json: a list, well-formed.
    ///   - name: of the member.
    static func problems(in json: String, _ name: String) -> [ValidationProblem] {
        var problems: [ValidationProblem] = []
        do throws(JSONReader.Malformed) {
            try JSONReader.read(json.utf8) { json throws(JSONReader.Malformed) in
                try json.enter()
                var index = 0
                while try json.nextElement() {
                    let place = [ValidationProblem.Place.member(name), .index(index)]
                    let isObject = json.nextKind() == .object
                    let item = try json.readRaw()
                    if !isObject {
                        problems.append(.noDictionary(at: place))
                    } else if let what = JSONText.unstorable(in: item) {
                        problems.append(.unstorable(what, at: place))
                    }
                    index += 1
                }
            }
        } catch {
            preconditionFailure("it was read before")
        }
        return problems
    }

    /// - Parameter json: a list of objects, without problems.
    /// - Returns: the log in the standard shape, and as it came where that was another.
    static func stored(
        _ json: String,
        _ name: String,
        from start: IntakeTime,
        to end: IntakeTime
    ) throws(ValidationProblem) -> (log: String, raw: String?) {
        let converted: ConversationLog.Converted?
        do throws(ConversationLogError) {
            converted = try ConversationLog.converted(json.utf8)
        } catch {
            // The replaced service fails over it, with a 500.
            guard case .contentNotText(let index) = error else {
                throw .noList(at: [.member(name)])
            }
            throw .noText(at: [.member(name), .index(index), .member("content")])
        }
        guard let converted else { return (json, nil) }
        let seconds = (end.microseconds - start.microseconds) / 1_000_000
        let step = Double(seconds) / Double(max(1, converted.count))
        let items = converted.kept.enumerated().map { number, kept in
            // In whole seconds, as the replaced service spreads them; never after the end.
            let offset = Int(step * Double(kept.place)) * 1_000_000
            let time = IntakeTime(microseconds: start.microseconds + offset) ?? end
            return "{\"speaker\":\"\(kept.item.speaker.rawValue)\",\"turn_id\":\(number + 1),"
                + "\"text\":\(JSONValue.string(kept.item.text)),\"timestamp\":\"\(time.text)\"}"
        }
        return ("[\(items.joined(separator: ","))]", json)
    }
}
