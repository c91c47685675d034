/// What a clause is, seen as something to remember: by its subject and its predicate, and by what
/// the robot has asked and the child told before.
struct Clause {
    enum Kind { case none, fact, event }

    private(set) var kind = Kind.none
    /// The same for the same content words in any order.
    private(set) var key: UInt64 = 0
    /// Whether it says "I" or "my".
    private(set) var isOfTheChild = false
    /// Whether what follows may be about a person or thing of the child's.
    private(set) var isAboutOwn = false
    private let units: ArraySlice<Utterance.Unit>

    /// Units of a clause among which its predicate is. Chosen.
    private static let predicateUnits = 6

    /// Whether it answers in a few words, without a subject.
    private(set) var isFragment = false
    /// Words that tell something.
    private(set) var content = 0
    /// Whether it may be a memory where the child is known to tell of its life.
    private(set) var saysSomething = false
    private let followsEvent: Bool
    /// "One day", "tomorrow".
    private let isPlanned: Bool
    /// "Yesterday", "was".
    private let isPast: Bool
    private let isAnswer: Bool
    private let asksOpenly: Bool
    private let asksWish: Bool
    private let isTold: Bool

    /// - Parameters:
    ///   - followsOwn: whether the last clause was about a person or thing of the child's.
    ///   - followsEvent: whether the item has told of an event.
    ///   - isAnswer: whether the robot has asked about the child.
    ///   - asksOpenly: whether it wants more than a yes or no.
    ///   - asksWish: whether the robot has asked what the child wants.
    ///   - isTold: whether the child tells of its own life.
    ///   - isSecond: whether the item has told something.
    init(
        _ all: ArraySlice<Utterance.Unit>,
        followsOwn: Bool,
        followsEvent: Bool,
        isAnswer: Bool,
        asksOpenly: Bool,
        asksWish: Bool,
        isTold: Bool,
        isSecond: Bool
    ) {
        self.asksOpenly = asksOpenly
        self.asksWish = asksWish
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
        isPast = tags.contains(.past)
        guard let first = units.first else { return }
        // "Really" alone is astonishment, before a verb it is not.
        // Behind a first predicate either belongs to what the child runs on to.
        let isPassing =
            !tags.isDisjoint(with: [.passing, .idle])
            && units.prefix(Self.predicateUnits).contains { unit in
                unit.tags.contains(.passing) || unit.tags.contains(.idle) && unit.words.count > 1
            }
        if isPassing { return }
        content = units.count { unit in
            unit.tags.isDisjoint(
                with: Tags.contentless.union([.firstPerson, .anaphor, .being, .negator, .knowing])
            )
        }
        saysSomething = (isTold || isAnswer) && says(tags)
        // "Hát đi", "con ăn đây".
        if units.last!.tags.contains(.now), !tags.contains(.being) { return }
        let isOwn = isOwn(first)
        isOfTheChild = !first.tags.isDisjoint(with: [.firstPerson, .possessive])
        if isOwn {
            kind = ofOwn(from: subjectEnd)
        } else if first.tags.contains(.firstPerson) {
            kind = ofTheChild()
        } else if first.tags.contains(.anaphor), followsOwn {
            let isOfRobot = units.contains {
                $0.tags.contains(.objective) && $0.tags.contains(.hollow)
            }
            let isShort = units.count < (first.tags.contains(.being) ? 2 : 3)
            // "It was cold" only goes on with what was told.
            let isSame = first.tags.contains(.objective) && (isSecond || content < 3)
            let isJustNow =
                first.tags.contains(.being) && units.contains { $0.tags.contains(.progressive) }
            kind =
                isShort || isOfRobot || isSame || isJustNow
                ? .none
                : units.contains { !$0.tags.isDisjoint(with: [.event, .past]) } ? .event : .fact
        } else if isAnswer || isTold, first.tags.contains(.event) {
            kind = .event
        } else if isTold {
            kind = ofOthers()
        }
        isFragment =
            first.tags.isDisjoint(with: [.firstPerson, .anaphor]) && key != 0 && !isNothing(tags)
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
        if units.count > 1, units.dropFirst().first!.tags.contains(.identity) { return .fact }
        let isOfRobot = units.contains { !$0.tags.isDisjoint(with: [.addressee, .robot]) }
        guard units.count > 4, !isSaid, !isOfRobot else { return .none }
        for index in units.indices.dropFirst() {
            let tags = units[index].tags
            if !tags.isDisjoint(with: [.event, .firstPerson]) { return .event }
            // "It was so good" only praises.
            if tags.contains(.past), !units[index - 1].tags.contains(.hollow) { return .event }
        }
        return .none
    }

    /// "Không thích môn nào", "not anything".
    private func isNothing(_ tags: Tags) -> Bool {
        tags.contains(.negator) && !tags.isDisjoint(with: [.indefinite, .asking])
    }

    /// Whether it says anything that a tale of the child's life may consist of, in whatever form:
    /// no mood, wish of the moment, order, praise, or word about the robot.
    private func says(_ tags: Tags) -> Bool {
        let others: Tags = [.passing, .idle, .reporting, .addressee, .robot, .progressive]
        guard tags.isDisjoint(with: others.union(.body)), let first = units.first else {
            return false
        }
        let orders: Tags = [.bareVerb, .exclaiming]
        if !first.tags.isDisjoint(with: orders) || units.last!.tags.contains(.now) { return false }
        // "It was so good", "that's it".
        if first.tags.contains(.pronoun), first.tags.isDisjoint(with: .event) { return false }
        if isNothing(tags) || tags.contains(.bareVerb) { return false }
        let life = Tags.verbs.union([.past, .firstPerson, .family, .possessive, .anaphor, .pet])
        if isAnswer { return content > (asksOpenly ? 1 : 2) }
        return content > 2 && !tags.isDisjoint(with: life) && !first.tags.contains(.fact)
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
            // "Look at my drawing" is about what is behind the "my".
            return isOwned
                || units.prefix(3).contains {
                    $0.tags.contains(.possessive) && !$0.tags.contains(.subject)
                }
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
        // "My eyes are heavy" passes, "my tooth came out" has happened.
        let isOfBody = units.contains { $0.tags.contains(.body) }
        if isOfBody, rest.allSatisfy({ $0.tags.isDisjoint(with: .event) }) { return .none }
        if rest.first!.tags.contains(.progressive) { return .none }
        // "Bà hay …": a habit.
        if rest.first!.tags.isSuperset(of: [.adverb, .fact]), rest.count > 1 { return .fact }
        // Reported speech is its speaker's, not the child's.
        if rest.contains(where: { $0.tags.contains(.reporting) }) { return .none }
        guard let verb = rest.first(where: { !$0.tags.contains(.adverb) }) else { return .none }
        let isJustNow =
            rest.contains { $0.tags.contains(.progressive) }
            && rest.contains { $0.tags.contains(.being) && !$0.tags.contains(.past) }
        if isJustNow { return .none }
        if verb.tags.contains(.number), rest.count > 1 { return ofBeing(rest.dropFirst()) }
        let isTheirs = units.contains { !$0.tags.isDisjoint(with: [.firstPerson, .possessive]) }
        let predicates = Tags.verbs.union([.number, .past, .identity])
        if !isTheirs, rest.allSatisfy({ $0.tags.isDisjoint(with: predicates) }) { return .none }
        if !verb.tags.isDisjoint(with: [.fact, .being, .number]) { return .fact }
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
        if verb.tags.contains(.event) { return hasObject || isTold ? .event : .none }
        if verb.tags.contains(.bareVerb) {
            let isLasting = isAnswer && asksWish || isPlanned
            return isLasting && hasObject && !isNegated ? .fact : .none
        }
        if verb.tags.contains(.knowing) {
            let isWhat = object.first?.tags.isDisjoint(with: [.opener, .why, .asking]) ?? false
            let isAbility = !(object.first?.tags.isDisjoint(with: .verbs) ?? true)
            return (isTold || isAbility) && hasObject && isWhat && !isNegated ? .fact : .none
        }
        return (isTold || isPast) && hasObject ? .event : .none
    }

    /// "I am" six, from Hanoi, an only child; not tired.
    private func ofBeing(_ rest: ArraySlice<Utterance.Unit>) -> Kind {
        guard let what = rest.first(where: { !$0.tags.contains(.adverb) }) else { return .none }
        if !what.tags.isDisjoint(with: [.progressive, .event]) {
            let isDone = isPast && (isTold || what.tags.contains(.event))
            return isDone || isPlanned ? .event : .none
        }
        return what.tags.isDisjoint(with: [.identity, .number, .possessive]) ? .none : .fact
    }
}
