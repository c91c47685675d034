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
    package init(reading log: ConversationLog) { self = ConversationReader(log).analysis }
}

/// Which items of a log an analysis counted, by their places in it: an item stands once for each
/// question or memory in it.
package struct CountedItems: Equatable, Sendable {
    package var questions: [Int]
    package var memories: [Int]
}

extension CountedItems {
    package init(reading log: ConversationLog) { self = ConversationReader(log).counted }
}

/// Follows a conversation item by item.
struct ConversationReader: ~Copyable {
    private var robot = RobotUtterance()
    private var child = Utterance()
    private var lesson = Lesson()
    private var questions = Questions()
    private var memories = Memories()
    private var emotions = Emotions()
    /// What the item that is read says without asking.
    private var told: [Range<Int>] = []

    init(_ log: ConversationLog) {
        for (place, item) in log.items.enumerated() {
            switch item.speaker {
            case .pika: hearRobot(item.text)
            case .user: hearChild(item.text, at: place)
            case .other: break
            }
        }
    }

    private mutating func hearRobot(_ text: String) {
        robot.read(text, amidTale: memories.isTelling)
        lesson.hear(robot)
        memories.isStopped = robot.isPretending
    }

    /// What is not the child's own talk makes no question, mood or memory: silence, buttons and
    /// sound files, and what the robot has said or wanted repeated.
    private mutating func hearChild(_ text: String, at place: Int) {
        child.read(text, with: .grammar, vietnamese: robot.utterance.isVietnamese)
        guard child.form == .talk, !child.words.isEmpty else { return }
        let before = questions.count
        var own = 0
        told.removeAll(keepingCapacity: true)
        for sentence in child.sentences {
            let isRepeated =
                lesson.holds(sentence, of: child, after: robot)
                || robot.contains(sentence, of: child)
            let telling = questions.read(
                sentence,
                of: child,
                after: robot,
                isRepeated: isRepeated,
                place: place
            )
            if isRepeated { continue }
            own += 1
            let isQuestion = telling != sentence.units
            let isAngry = emotions.read(sentence, of: child, after: robot, isQuestion: isQuestion)
            if !isAngry, !telling.isEmpty { told.append(telling) }
        }
        if own > 0 {
            let tells = memories.read(told, of: child, after: robot, place: place)
            let hasAsked = questions.count > before
            emotions.endItem(of: child, after: robot, tells: tells, asks: hasAsked)
        }
        lesson.endItem(after: robot, isOwn: own == child.sentences.count)
        robot.isAnswered = true
    }

    var analysis: Analysis {
        Analysis(
            userInitiatedQuestions: min(questions.count, Analysis.mostOfAKind),
            sessionEmotion: emotions.verdict(questions: questions.curious).rawValue,
            newMemoriesCount: min(memories.count, Analysis.mostOfAKind)
        )
    }

    var counted: CountedItems {
        CountedItems(
            questions: Array(questions.places.prefix(Analysis.mostOfAKind)),
            memories: Array(memories.places.prefix(Analysis.mostOfAKind))
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
    /// Whether it wants that once more: a drill only where one goes on.
    private(set) var isRepeatedDrill = false
    /// Whether it also says what.
    private(set) var hasModel = false
    /// Whether a short answer would be a fact about the child.
    private(set) var isPersonal = false
    /// Whether it wants the child to tell of its life.
    private(set) var invites = false
    /// Whether it wants a sentence made up.
    private(set) var wantsSentence = false
    /// Whether it has begun a game in which the child plays another.
    private(set) var isPretending = false
    /// Whether it asks how the child is just now, or what it wants to do.
    private(set) var asksInPassing = false
    /// Whether it speaks of the child at all.
    private(set) var addressesChild = false
    /// Whether more than a yes or no is asked for.
    private(set) var asksOpenly = false
    /// Whether it asks what the child wants.
    private(set) var asksWish = false
    /// Whether it names what to choose from.
    private(set) var offers = false
    /// Whether it lets the child guess, until it has more to say than hints.
    private(set) var isRiddling = false
    /// Whether the child has said something since.
    var isAnswered = false

    /// Words of a question that goes on with the child's tale without naming the child. Chosen.
    private static let followUpWords = 6
    /// Most words of a hint. Chosen.
    private static let riddleWords = 12

    /// - Parameter isAmidTale: whether the child tells of its life.
    mutating func read(_ text: String, amidTale isAmidTale: Bool) {
        utterance.read(text, with: .robot, vietnamese: utterance.isVietnamese)
        (asks, isDrill, hasModel, isPersonal) = (false, false, false, false)
        (asksInPassing, addressesChild, invites) = (false, false, false)
        (isAnswered, isRepeatedDrill, offers, asksWish) = (false, false, false, false)
        wantsSentence = false
        if utterance.words.count > Self.riddleWords { isRiddling = false }
        for sentence in utterance.sentences {
            let tags = sentence.tags
            if isDrill || isRepeatedDrill || !tags.isDisjoint(with: [.drill, .again, .imperative]) {
                findDrill(in: sentence)
            }
            asks = asks || sentence.isAsked
            addressesChild =
                addressesChild || !tags.isDisjoint(with: [.child, .personal, .passingQuestion])
            if tags.contains(.pretence) {
                isPretending = true
            } else if !tags.isDisjoint(with: [.invitation, .asking]) {
                isPretending = false
            }
            if tags.contains(.riddle) { isRiddling = true }
            wantsSentence = wantsSentence || tags.contains(.exercise)
            offers = offers || tags.contains(.or)
            invites = invites || tags.contains(.invitation)
            if !sentence.isAsked { continue }
            // The last question is the one that is answered.
            asksInPassing = tags.contains(.passingQuestion)
            let length = utterance.words(of: sentence.units).count
            let isFollowUp =
                (isAmidTale || isPersonal) && length <= Self.followUpWords
                && tags.isDisjoint(with: [.being, .quiz])
            let isAbout =
                tags.contains(.personal) || tags.contains(.child) && !tags.contains(.quiz)
                || isFollowUp
            asksWish = tags.contains(.wish)
            asksOpenly =
                offers || !tags.isDisjoint(with: [.opener, .personal]) || length < 4
            isPersonal = isAbout && !asksInPassing
        }
        if isDrill, !hasModel { hasModel = utterance.words.contains { $0.isQuoted } }
    }

    private mutating func findDrill(in sentence: Utterance.Sentence) {
        for index in sentence.units {
            let tags = utterance.units[index].tags
            if isDrill(at: index, of: sentence) {
                (isDrill, hasModel) = (true, false)
            } else if tags.contains(.again) {
                (isRepeatedDrill, hasModel) = (true, false)
            } else if tags.isDisjoint(with: [.filler, .drill, .imperative]) {
                hasModel = true
            }
        }
    }

    /// "Repeat after me" wherever it stands; "say …" where it begins.
    private func isDrill(at index: Int, of sentence: Utterance.Sentence) -> Bool {
        let unit = utterance.units[index]
        if unit.tags.contains(.drill) { return true }
        guard unit.tags.contains(.imperative) else { return false }
        return index == sentence.units.lowerBound || unit.beginsClause
            || utterance.units[index - 1].tags.contains(.filler)
    }

    /// Whether the child says what the robot has just said: an echo, or a phrase it was to repeat.
    func contains(_ sentence: Utterance.Sentence, of child: borrowing Utterance) -> Bool {
        let range = child.words(of: sentence.units)
        // A word alone is an answer, unless it was asked for.
        guard !range.isEmpty, range.count > 1 || isDrill else { return false }
        // "How do you spell … c, a, t", but not "I'm fine. How are you?"
        let isFirst = sentence.units.lowerBound == 0 && range.count > 2
        guard isDrill || child.sentences.count == 1 || isFirst else { return false }
        // Most sentences are over here, before anything is copied.
        let second = min(1, range.count - 1)
        let begins = utterance.words.indices.dropLast(second).contains {
            utterance.words[$0].plain == child.words[range.lowerBound].plain
                && utterance.words[$0 + second].plain
                    == child.words[range.lowerBound + second].plain
        }
        guard begins else { return false }
        return utterance.words.map(\.plain).holds(child.words[range].map(\.plain))
    }

    /// Whether an answer only takes up the words of the question: as much as a yes or no.
    func hasSaidAll(of child: borrowing Utterance, in units: Range<Int>) -> Bool {
        for unit in child.units[units]
        where unit.tags.isDisjoint(with: [.filler, .minimal, .negator, .adverb, .hollow]) {
            for word in child.words[unit.words] where !hasSaid(word) { return false }
        }
        return true
    }

    func hasSaid(_ word: Word) -> Bool { utterance.words.contains { $0.plain == word.plain } }
}

extension Utterance {
    func words(of range: Range<Int>) -> Range<Int> {
        units[range.lowerBound].words.lowerBound..<units[range.upperBound - 1].words.upperBound
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
    var period: ArraySlice<Element> {
        // Nothing is repeated without its first.
        guard let first, dropFirst().contains(first) else { return self[...] }
        return prefix(count - borders.last!)
    }
}
