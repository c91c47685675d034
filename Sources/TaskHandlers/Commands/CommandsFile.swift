import Foundation
import TaskTypes
import Tasks

/// The commands that a worker runs, from a file of its own: what runs here is never decided by what
/// comes over the network.
///
///     {"commands": [{"type": "resize", "argv": ["/usr/bin/convert", "-", "png:-"],
///                    "environment": {"MAGICK_THREAD_LIMIT": "1"}}]}
package struct CommandsFile: Sendable, Equatable {
    package typealias Problem = TypesFile.Problem
    package typealias Problems = TypesFile.Problems

    package struct Command: Sendable, Equatable {
        /// The program by its absolute path, and what it is given.
        package var argv: [String]
        /// Besides what every command has.
        package var environment: [String: String] = [:]

        package init(argv: [String], environment: [String: String] = [:]) {
            self.argv = argv
            self.environment = environment
        }
    }

    /// By type of task.
    package let commands: [String: Command]

    /// - Throws: all problems at once, without the values: an environment may hold secrets.
    package init(_ json: Data) throws(Problems) {
        let tree: JSONTree
        do {
            tree = try JSONDecoder().decode(JSONTree.self, from: json)
        } catch {
            throw Problems(list: [.init(pointer: "", message: "is no JSON")])
        }
        var reader = CommandsReader()
        commands = reader.commands(tree)
        if !reader.problems.isEmpty { throw Problems(list: reader.problems) }
    }
}

private struct CommandsReader {
    private(set) var problems: [CommandsFile.Problem] = []

    private mutating func note(_ pointer: String, _ message: String) {
        problems.append(.init(pointer: pointer, message: message))
    }

    mutating func commands(_ tree: JSONTree) -> [String: CommandsFile.Command] {
        guard let members = object(tree, at: "", knowing: ["commands"]) else { return [:] }
        guard case .array(let list)? = members["commands"] else {
            note("/commands", "is missing, or no array")
            return [:]
        }
        var commands: [String: CommandsFile.Command] = [:]
        for (index, tree) in list.enumerated() {
            let pointer = "/commands/\(index)"
            let known = ["type", "argv", "environment"]
            guard let members = object(tree, at: pointer, knowing: known) else { continue }
            let type = type(members["type"], at: "\(pointer)/type")
            let command = CommandsFile.Command(
                argv: argv(members["argv"], at: "\(pointer)/argv"),
                environment: environment(members["environment"], at: "\(pointer)/environment")
            )
            if let type, commands.updateValue(command, forKey: type) != nil {
                note("\(pointer)/type", "is there twice")
            }
        }
        return commands
    }

    private mutating func type(_ tree: JSONTree?, at pointer: String) -> String? {
        if case .string(let name)? = tree, TaskType.isName(name) { return name }
        note(
            pointer,
            "has 1 to 100 characters: a to z, A to Z, digits, dots, hyphens, underscores"
        )
        return nil
    }

    private mutating func argv(_ tree: JSONTree?, at pointer: String) -> [String] {
        guard case .array(let list)? = tree, !list.isEmpty else {
            note(pointer, "is an array of strings, the first a program's path")
            return []
        }
        let words = list.enumerated().map { index, word in
            text(word, at: "\(pointer)/\(index)") ?? ""
        }
        if case .string(let program) = list[0], !program.hasPrefix("/") {
            note("\(pointer)/0", "is no absolute path")
        }
        return words
    }

    private mutating func environment(
        _ tree: JSONTree?,
        at pointer: String
    ) -> [String: String] {
        guard let tree else { return [:] }
        guard case .object(let members) = tree else {
            note(pointer, "is no object")
            return [:]
        }
        var variables: [String: String] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let place = "\(pointer)/\(name.pointerPart)"
            if name.isEmpty || name.contains("=") || name.contains("\0") {
                note(place, "is no name of a variable")
            }
            variables[name] = text(value, at: place)
        }
        return variables
    }

    private mutating func text(_ tree: JSONTree, at pointer: String) -> String? {
        if case .string(let text) = tree, !text.contains("\0") { return text }
        note(pointer, "is no string, or holds a NUL")
        return nil
    }

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
            let place = "\(pointer)/\(name.pointerPart)"
            note(place, "is unknown; known are \(names.joined(separator: ", "))")
        }
        return members
    }
}

extension String {
    /// As RFC 6901 escapes it.
    fileprivate var pointerPart: String { replacing("~", with: "~0").replacing("/", with: "~1") }
}
