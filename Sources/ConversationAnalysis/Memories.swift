/// Counts what one would want to remember of the child.
///
/// 1. A clause with the child, or a person or thing of the child's, as its subject and a lasting
///    predicate is a fact: "I have …", "my mom is …", "tớ thích …", "mẹ con …". So is a second
///    one about the same person or thing right after it ("his name is Max").
/// 2. What happened ("we went …") is an event; all of one item are one.
/// 3. Where the robot has asked about the child, what begins an answer is a fact, be it one word;
///    and so is whatever the child says of itself, with whichever verb.
/// 4. While the child tells of its own life, what happens to others belongs to it.
/// 5. How the child is just now, what it wants in this session, what it does not know: none. Nor
///    is what it says in anger.
/// 6. The same words, in whatever order, count once in a conversation.
struct Memories {
    /// Each with the place of its item.
    private var known: [(key: UInt64, place: Int)] = []
    /// Whether the child tells of its own life, as far as the last item shows.
    private(set) var isTelling = false
    /// Whether the last clause was about a person or thing of the child's.
    private var isAboutOwn = false
    /// Of the item that is being read.
    private var hasEvent = false
    private var clauses: [Range<Int>] = []
    private var isStopped = false

    /// Most different memories that are remembered; past them nothing counts.
    private static let limit = 64
    /// Words of an answer that tells one thing. Chosen.
    private static let answerWords = 8

    var count: Int { known.count }

    /// Of the items that are counted, in order.
    var places: [Int] { known.map(\.place) }

    /// Reads what of an item is the child's own and asks nothing.
    ///
    /// - Returns: whether any of it is a memory.
    mutating func read(
        _ sentences: [Range<Int>],
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        place: Int
    ) -> Bool {
        let before = count
        let isAnswer = robot.isPersonal && !robot.isAnswered
        let isTold = robot.invites || isTelling && !robot.asksInPassing && !robot.isDrill
        guard !isStopped else {
            isTelling = isTold
            return false
        }
        clauses.removeAll(keepingCapacity: true)
        for sentence in sentences { child.addClauses(of: sentence, to: &clauses) }
        hasEvent = false
        for (index, units) in clauses.enumerated() {
            let clause = Clause(
                child.units[units],
                followsOwn: isAboutOwn,
                followsEvent: hasEvent,
                isAnswer: isAnswer,
                isTold: isTold || isAnswer || count > before
            )
            switch clause.kind {
            case .none:
                let isFragment = index == 0 && isAnswer && clause.isFragment
                if isFragment && child.words(of: units).count <= Self.answerWords,
                    !child.repeats(units, in: clauses.dropFirst())
                {
                    add(clause.key, place)
                }
                isAboutOwn = isAboutOwn || clause.isAboutOwn
                continue
            case .fact: add(clause.key, place)
            case .event:
                if !hasEvent { add(clause.key, place) }
                hasEvent = true
            }
            isAboutOwn = clause.isAboutOwn || isAboutOwn && clause.kind == .event
        }
        isTelling = count > before || isTold
        return count > before
    }

    /// What follows is made up.
    mutating func stop() { isStopped = true }

    private mutating func add(_ key: UInt64, _ place: Int) {
        guard known.count < Self.limit, !known.contains(where: { $0.key == key }) else { return }
        known.append((key, place))
    }
}

extension Utterance {
    private func isHollow(_ units: Range<Int>) -> Bool {
        self.units[units].allSatisfy { !$0.tags.isDisjoint(with: .empty) }
    }

    /// Adds the parts of a sentence that may each tell something; none before the first of an item
    /// that does.
    fileprivate func addClauses(of sentence: Range<Int>, to clauses: inout [Range<Int>]) {
        var first = sentence.lowerBound
        for index in first + 1...sentence.upperBound
        where index == sentence.upperBound || beginsClause(at: index) {
            let clause = first..<index
            if !clauses.isEmpty || !isHollow(clause) { clauses.append(clause) }
            first = index
        }
    }

    /// A comma, or an "and" with a new subject behind it.
    private func beginsClause(at index: Int) -> Bool {
        if units[index].beginsClause { return true }
        let subjects: Tags = [.firstPerson, .possessive, .family, .anaphor]
        let before = units[index - 1].tags
        return before.contains(.conjunction) && before.isDisjoint(with: [.opener, .firstPerson])
            && !units[index].tags.isDisjoint(with: subjects)
    }

    /// Whether the words of a clause are all in others: "Blue! I like blue."
    fileprivate func repeats(_ clause: Range<Int>, in others: ArraySlice<Range<Int>>) -> Bool {
        units[clause].allSatisfy { unit in
            !unit.tags.isDisjoint(with: .empty)
                || others.contains { units[$0].contains { $0.hash == unit.hash } }
        }
    }
}

extension Tags {
    fileprivate static let empty: Tags = [.minimal, .filler, .tag, .idle]
    /// Not in the key of a memory.
    fileprivate static let contentless = empty.union([.adverb, .hollow, .conjunction])
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

    /// Whether it answers in a few words, without a subject.
    private(set) var isFragment = false
    private let followsEvent: Bool
    /// "One day", "tomorrow".
    private let isPlanned: Bool
    private let isAnswer: Bool
    private let isTold: Bool

    /// - Parameters:
    ///   - followsOwn: whether the last clause was about a person or thing of the child's.
    ///   - followsEvent: whether the item has told of an event.
    ///   - isAnswer: whether the robot has asked about the child.
    ///   - isTold: whether the child tells of its own life.
    init(
        _ all: ArraySlice<Utterance.Unit>,
        followsOwn: Bool,
        followsEvent: Bool,
        isAnswer: Bool,
        isTold: Bool
    ) {
        self.followsEvent = followsEvent
        self.isAnswer = isAnswer
        self.isTold = isTold
        units = all.drop { unit in
            !unit.tags.isDisjoint(with: [.filler, .adverb, .minimal, .conjunction])
                && unit.tags.isDisjoint(with: [.firstPerson, .possessive, .family, .anaphor, .pet])
        }
        var tags: Tags = []
        for unit in all {
            tags.formUnion(unit.tags)
            if unit.tags.isDisjoint(with: .contentless) { key &+= unit.hash }
        }
        isPlanned = tags.contains(.wish)
        guard let first = units.first else { return }
        // "Really" alone is astonishment, before a verb it is not.
        let isPassing =
            !tags.isDisjoint(with: [.passing, .idle])
            && units.contains { unit in
                unit.tags.contains(.passing) || unit.tags.contains(.idle) && unit.words.count > 1
            }
        if isPassing { return }
        let isOwn = isOwn(first)
        if isOwn {
            kind = ofOwn(from: subjectEnd)
        } else if first.tags.contains(.firstPerson) {
            kind = units.last!.tags.contains(.now) ? .none : ofTheChild()
        } else if first.tags.contains(.anaphor), followsOwn {
            let isOfRobot = units.contains {
                $0.tags.contains(.objective) && $0.tags.contains(.hollow)
            }
            let isShort = units.count < (first.tags.contains(.being) ? 2 : 3)
            kind =
                isShort || isOfRobot
                ? .none
                : units.contains { !$0.tags.isDisjoint(with: [.event, .past]) } ? .event : .fact
        } else if isAnswer, first.tags.contains(.event) {
            kind = .event
        } else if isTold {
            kind = ofOthers()
        }
        isFragment = !first.tags.contains(.firstPerson) && key != 0
        let isOfFamilyOrPet = !tags.isDisjoint(with: [.family, .pet])
        let isOfOwn = isOwn || first.tags.contains(.anaphor) || isOfFamilyOrPet
        isAboutOwn = kind == .fact || kind == .event && isOfOwn || isOwn
    }

    /// What others did, in a tale of the child's own.
    private func ofOthers() -> Kind {
        let isSaid = units.contains {
            $0.tags.contains(.reporting) && !$0.tags.contains(.event)
        }
        if units.count > 2, units.dropFirst().first!.tags.contains(.being) {
            let what = ofBeing(units.dropFirst(2))
            if what != .none { return what }
        }
        guard units.count > 4, !isSaid else { return .none }
        for index in units.indices.dropFirst() {
            let tags = units[index].tags
            if !tags.isDisjoint(with: [.event, .firstPerson]) { return .event }
            // "It was so good" only praises.
            if tags.contains(.past), !units[index - 1].tags.contains(.hollow) { return .event }
        }
        return .none
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
            guard first.tags.isDisjoint(with: Tags.verbs.union([.anaphor, .negator, .objective]))
            else {
                return false
            }
            // "Ước mơ của tớ …", "phòng con có …"
            if isNamed { return true }
            let isOwned =
                secondIsFirstPerson && units.count > 2
                && !units[units.startIndex + 2].tags.isDisjoint(with: .verbs)
            return isOwned || units.prefix(3).contains { $0.tags.contains(.possessive) }
        }
        return first.tags.contains(.family)
            && (!first.tags.contains(.firstPerson) || secondIsFirstPerson)
    }

    /// "Mai là em con".
    private var isNamed: Bool {
        let after = units.dropFirst(2)
        return units.dropFirst().first?.tags.contains(.being) == true && after.count > 1
            && after.first!.tags.contains(.family)
            && after.dropFirst().first!.tags.contains(.firstPerson)
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
        if rest.first!.tags.contains(.progressive) { return .none }
        // Reported speech is its speaker's, not the child's.
        if rest.contains(where: { $0.tags.contains(.reporting) }) { return .none }
        guard let verb = rest.first(where: { !$0.tags.contains(.adverb) }) else { return .none }
        let isJustNow =
            rest.contains { $0.tags.contains(.progressive) }
            && rest.contains { $0.tags.contains(.being) && !$0.tags.contains(.past) }
        if isJustNow { return .none }
        if verb.tags.contains(.number), rest.count > 1 { return ofBeing(rest.dropFirst()) }
        if !verb.tags.isDisjoint(with: [.fact, .being, .number]) { return .fact }
        // "Ông già Noel": who knows whose.
        let isTheirs = units.contains { !$0.tags.isDisjoint(with: [.firstPerson, .possessive]) }
        if !isTheirs && !isTold && rest.allSatisfy({ $0.tags.isDisjoint(with: .verbs) }) {
            return .none
        }
        return followsEvent || rest.contains { $0.tags.contains(.event) } ? .event : .fact
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
        let hasObject = object.contains {
            $0.tags.isDisjoint(with: [.hollow, .adverb]) && $0.hash != verb.hash
                && $0.hash != first.hash
        }
        let isNegated = units[..<index].contains { $0.tags.contains(.negator) }
        if verb.tags.contains(.wish) { return hasObject && !isNegated ? .fact : .none }
        if verb.tags.contains(.being) { return ofBeing(object) }
        if verb.tags.contains(.number) { return ofBeing(rest) }
        if verb.tags.contains(.fact), hasObject || verb.tags.contains(.identity) { return .fact }
        if verb.tags.contains(.event) { return hasObject ? .event : .none }
        if verb.tags.contains(.bareVerb) {
            let isLasting = isAnswer || isPlanned
            return isLasting && hasObject && !isNegated ? .fact : .none
        }
        if verb.tags.contains(.knowing) { return .none }
        return isTold && hasObject ? .event : .none
    }

    /// "I am" six, from Hanoi, an only child; not tired.
    private func ofBeing(_ rest: ArraySlice<Utterance.Unit>) -> Kind {
        guard let what = rest.first(where: { !$0.tags.contains(.adverb) }) else { return .none }
        if !what.tags.isDisjoint(with: [.progressive, .event]) {
            let isPast = units.contains { $0.tags.contains(.past) }
            let isDone = isPast && (isTold || what.tags.contains(.event))
            return isDone || isPlanned ? .event : .none
        }
        return what.tags.isDisjoint(with: [.identity, .number, .possessive]) ? .none : .fact
    }
}
