import Foundation
import Tasks

/// The file that `amity types apply` reads: `{"types": [{"type": …, "handler": {"kind": …}}]}`.
package enum TypesFile {
    /// What is wrong, and where: a JSON pointer (RFC 6901).
    package struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
        package var pointer: String
        package var message: String

        package init(pointer: String, message: String) {
            self.pointer = pointer
            self.message = message
        }

        package var description: String {
            "\(pointer.isEmpty ? "the file" : pointer): \(message)"
        }
    }

    package struct Problems: Error, Equatable, Sendable, CustomStringConvertible {
        package var list: [Problem]

        package init(list: [Problem]) { self.list = list }

        package var description: String { list.map(\.description).joined(separator: "; ") }
    }

    /// - Throws: all problems at once.
    package static func parse(_ json: Data) throws(Problems) -> [TaskType] {
        let tree: JSONTree
        do {
            tree = try JSONDecoder().decode(JSONTree.self, from: json)
        } catch {
            throw Problems(list: [.init(pointer: "", message: "is no JSON")])
        }
        var reader = TypesReader()
        let types = reader.types(tree)
        if reader.problems.isEmpty { return types }
        throw Problems(list: reader.problems)
    }
}

/// Goes through the file and notes what is wrong with it. Values are not quoted: a secret may stand
/// in the wrong place.
private struct TypesReader {
    private(set) var problems: [TypesFile.Problem] = []

    private mutating func note(_ pointer: String, _ message: String) {
        problems.append(.init(pointer: pointer, message: message))
    }

    mutating func types(_ tree: JSONTree) -> [TaskType] {
        guard let members = object(tree, at: "", knowing: ["types"]) else { return [] }
        guard case .array(let list)? = members["types"] else {
            note("/types", "is missing, or no array")
            return []
        }
        var names: Set<String> = []
        return list.enumerated().compactMap { index, tree in
            let pointer = "/types/\(index)"
            guard let type = type(tree, at: pointer) else { return nil }
            if !names.insert(type.name).inserted { note("\(pointer)/type", "is there twice") }
            return type
        }
    }

    private mutating func type(_ tree: JSONTree, at pointer: String) -> TaskType? {
        let known = [
            "type", "pool", "priority", "handler", "timeout_seconds", "retry_limit", "limit",
        ]
        guard let members = object(tree, at: pointer, knowing: known) else { return nil }
        let name = text(members, "type", at: pointer) ?? ""
        if members["type"] == nil {
            note("\(pointer)/type", "is missing")
        } else if !name.isEmpty || members["type"].isText {
            check(name, at: "\(pointer)/type")
        }
        let pool = text(members, "pool", at: pointer) ?? TaskType.defaultPool
        if !TaskType.isPool(pool) {
            note("\(pointer)/pool", "has 1 to 40 characters: a to z, digits, hyphens")
        }
        let priority = text(members, "priority", at: pointer).map { given in
            if let priority = Priority(name: given) { return priority }
            let names = Priority.allCases.map(\.name).joined(separator: ", ")
            note("\(pointer)/priority", "is one of \(names)")
            return .normal
        }
        let timeout = integer(members, "timeout_seconds", in: TaskType.timeouts, at: pointer)
        let retryLimit = integer(members, "retry_limit", in: TaskType.retryLimits, at: pointer)
        let isBuiltIn = TaskType.builtIn.contains { $0.name == name }
        guard
            let handler = isBuiltIn && members["handler"] == nil
                ? .swift : handler(members["handler"], at: "\(pointer)/handler")
        else { return nil }
        if isBuiltIn, handler != .swift {
            note("\(pointer)/handler", "is for other types: this one is built in")
        }
        var type = TaskType(
            name: name,
            pool: pool,
            priority: priority ?? .normal,
            handler: handler,
            timeout: timeout ?? RetryRule.timeout,
            retryLimit: retryLimit ?? RetryRule.retryLimit
        )
        type.limit = members["limit"].flatMap { limit($0, at: "\(pointer)/limit") }
        return type
    }

    private mutating func limit(_ tree: JSONTree, at pointer: String) -> TaskLimit? {
        let known = ["by", "rate", "burst", "cap", "order"]
        guard let members = object(tree, at: pointer, knowing: known) else { return nil }
        var limit = TaskLimit()
        if let by = text(members, "by", at: pointer) {
            if let key = TaskLimit.Key(by) {
                limit.key = key
            } else {
                note("\(pointer)/by", "is type, kb_id, or payload. and a member's name")
            }
        }
        limit.rate = number(members, "rate", in: TaskLimit.rates, at: pointer)
        limit.burst = integer(members, "burst", in: TaskLimit.bursts, at: pointer)
        limit.cap = integer(members, "cap", in: TaskLimit.caps, at: pointer)
        switch text(members, "order", at: pointer) {
        case nil: break
        case "strict": limit.isStrict = true
        case _: note("\(pointer)/order", "is strict, or missing")
        }
        if let rate = limit.rate {
            let least = TaskLimit.leastBurst(for: rate)
            limit.burst = limit.burst ?? least
            if limit.burst ?? 0 < least {
                note(
                    "\(pointer)/burst",
                    "is at least \(least) with this rate: tasks are let go every 100 ms or so, and "
                        + "what a smaller bucket cannot hold meanwhile is lost"
                )
            }
        } else if limit.burst != nil {
            note("\(pointer)/burst", "goes with a rate")
        }
        if limit.isStrict, limit.cap ?? 1 != 1 {
            note("\(pointer)/cap", "is 1, or missing, with order: strict")
        }
        if limit.isStrict { limit.cap = 1 }
        if limit.rate == nil, limit.cap == nil { note(pointer, "has neither rate nor cap") }
        return limit
    }

    private mutating func check(_ name: String, at pointer: String) {
        if !TaskType.isName(name) {
            note(pointer, TaskType.nameRule)
        } else if name.hasPrefix(TaskType.ownPrefix) {
            note(pointer, "begins with \(TaskType.ownPrefix), as only built-in types do")
        }
    }

    private mutating func handler(_ tree: JSONTree?, at pointer: String) -> TaskType.Handler? {
        guard let tree else {
            note(pointer, "is missing")
            return nil
        }
        guard let members = object(tree, at: pointer, knowing: ["kind", "url", "secret"]) else {
            return nil
        }
        let kind = text(members, "kind", at: pointer)
        if kind != "http" {
            for name in ["url", "secret"] where members[name] != nil {
                note("\(pointer)/\(name)", "is for http handlers only")
            }
        }
        switch kind {
        case "swift": return .swift
        case "command": return .command
        case "http": return http(members, at: pointer)
        case _:
            note("\(pointer)/kind", "is one of swift, http, command")
            return nil
        }
    }

    private mutating func http(
        _ members: [String: JSONTree],
        at pointer: String
    ) -> TaskType.Handler? {
        let secret = text(members, "secret", at: pointer)
        if let secret {
            let rest = secret.dropFirst(TaskType.secretPrefix.count)
            let isVariable = rest.utf8.allSatisfy {
                $0 == UInt8(ascii: "_") || $0 | 0x20 == $0 && $0 < 0x40
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
            }
            if !secret.hasPrefix(TaskType.secretPrefix) || rest.isEmpty || !isVariable {
                note(
                    "\(pointer)/secret",
                    "names an environment variable, \(TaskType.secretPrefix) and more"
                )
            }
        }
        guard let url = text(members, "url", at: pointer),
            let parts = URLComponents(string: url),
            ["http", "https"].contains(parts.scheme?.lowercased()), parts.host?.isEmpty == false,
            parts.user == nil, parts.password == nil, parts.fragment == nil
        else {
            note("\(pointer)/url", "is an http or https URL without user, password and fragment")
            return nil
        }
        return .http(url: url, secret: secret)
    }

    // MARK: Members

    private mutating func object(
        _ tree: JSONTree,
        at pointer: String,
        knowing names: [String]
    ) -> [String: JSONTree]? {
        guard case .object(let members) = tree else {
            note(pointer, "is no object")
            return nil
        }
        for name in members.keys.sorted() where !names.contains(name) {
            // As RFC 6901 escapes it.
            let escaped = name.replacing("~", with: "~0").replacing("/", with: "~1")
            note("\(pointer)/\(escaped)", "is unknown; known are \(names.joined(separator: ", "))")
        }
        return members
    }

    /// - Returns: nil where it is missing, or noted as wrong.
    private mutating func text(
        _ members: [String: JSONTree],
        _ name: String,
        at pointer: String
    ) -> String? {
        guard let value = members[name] else { return nil }
        if case .string(let text) = value { return text }
        note("\(pointer)/\(name)", "is no string")
        return nil
    }

    private mutating func number(
        _ members: [String: JSONTree],
        _ name: String,
        in range: ClosedRange<Double>,
        at pointer: String
    ) -> Double? {
        guard let value = members[name] else { return nil }
        if case .number(let number) = value, range.contains(number) { return number }
        note("\(pointer)/\(name)", "is a number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    private mutating func integer(
        _ members: [String: JSONTree],
        _ name: String,
        in range: ClosedRange<Int>,
        at pointer: String
    ) -> Int? {
        guard let value = members[name] else { return nil }
        if case .number(let number) = value, let integer = Int(exactly: number),
            range.contains(integer)
        {
            return integer
        }
        note(
            "\(pointer)/\(name)",
            "is a whole number from \(range.lowerBound) to \(range.upperBound)"
        )
        return nil
    }
}

extension JSONTree? {
    fileprivate var isText: Bool { if case .string? = self { true } else { false } }
}
