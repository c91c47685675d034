/// Counts what one would want to remember of the child.
///
/// 1. A clause with the child, or a person or thing of the child's, as its subject and a lasting
///    predicate is a fact: "I have …", "my mom is …", "tớ thích …", "mẹ con …". So is a second
///    one about the same person or thing right after it ("his name is Max").
/// 2. What happened ("we went …") is an event; all of one item are one.
/// 3. A short answer to a question about the child is a fact, unless the item says one in full.
/// 4. How the child is just now, what it wants in this session, what it does not know: none.
/// 5. The same words, in whatever order, count once in a conversation.
struct Memories {
    private var known: Set<UInt64> = []
    /// Of the item that is being read.
    private var hasEvent = false
    private var statements = 0
    private var isAboutOwn = false

    /// Most different memories that are remembered; past them nothing counts.
    private static let limit = 64

    var count: Int { known.count }

    mutating func read(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance
    ) {
        var first = sentence.units.lowerBound
        for index in sentence.units.dropFirst() where child.beginsClause(at: index) {
            read(child.units[first..<index])
            first = index
        }
        read(child.units[first..<sentence.units.upperBound])
    }

    private mutating func read(_ units: ArraySlice<Utterance.Unit>) {
        let clause = Clause(units, followsOwn: isAboutOwn)
        switch clause.kind {
        case .none: return
        case .fact: add(clause.key)
        case .event:
            if !hasEvent { add(clause.key) }
            hasEvent = true
        }
        statements += 1
        isAboutOwn = clause.isAboutOwn
    }

    private mutating func add(_ key: UInt64) {
        if known.count < Self.limit { known.insert(key) }
    }

    /// Sees to rule 3, and makes ready for the next item.
    mutating func endItem(
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        isEcho: Bool
    ) {
        defer { (hasEvent, statements, isAboutOwn) = (false, 0, false) }
        guard statements == 0, !isEcho, robot.isPersonal, !robot.isAnswered,
            let answer = child.sentences.first(where: { !child.isHollow($0) }), !answer.isAsked
        else { return }
        let all = child.units[answer.units]
        let units = all.filter { $0.tags.isDisjoint(with: Utterance.hollow) }
        let isShort = child.words(of: answer).count <= Self.answerWords
        if isShort && !all.contains(where: { $0.tags.contains(.passing) }) {
            add(units.reduce(0) { $0 &+ $1.hash })
        }
    }

    /// Words of an answer that tells one thing. Chosen.
    private static let answerWords = 8
}

extension Utterance {
    fileprivate static let hollow: Tags = [.minimal, .filler, .tag, .idle]

    fileprivate func isHollow(_ sentence: Sentence) -> Bool {
        units[sentence.units].allSatisfy { !$0.tags.isDisjoint(with: Self.hollow) }
    }

    /// A comma, or an "and" with a new subject behind it.
    fileprivate func beginsClause(at index: Int) -> Bool {
        if units[index].beginsClause { return true }
        let subjects: Tags = [.firstPerson, .possessive]
        return units[index - 1].tags.contains(.conjunction)
            && !units[index].tags.isDisjoint(with: subjects)
    }
}

/// What a clause is, seen as something to remember.
private struct Clause {
    enum Kind { case none, fact, event }

    private(set) var kind = Kind.none
    /// The same for the same content words in any order.
    private(set) var key: UInt64 = 0
    /// Whether what follows may be about a person or thing of the child's.
    private(set) var isAboutOwn = false
    private let units: ArraySlice<Utterance.Unit>

    /// - Parameter followsOwn: whether the last clause was about a person or thing of the child's.
    init(_ all: ArraySlice<Utterance.Unit>, followsOwn: Bool) {
        units = all.drop { unit in
            !unit.tags.isDisjoint(with: [.filler, .adverb, .minimal, .conjunction])
                && unit.tags.isDisjoint(with: [.firstPerson, .possessive, .family, .anaphor, .pet])
        }
        guard let first = units.first else { return }
        // "Really" alone is astonishment, before a verb it is not.
        let isPassing = units.contains { unit in
            unit.tags.contains(.passing) || unit.tags.contains(.idle) && unit.words.count > 1
        }
        if isPassing { return }
        if isOwn(first) {
            kind = ofOwn(from: subjectEnd)
        } else if first.tags.contains(.firstPerson) {
            kind = ofTheChild()
        } else if first.tags.contains(.anaphor), followsOwn {
            kind = units.count > 2 ? .fact : .none
        }
        let isOfFamilyOrPet = units.contains { !$0.tags.isDisjoint(with: [.family, .pet]) }
        isAboutOwn = kind == .fact || kind == .event && isOfFamilyOrPet
        for unit in units where unit.tags.isDisjoint(with: [.adverb, .hollow, .conjunction]) {
            key &+= unit.hash
        }
    }

    /// Whether the subject is a person or thing of the child's: "my …", "mẹ …", "con mèo nhà tớ …".
    private func isOwn(_ first: Utterance.Unit) -> Bool {
        if first.tags.contains(.possessive) { return true }
        if first.tags.contains(.pet) {
            return units.dropFirst().contains {
                !$0.tags.isDisjoint(with: [.possessive, .firstPerson])
            }
        }
        if first.tags.isDisjoint(with: [.firstPerson, .family]) {
            // "Ước mơ của tớ …"
            return units.prefix(3).contains { $0.tags.contains(.possessive) }
                && first.tags.isDisjoint(with: Tags.verbs.union(.anaphor))
        }
        return first.tags.contains(.family)
            && (!first.tags.contains(.firstPerson) || secondIsFirstPerson)
    }

    /// "Em tớ" is not "em".
    private var secondIsFirstPerson: Bool {
        units.count > 1 && units[units.startIndex + 1].tags.contains(.firstPerson)
    }

    private var subjectEnd: Int { units.startIndex + (secondIsFirstPerson ? 2 : 1) }

    private func ofOwn(from start: Int) -> Kind {
        guard units.endIndex - start >= 1, units.count > 2 || secondIsFirstPerson else {
            return .none
        }
        let rest = units[start...]
        if rest.allSatisfy({ $0.tags.contains(.hollow) }) { return .none }
        // Reported speech is its speaker's, not the child's.
        if rest.contains(where: { $0.tags.contains(.reporting) }) { return .none }
        return rest.contains { $0.tags.contains(.event) } ? .event : .fact
    }

    private func ofTheChild() -> Kind {
        let first = units.first!
        var index = units.startIndex + 1
        while index < units.endIndex,
            !units[index].tags.isDisjoint(with: [.adverb, .negator]),
            units[index].tags.isDisjoint(with: .verbs)
        {
            index += 1
        }
        let rest = units[index...]
        if first.tags.contains(.being) { return ofBeing(rest) }
        guard let verb = rest.first else { return .none }
        let object = rest.dropFirst()
        let hasObject = object.contains { $0.tags.isDisjoint(with: [.hollow, .adverb]) }
        let isNegated = units[..<index].contains { $0.tags.contains(.negator) }
        if verb.tags.contains(.wish) { return hasObject && !isNegated ? .fact : .none }
        if verb.tags.contains(.being) { return ofBeing(object) }
        if verb.tags.contains(.number) { return ofBeing(rest) }
        if verb.tags.contains(.fact), hasObject { return .fact }
        return verb.tags.contains(.event) && hasObject ? .event : .none
    }

    /// "I am" six, from Hanoi, an only child; not tired.
    private func ofBeing(_ rest: ArraySlice<Utterance.Unit>) -> Kind {
        let isIdentity = rest.prefix(3).contains {
            !$0.tags.isDisjoint(with: [.identity, .number, .possessive])
        }
        return isIdentity ? .fact : .none
    }
}
