import Foundation
import TestSupport
import Testing

/// Rules of form that a program can check.
struct TidyTests {
    @Test(arguments: Rule.allCases) func noFileBreaksIt(_ rule: Rule) {
        for file in SourceTree.all {
            let places = rule.breaches(in: file)
            if !places.isEmpty { Issue.record("\(rule), \(file.path): \(places.prefix(5))") }
        }
    }
}

/// What a single file can break.
enum Rule: String, CaseIterable, Sendable {
    /// 100 columns at most, comments included.
    case columns
    /// 400 lines at most.
    case length
    /// Plain technical English: see `Words`.
    case words
    /// Encoders are set up in the JSON target.
    case encoder
    /// No function with four `inout` or five unlabelled parameters.
    case parameters
    /// Locks are made in Concurrency: `Locked`, which ThreadSanitizer sees, and its conditions.
    case locks

    /// Where it does, for people.
    func breaches(in file: SourceFile) -> [String] {
        switch self {
        case .columns:
            return file.lines.enumerated().filter { $1.utf8.count > 100 && $1.count > 100 }
                .map { "line \($0.offset + 1)" }
        case .length: return file.lines.count > 401 ? ["\(file.lines.count - 1) lines"] : []
        case .words:
            if Self.filesOfWords.contains(where: file.path.contains) { return [] }
            let lettersAreText = Self.modulesAboutText.contains { file.path.contains("/\($0)") }
            return file.lines.enumerated().flatMap { number, line in
                Words.banned(in: line, lettersAreText: lettersAreText)
                    .map { "line \(number + 1): \($0)" }
            }
        case .encoder:
            if !file.path.hasPrefix("Sources/") || file.target == "JSON" { return [] }
            return file.lines.enumerated().filter { $1.contains("JSONEncoder()") }
                .map { "line \($0.offset + 1)" }
        case .locks:
            let isExempt = ["Concurrency/", "TidyTests/"].contains { file.path.contains($0) }
            if !file.isSwift || isExempt { return [] }
            return Self.lockTypes.intersection(file.names).sorted().map { "\($0)" }
        case .parameters:
            return file.isSwift ? Self.longSignatures(in: file.lines) : []
        }
    }

    private static let lockTypes: Set<Substring> = [
        "Mutex", "NIOLock", "NIOLockedValueBox", "NSLock", "NSRecursiveLock",
        "pthread_mutex_t", "pthread_rwlock_t", "pthread_spinlock_t",
    ]

    private static let filesOfWords = [
        // The list itself, and the test of documents, have to name them.
        "TidyTests/Words.swift", "DocumentsTests/",
        // What children and their robots say.
        "ConversationAnalysis/Lexicon/", "SampleConversations/Phrases.swift",
    ]

    private static let modulesAboutText = [
        "ConversationAnalysis", "Digests", "FriendshipScoring", "JSON", "SafeText", "TidyTests",
    ]

    /// A signature ends where its line does, or at the parenthesis that stands where it began.
    private static func longSignatures(in lines: [Substring]) -> [String] {
        lines.indices.compactMap { index in
            let line = lines[index]
            guard line.contains("func "), !line.drop(while: { $0 == " " }).hasPrefix("//") else {
                return nil
            }
            let indent = line.prefix { $0 == " " } + ")"
            let rest = lines[(index + 1)...].prefix { !$0.hasPrefix(indent) }
            let parameters = line.hasSuffix("(") ? rest.map { $0[...] } : line.split(separator: ",")
            let inouts = parameters.count { $0.contains(": inout ") }
            let unlabelled = parameters.count { $0.contains("_ ") && $0.contains(": ") }
            return inouts > 3 || unlabelled > 4 ? "line \(index + 1)" : nil
        }
    }
}
