import FriendshipScoring

// Finds the three numbers that counting turns does not give, in microseconds, from rules and word
// lists alone: no network, no clock, no locale, no randomness. The same log has the same analysis
// everywhere. The rules are `Questions`, `Emotions` and `Memories`; what words mean to them is in
// `Lexicon`. Nothing of a text leaves this room but the three numbers.

extension Analysis {
    /// Most questions and most memories that one conversation is given.
    ///
    /// Chosen: a lively one of the labelled set has 5; no number of turns or tricks is worth more
    /// than this many.
    package static let mostOfAKind = 20

    /// Reads a conversation once, in time that grows with its length and nothing else.
    package init(reading log: ConversationLog) {
        var reader = ConversationReader()
        for item in log.items {
            switch item.speaker {
            case .pika: reader.hearRobot(item.text)
            case .user: reader.hearChild(item.text)
            case .other: break
            }
        }
        self = reader.analysis
    }
}

/// Follows a conversation item by item.
struct ConversationReader: ~Copyable {
    private var robot = RobotUtterance()
    private var child = Utterance()
    private var questions = Questions()
    private var memories = Memories()
    private var emotions = Emotions()

    mutating func hearRobot(_ text: String) { robot.read(text) }

    mutating func hearChild(_ text: String) {
        child.read(text, with: .grammar)
        let before = questions.count
        var isEcho = false
        for sentence in child.sentences {
            let isRepeated = robot.contains(sentence, of: child)
            let isQuestion = questions.read(
                sentence,
                of: child,
                after: robot,
                isRepeated: isRepeated
            )
            isEcho = isEcho || isRepeated
            if isRepeated { continue }
            if !isQuestion { memories.read(sentence, of: child) }
            emotions.read(sentence, of: child, after: robot, isQuestion: isQuestion)
        }
        memories.endItem(of: child, after: robot, isEcho: isEcho)
        emotions.endItem(of: child, hasAsked: questions.count > before)
        robot.isAnswered = true
    }

    var analysis: Analysis {
        Analysis(
            userInitiatedQuestions: min(questions.count, Analysis.mostOfAKind),
            sessionEmotion: emotions.verdict(questions: questions.count).rawValue,
            newMemoriesCount: min(memories.count, Analysis.mostOfAKind)
        )
    }
}

/// What the robot said last, as far as it tells what the child's words are.
struct RobotUtterance: ~Copyable {
    private(set) var utterance = Utterance()
    /// Whether any sentence asks.
    private(set) var asks = false
    /// Whether it wants something repeated.
    private(set) var isDrill = false
    /// Whether a short answer would be a fact about the child.
    private(set) var isPersonal = false
    /// Whether it speaks of the child at all.
    private(set) var addressesChild = false
    /// Whether the child has said something since.
    var isAnswered = false

    mutating func read(_ text: String) {
        utterance.read(text, with: .robot)
        (asks, isDrill, isPersonal, addressesChild, isAnswered) = (
            false, false, false, false, false
        )
        for sentence in utterance.sentences {
            var tags: Tags = []
            for unit in utterance.units[sentence.units] { tags.formUnion(unit.tags) }
            asks = asks || sentence.isAsked
            isDrill = isDrill || tags.contains(.drill)
            addressesChild =
                addressesChild || !tags.isDisjoint(with: [.child, .personal, .passingQuestion])
            if sentence.isAsked {
                // The last question is the one that is answered.
                isPersonal = tags.contains(.personal) && !tags.contains(.passingQuestion)
            }
        }
    }

    /// Whether the child says what the robot has just said: an echo, or a phrase it was to repeat.
    func contains(_ sentence: Utterance.Sentence, of child: borrowing Utterance) -> Bool {
        let range = child.words(of: sentence)
        // A word alone is an answer, unless it was asked for.
        guard !range.isEmpty, range.count > 1 || isDrill else { return false }
        guard isDrill || child.sentences.count == 1 else { return false }
        // Most sentences are over here, before anything is copied.
        guard hasSaid(child.words[range.lowerBound]) else { return false }
        return utterance.words.map(\.plain).holds(child.words[range].map(\.plain))
    }

    func hasSaid(_ word: Word) -> Bool { utterance.words.contains { $0.plain == word.plain } }
}

extension Utterance {
    func words(of sentence: Sentence) -> Range<Int> {
        units[sentence.units.lowerBound].words
            .lowerBound..<units[sentence.units.upperBound - 1].words.upperBound
    }
}

extension Array where Element: Equatable {
    /// Whether it has these elements side by side (Knuth, Morris, Pratt: linear whatever they are).
    func holds(_ wanted: [Element]) -> Bool {
        if wanted.isEmpty || wanted.count > count { return wanted.isEmpty }
        let borders = wanted.borders
        var matched = 0
        for element in self {
            while matched > 0, wanted[matched] != element { matched = borders[matched - 1] }
            if wanted[matched] == element { matched += 1 }
            if matched == wanted.count { return true }
        }
        return false
    }

    /// For each beginning of the array: how much of it is also its end, without being all of it.
    var borders: [Int] {
        var borders = [Int](repeating: 0, count: count)
        var length = 0
        for index in indices.dropFirst() {
            while length > 0, self[length] != self[index] { length = borders[length - 1] }
            if self[length] == self[index] { length += 1 }
            borders[index] = length
        }
        return borders
    }

    /// The shortest part of which the array is a repetition; an end of it may be missing.
    var period: ArraySlice<Element> { prefix(count - (borders.last ?? 0)) }
}
