/// Counts what the child asks of its own accord.
///
/// 1. A sentence asks by its form ("why …", "do you …", "tại sao", "… không" at the end), with or
///    without a question mark; or by the mark or a tag ("hả", "right") alone.
/// 2. What only a mark makes a question is a guess where the robot has just asked, and astonishment
///    where it says what the robot said.
/// 3. Repeated after the robot, quoted, reported, said of something known, or one of the phrases
///    that ask nothing: no question.
/// 4. The same words count once in a conversation, and a bare "why" not next to a full one.
struct Questions {
    private var asked: Set<UInt64> = []
    /// First words of what was asked, and those that were asked alone.
    private var openings: Set<UInt64> = []
    private var bare: Set<UInt64> = []

    /// Most different questions that are remembered; past them nothing counts.
    private static let limit = 64

    var count: Int { asked.count + bare.subtracting(openings).count }

    /// - Returns: whether the sentence asks, whether it counts or not.
    mutating func read(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        isRepeated: Bool
    ) -> Bool {
        let form = Form(sentence, of: child, after: robot)
        switch form.kind {
        case .none: return false
        case .idle: return true
        case .full, .bare: break
        }
        if isRepeated || asked.count >= Self.limit { return true }
        let hashes = form.units.map(\.hash)
        let words = hashes.period
        if words.count == 1, form.kind == .bare {
            bare.insert(words[0])
        } else {
            openings.insert(words[0])
            asked.insert(words.reduce(Word.start, Word.combine))
        }
        return true
    }
}

/// What a sentence is, seen as a question.
private struct Form {
    enum Kind {
        case none
        /// Asks nothing, or nothing of the child's own.
        case idle
        case full
        /// "why?"
        case bare
    }

    typealias Unit = Utterance.Unit

    /// Without what stands around the question.
    private(set) var units: ArraySlice<Unit>
    private(set) var kind = Kind.none

    init(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance
    ) {
        units = child.units[sentence.units]
        let all = units
        trim()
        guard let first = units.first else {
            let isIdle = all.contains { $0.tags.contains(.idle) }
            kind = sentence.isAsked || isIdle ? .idle : .none
            return
        }
        let isAsked = sentence.isAsked || units.count > 1 && units.last!.tags.contains(.tag)
        if units.allSatisfy({ !$0.tags.isDisjoint(with: [.idle, .filler, .minimal]) }) {
            kind = Self.asksAlone(first) && isOneWord ? .bare : .idle
            if kind == .idle && !sentence.isAsked { kind = .none }
            return
        }
        if Self.asksAlone(first), isOneWord {
            kind = .bare
        } else if asksByItsForm(isAsked: sentence.isAsked) {
            kind = isGuess(after: robot) ? .idle : .full
        } else if isAsked {
            kind = isMereMark(of: child, after: robot) ? .idle : .full
        }
    }

    private static func asksAlone(_ unit: Unit) -> Bool {
        !unit.tags.isDisjoint(with: [.opener, .why, .asking]) && !unit.tags.contains(.idle)
    }

    /// One word, however often.
    private var isOneWord: Bool { units.allSatisfy { $0.hash == units.first!.hash } }

    private mutating func trim() {
        while let first = units.first, first.tags.contains(.filler), !Self.asksAlone(first) {
            units = units.dropFirst()
        }
        while let last = units.last, last.tags.contains(.filler), !last.tags.contains(.tag) {
            units = units.dropLast()
        }
    }

    // MARK: Form

    private func asksByItsForm(isAsked: Bool) -> Bool {
        var isReported = false
        var (isOwn, isNegated) = (false, false)
        for index in units.indices {
            let tags = units[index].tags
            let isFirst = index == units.startIndex || units[index].beginsClause
            if isFirst, opens(at: index, isAsked: isAsked) { return true }
            isOwn = isOwn || !tags.isDisjoint(with: [.firstPerson, .negator, .passing])
            if tags.contains(.reporting) || tags.contains(.knowing) && isOwn { isReported = true }
            if !isReported, isAsked || !isNegated, asks(at: index, isAsked: isAsked) { return true }
            if tags.contains(.negator) { isNegated = true }
        }
        return false
    }

    /// Whether a clause that begins here asks: "why …", "is it …", "sao …".
    private func opens(at index: Int, isAsked: Bool) -> Bool {
        let tags = units[index].tags
        let next = units.index(after: index) < units.endIndex ? units[index + 1] : nil
        if tags.contains(.exclaiming) { return false }
        if tags.contains(.opener) {
            guard let next else { return isAsked }
            return isAsked || tags.contains(.auxiliary) || Self.isAskedAbout(next)
        }
        if tags.contains(.auxiliary), let next {
            let fits = !tags.union(next.tags).isDisjoint(with: [.helper, .subject])
            return isAsked || fits && units.endIndex - index >= 3
        }
        return tags.contains(.why) && next != nil
    }

    /// "what happened" asks, "what I like" does not.
    private static func isAskedAbout(_ next: Unit) -> Bool {
        !next.tags.contains(.firstPerson)
            && (!next.tags.contains(.subject) || next.tags.contains(.auxiliary))
    }

    /// Whether a word asks where it stands.
    private func asks(at index: Int, isAsked: Bool) -> Bool {
        let tags = units[index].tags
        let isLast = index == units.endIndex - 1
        if tags.contains(.asking) { return true }
        if tags.contains(.why) { return isLast && units.count > 1 }
        if tags.contains(.indefinite) { return isAsked || isLast && units.count > 1 }
        if tags.contains(.yesNo), isLast, units.count > 1 {
            if isAsked { return true }
            let length = units[index].words.upperBound - units.first!.words.lowerBound
            // "Tớ thì không" says no.
            let before = units[index - 1].tags
            let saysNo = !before.isDisjoint(with: [.firstPerson, .adverb, .minimal]) && length < 5
            return length > 2 && !saysNo
        }
        return false
    }

    // MARK: What is none for all its form

    private func isGuess(after robot: borrowing RobotUtterance) -> Bool {
        robot.asks && !robot.isAnswered && units.count > 1 && units.first!.tags.contains(.auxiliary)
            && units[units.startIndex + 1].tags.contains(.pronoun)
    }

    private func isMereMark(of child: borrowing Utterance, after robot: borrowing RobotUtterance)
        -> Bool
    {
        if robot.asks && !robot.isAnswered { return true }
        let empty: Tags = [.firstPerson, .tag, .filler, .opener]
        for unit in units where unit.tags.isDisjoint(with: empty) {
            for word in child.words[unit.words] where !robot.hasSaid(word) { return false }
        }
        return true
    }
}
