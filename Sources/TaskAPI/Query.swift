import Foundation
import HTTPServing
import Hummingbird
import Tasks

/// The parameters of a request's query. What is wrong with them is noted, as with `Members`.
struct Query {
    static let states =
        "is one of \(TaskState.allCases.map(\.name).joined(separator: ", "))"

    private var values: [String: String] = [:]
    private var defects: [Problem.Defect] = []

    init(_ request: Request, knowing known: Set<String>) {
        for (name, value) in request.form {
            if !known.contains(name) { note(String(name.prefix(100)), "is unknown") }
            values[name] = value
        }
    }

    private mutating func note(_ name: String, _ detail: String) {
        if defects.count < 100 { defects.append(.init(at: "/\(name)", detail)) }
    }

    func check() throws(Problem) { try Problem.check(defects) }

    mutating func text(_ name: String, atMost longest: Int = 255) -> String? {
        guard let text = values[name] else { return nil }
        let range = 1...longest
        if range.contains(text.unicodeScalars.count), !text.utf8.contains(0) { return text }
        note(name, "has 1 to \(longest) characters")
        return nil
    }

    mutating func needed(_ name: String) -> String? {
        if values[name] == nil { note(name, "is missing") }
        return text(name)
    }

    mutating func number(_ name: String, _ range: ClosedRange<Double>) -> Double? {
        guard let text = values[name] else { return nil }
        if let number = Double(text), range.contains(number) { return number }
        note(name, "is a number from \(Int(range.lowerBound)) to \(Int(range.upperBound))")
        return nil
    }

    mutating func state(_ name: String) -> TaskState? {
        guard let text = values[name] else { return nil }
        let state = TaskState(name: text)
        if state == nil { note(name, Self.states) }
        return state
    }

    mutating func id(_ name: String) -> TaskID? {
        guard let text = values[name] else { return nil }
        let id = TaskID(text)
        if id == nil { note(name, "is no id") }
        return id
    }

    mutating func time(_ name: String) -> Date? {
        guard let text = values[name] else { return nil }
        let time = TaskTime.date(text)
        if time == nil { note(name, "is a time as ISO 8601 has it, with its zone") }
        return time
    }
}
