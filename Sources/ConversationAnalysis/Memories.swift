/// Counts what one would want to remember of the child.
///
/// 1. A clause with the child, or a person or thing of the child's, as its subject and a lasting
///    predicate is a fact: "I have …", "my mom is …", "tớ thích …", "mẹ con …". So is a second
///    one about the same person or thing right after it ("his name is Max").
/// 2. What happened ("we went …") is an event; all of one item are one.
/// 3. Where the robot has asked about the child, what begins an answer is a fact, be it one word;
///    and so is whatever the child says of itself, with whichever verb.
/// 4. While the child tells of its own life, what happens to others belongs to it, and an item
///    that says anything in whatever form is a memory, unless it is one of 5.
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
    private var hasAnswered = false
    private var clauses: [Range<Int>] = []
    /// Whether what is told is made up.
    var isStopped = false

    /// Most different memories that are remembered; past them nothing counts.
    private static let limit = 64
    /// Words of an answer that tells one thing. Chosen.
    private static let answerWords = 12

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
        let isTold =
            robot.invites || isTelling && !robot.asksInPassing && !robot.isDrill
        guard !isStopped else {
            isTelling = isTold
            return false
        }
        clauses.removeAll(keepingCapacity: true)
        for sentence in sentences { child.addClauses(of: sentence, to: &clauses) }
        (hasEvent, hasAnswered) = (false, false)
        var said: UInt64?
        for (index, units) in clauses.enumerated() {
            let clause = Clause(
                child.units[units],
                // "What does your mother do?" "She …"
                followsOwn: isAboutOwn || isAnswer && robot.asksOpenly && index == 0,
                followsEvent: hasEvent,
                isAnswer: isAnswer,
                asksOpenly: robot.asksOpenly,
                asksWish: robot.asksWish,
                isTold: isTold || isAnswer || count > before,
                isSecond: count > before
            )
            if said == nil, clause.saysSomething { said = clause.key }
            switch clause.kind {
            case .none:
                let words = child.words(of: units).count
                let isFragment = index == 0 && isAnswer && clause.isFragment
                if isFragment, words <= Self.answerWords, robot.asksOpenly || clause.content > 2,
                    robot.offers || !robot.hasSaidAll(of: child, in: units),
                    !child.repeats(units, in: clauses.dropFirst())
                {
                    add(clause.key, place)
                    // "Maths. I got two wrong": one answer.
                    hasAnswered = true
                }
                isAboutOwn = isAboutOwn || clause.isAboutOwn
                continue
            case .fact: if !hasEvent || clause.isOfTheChild { add(clause.key, place) }
            case .event:
                if !hasEvent && !hasAnswered { add(clause.key, place) }
                hasEvent = true
            }
            isAboutOwn = clause.isAboutOwn || isAboutOwn && clause.kind == .event
        }
        if count == before, isTold || isAnswer, let key = said { add(key, place) }
        isTelling = count > before || (isTold || isAnswer) && !sentences.isEmpty
        return count > before
    }

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
        where index == sentence.upperBound
            || beginsClause(at: index, of: first..<sentence.upperBound)
        {
            let clause = first..<index
            if !clauses.isEmpty || !isHollow(clause) { clauses.append(clause) }
            first = index
        }
    }

    /// A comma, an "and" with a new subject behind it, or in run-on speech the subject alone.
    private func beginsClause(at index: Int, of clause: Range<Int>) -> Bool {
        if units[index].beginsClause { return true }
        let subjects: Tags = [.firstPerson, .possessive, .family, .anaphor, .nominative]
        let (tags, before) = (units[index].tags, units[index - 1].tags)
        let hasBeing = index + 1 < clause.upperBound && units[index + 1].tags.contains(.being)
        if before.contains(.conjunction), before.isDisjoint(with: [.opener, .firstPerson]),
            hasBeing || !tags.isDisjoint(with: subjects)
        {
            return true
        }
        let joins = Tags.verbs.union([
            .reporting, .knowing, .auxiliary, .opener, .conjunction, .possessive, .family,
            .firstPerson, .negator,
        ])
        guard index > clause.lowerBound + 1, index + 1 < clause.upperBound,
            before.isDisjoint(with: joins)
        else { return false }
        if tags.contains(.nominative) { return tags.isDisjoint(with: .objective) }
        let follows: Tags = [.being, .adverb, .negator]
        return !tags.isDisjoint(with: [.firstPerson, .anaphor]) && !tags.contains(.possessive)
            && !units[index + 1].tags.isDisjoint(with: follows)
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
    static let contentless = empty.union([.adverb, .hollow, .conjunction])
}
