import Foundation
import JSON
import SafeText
import Tasks

/// A batch as operators see it.
struct ShownBatch: Encodable {
    private let batchId: String
    private let kbId: String?
    private let status: String
    private let progress: Int?
    private let total: Int
    private let tasks: [String: Int]
    private let createdAt: Date
    private let openUntil: Date?
    private let finishedAt: Date?

    init(_ batch: BatchView) {
        (batchId, kbId, status) = (batch.id.text, batch.kbID, batch.status.rawValue)
        (progress, total) = (batch.percent, batch.total)
        tasks = Dictionary(
            uniqueKeysWithValues: TaskState.allCases.map { ($0.name, batch.counts[$0] ?? 0) }
        )
        (createdAt, openUntil, finishedAt) = (batch.createdAt, batch.openUntil, batch.finishedAt)
    }

    /// On one line, safe to show.
    var json: String { JSONEncoder.api.certainText(self).printableJSON }

    // MARK: Text

    static let head = [
        "id", "kb", "status", "progress", "", "total", "completed", "failed", "cancelled",
        "created",
    ]

    /// In twenty marks.
    private var bar: String {
        let full = (progress ?? 0) / 5
        return "[\(String(repeating: "#", count: full))\(String(repeating: ".", count: 20 - full))]"
    }

    private var percent: String { progress.map { "\($0) %" } ?? "-" }

    var cells: [String] {
        [batchId, kbId ?? "-", status, bar, percent, "\(total)"]
            + [TaskState.completed, .failed, .cancelled].map { "\(tasks[$0.name] ?? 0)" }
            + [createdAt.ISO8601Format()]
    }

    /// One fact a line.
    var lines: [String] {
        let counts = TaskState.allCases.compactMap { state in
            tasks[state.name].flatMap { $0 > 0 ? "\($0) \(state.name)" : nil }
        }
        let facts: [[String]?] = [
            ["id", batchId], kbId.map { ["kb", $0] }, ["status", status],
            ["progress", "\(bar) \(percent)"],
            ["tasks", "\(total)" + (total == 0 ? "" : ": \(counts.joined(separator: ", "))")],
            ["created", createdAt.ISO8601Format()],
            openUntil.map { ["open until", $0.ISO8601Format()] },
            finishedAt.map { ["finished", $0.ISO8601Format()] },
        ]
        return TextTable.lines(facts.compactMap(\.self))
    }
}

/// Which tasks of a batch need which, as a tree: each stands below the first that it needs.
enum DependencyPicture {
    /// - Parameter members: oldest first, so that each comes after those that it needs.
    static func lines(_ members: [BatchMember]) -> [String] {
        let numbers = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.id, $0) })
        var below: [[Int]] = members.map { _ in [] }
        var roots: [Int] = []
        for (number, member) in members.enumerated() {
            // Of those that are shown, and older: none stands below itself.
            let first = member.needs.compactMap { numbers[$0] }.filter { $0 < number }.min()
            if let first { below[first].append(number) } else { roots.append(number) }
        }
        var lines: [String] = []
        var open = roots.reversed().map { (number: $0, indent: "", mark: "") }
        while let (number, indent, mark) = open.popLast() {
            let member = members[number]
            let others = member.needs.compactMap { numbers[$0] }.sorted().dropFirst()
            let rest = others.isEmpty ? "" : " +#" + others.map(String.init).joined(separator: ",#")
            let shown = "\(sign(of: member.state)) #\(number) \(member.type) \(member.id)\(rest)"
            lines.append(indent + mark + shown)
            let children = below[number]
            let deeper = indent + (mark.isEmpty ? "" : mark.hasPrefix("`") ? "   " : "|  ")
            for (place, child) in children.enumerated().reversed() {
                open.append((child, deeper, place == children.count - 1 ? "`- " : "|- "))
            }
        }
        return lines
    }

    private static func sign(of state: TaskState) -> String {
        switch state {
        case .completed: "+"
        case .failed: "x"
        case .cancelled: "-"
        case .processing: ">"
        case .scheduled, .blocked, .waiting, .queued: "."
        }
    }
}
