import ArgumentParser
import Daemon
import Foundation
import Operations
import SafeText

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say how a conversation's score came about, or why it has none yet.",
        discussion: """
            Part by part, with the source of each number; or where the conversation stands: \
            queued, delayed, dead-lettered, unknown. Shows nothing of what was said.
            """
    )

    @Argument(help: "The conversation's id.")
    var conversation: String

    @Flag(help: "One JSON object instead of a table.")
    var json = false

    func run() async throws {
        let settings = try start()
        let explanation = try await reportingFailure {
            let sessions = settings.session(named: "amity explain")
            return try Explainer(options: settings.explainer, sessions: sessions)
                .explain(conversation)
        }
        print(json ? try explanation.json : explanation.table)
        if explanation.state == .unknown { throw ExitCode.failure }
    }
}

extension Explanation {
    fileprivate var table: String {
        var lines = ["\(conversationID): \(headline)"]
        lines += facts.map { name, value in
            "  \(pad(name, 16))\(value)"
        }
        if let score { lines += [""] + score.lines }
        if !because.isEmpty { lines += [""] + because.map { "  \($0)" } }
        for deadLetter in deadLetters {
            lines.append(
                """
                  dead letter \(deadLetter.id): \(deadLetter.code) after \(deadLetter.attempts) \
                attempts at \(deadLetter.lastFailureAt): \(deadLetter.reason)
                """
            )
        }
        return lines.map(\.printable).joined(separator: "\n")
    }

    private var headline: String {
        switch state {
        case .scored: "scored"
        case .skipped: "skipped"
        case .unknown: "unknown"
        case .queued: "not scored yet, queued"
        case .processing: "not scored yet, in another worker's hands"
        case .delayed: "not scored yet, will be tried again"
        case .dead: "not scored, dead-lettered"
        }
    }

    private var facts: [(String, String)] {
        var facts: [(String, String?)] = [
            ("user", userID), ("created", createdAt),
            ("attempts", status == nil ? nil : "\(attempts)"), ("scored", processedAt),
        ]
        if state == .delayed { facts.append(("next attempt", nextAttemptAt)) }
        if let errorCode {
            facts.append(
                ("error", [errorCode, errorDetails].compactMap(\.self).joined(separator: ": "))
            )
        }
        if let paid {
            let known = [
                paid.questions.map { "\($0) questions" }, paid.emotion,
                paid.memories.map { "\($0) memories" },
            ]
            facts.append(("paid for so far", known.compactMap(\.self).joined(separator: ", ")))
        }
        return facts.compactMap { name, value in value.map { (name, $0) } }
    }
}

extension Explanation.Score {
    fileprivate var lines: [String] {
        var lines = [row("", "", "points", "from")]
        lines += parts.map { part in
            row(part.name, part.value, number(part.points), source(of: part))
        }
        lines.append(row("change", "", number(change), change == 0 ? "never less than 0" : ""))
        if changeByWeights != change {
            lines.append(
                """
                  By the weights that are set now it would be \(number(changeByWeights)): they \
                have changed.
                """
            )
        }
        if let scoreBefore, let scoreAfter {
            lines.append(
                row("friendship", "", "\(number(scoreBefore)) → \(number(scoreAfter))", "")
            )
        }
        if let levelAfter {
            let level = levelBefore.map { $0 == levelAfter ? $0 : "\($0) → \(levelAfter)" }
            lines.append(row("level", "", level ?? levelAfter, ""))
        }
        return lines
    }

    private func source(of part: Explanation.Part) -> String {
        guard let source = part.source else { return "not recorded" }
        let turns = turns(of: part)
        let failure = part.name == "memories" ? sources?.memoryFailure : sources?.llmFailure
        switch (source, failure) {
        case ("log", _): return "the log"
        case ("llm", _): return "llm" + (sources?.model.map { ", \($0)" } ?? "")
        case ("built-in", let failure?), ("zeros", let failure?):
            let service = part.name == "memories" ? "memory service" : "llm"
            return "\(source)\(turns), because the \(service) gave none: \(failure)"
        case _: return source + turns
        }
    }

    /// ": turns 4, 8, 8", by their ids; the last is one with two.
    private func turns(of part: Explanation.Part) -> String {
        guard let turns = part.turns, !turns.isEmpty else { return "" }
        let ids = turns.map(String.init).joined(separator: ", ")
        return ": \(turns.count == 1 ? "turn" : "turns") \(ids)"
    }

    private func row(_ name: String, _ value: String, _ points: String, _ rest: String) -> String {
        let row = "  \(pad(name, 12))\(pad(value, 14))\(pad(points, 10))\(rest)"
        return String(row.reversed().drop { $0 == " " }.reversed())
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }
}

private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
