/// What a sentence is, seen as a question.
struct QuestionForm {
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
    private var units: ArraySlice<Unit>
    private(set) var kind = Kind.none
    /// What asks: several clauses, or else all of it.
    private(set) var asking: [ArraySlice<Unit>] = []
    /// Of the first that asks.
    private(set) var begin: Int
    /// Whether its mark alone makes it one.
    private(set) var isMark = false

    init(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance
    ) {
        units = child.units[sentence.units]
        begin = units.startIndex
        let all = units
        trim()
        guard let first = units.first else {
            let isIdle = all.contains { $0.tags.contains(.idle) }
            kind = sentence.isAsked || isIdle ? .idle : .none
            return
        }
        let isAsked = sentence.isAsked || endsInTag
        if units.allSatisfy({ !$0.tags.isDisjoint(with: [.idle, .filler, .minimal]) }) {
            kind = Self.asksAlone(first) && isOneWord ? .bare : .idle
            asking = [units]
            if kind == .idle && !sentence.isAsked { kind = .none }
            return
        }
        if Self.asksAlone(first), isOneWord {
            kind = !isAsked && hasSaid(first, robot, of: child) ? .idle : .bare
        } else {
            if !sentence.tags.isDisjoint(with: .asks) { findClauses(isAsked: sentence.isAsked) }
            if !asking.isEmpty {
                let isAnswer = isGuess(after: robot) || !isAsked && takesUp(robot, of: child)
                kind = isAnswer || isDefinition ? .idle : .full
            } else if isAsked {
                kind = isMereMark(of: child, after: robot) ? .idle : .full
                isMark = true
            }
        }
        if kind != .none, asking.count < 2 { asking = [units] }
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

    /// "can I": the rest is not said.
    static func isCut(_ clause: ArraySlice<Unit>) -> Bool {
        clause.count == 2 && clause.first!.tags.contains(.auxiliary)
            && clause.last!.tags.contains(.firstPerson)
    }

    /// "do we need eggs", not "where does it hurt you": the child's question, not its role's.
    var isAboutTheGame: Bool {
        asking.joined().contains { $0.tags.contains(.firstPerson) }
            && units.allSatisfy { $0.tags.isDisjoint(with: [.addressee, .robot]) }
    }

    /// "how do fish sleep", not "can we …", "what do I get", "are you …": of the world, not of the
    /// two who talk.
    static func isCurious(_ clause: ArraySlice<Unit>) -> Bool {
        clause.prefix(3).allSatisfy {
            $0.tags.isDisjoint(with: [.firstPerson, .robot, .addressee])
        }
    }

    /// "… hả", "… right"; but "con thích ổi à" tells.
    private var endsInTag: Bool {
        guard units.count > 1, let last = units.last, last.tags.contains(.tag),
            !last.tags.contains(.indefinite)
        else { return false }
        return !last.tags.contains(.softTag)
            || units.dropLast().last!.tags.isDisjoint(with: .hollow) && units.count > 2
                && units.first!.tags.isDisjoint(with: [.firstPerson, .negator, .adverb])
    }

    // MARK: Form

    /// Finds the clauses that ask by their form.
    private mutating func findClauses(isAsked: Bool) {
        let lastAlso = units.lastIndex { $0.tags.contains(.also) } ?? units.startIndex - 1
        var (clause, isReported, isOwn, isNegated, hasAsked) =
            (units.startIndex, false, false, false, false)
        var asked = 0
        for index in units.indices {
            let tags = units[index].tags
            // "Where'd he go, did he move out": both want one answer.
            let goesOn = hasAsked && !tags.contains(.conjunction)
            if index > clause,
                units[index].beginsClause && !goesOn || hasAsked && isNewClause(at: index, asked)
            {
                if hasAsked { asking.append(units[clause..<index]) }
                (clause, hasAsked, isNegated) = (index, false, false)
            }
            if hasAsked { continue }
            let asks = !tags.isDisjoint(with: .asks) && index >= lastAlso && !isAny(at: index)
            if asks, !isReported || isAsked, opens(at: index, isAsked: isAsked) {
                hasAsked = true
                if asking.isEmpty { begin = index }
            }
            isOwn = isOwn || !tags.isDisjoint(with: [.firstPerson, .negator, .passing])
            if tags.contains(.reporting) || tags.contains(.knowing) && isOwn { isReported = true }
            if asks, !isReported, isAsked || !isNegated, !hasAsked,
                self.asks(at: index, isAsked: isAsked) || hasAlternative(at: index)
            {
                hasAsked = true
                if asking.isEmpty { begin = clause }
            }
            if hasAsked { asked = index }
            let saysNothing = tags.contains(.idle) && units[index].words.count > 1
            if tags.contains(.negator) || saysNothing { isNegated = true }
        }
        if hasAsked { asking.append(units[clause...]) }
    }

    /// Where no comma says so: "how are you and what is …", "có răng không nó ăn gì".
    private func isNewClause(at index: Int, _ asked: Int) -> Bool {
        let before = units[index - 1].tags
        // "Không còn" is no more.
        let isNone = index - asked > 1 && !units[index - 2].tags.isDisjoint(with: [.yesNo])
        // "… or do you": one question, two answers.
        if before.contains(.or) { return false }
        if before.contains(.conjunction) && !before.contains(.opener) && !isNone { return true }
        let isSubject = !units[index].tags.isDisjoint(with: [.anaphor, .robot])
        if !before.isDisjoint(with: [.auxiliary, .opener]) { return false }
        return isSubject && (index - asked > 1 || units[asked].tags.contains(.yesNo))
    }

    private func unit(_ index: Int) -> Unit? { units.indices.contains(index) ? units[index] : nil }

    /// Whether a clause begins here, or would if one wrote commas.
    private func beginsClause(at index: Int) -> Bool {
        index == units.startIndex || units[index].beginsClause
            || !units[index - 1].tags.isDisjoint(with: [.filler, .conjunction])
    }

    /// Whether what begins here asks in the order of its words: "why …", "is it …", "sao …".
    private func opens(at index: Int, isAsked: Bool) -> Bool {
        let tags = units[index].tags
        if tags.contains(.exclaiming) { return false }
        guard let next = unit(index + 1), !next.beginsClause else { return false }
        if tags.contains(.auxiliary), !tags.contains(.opener) {
            return inverts(at: index, before: next, isAsked: isAsked)
        }
        // "That's no phone where's the screen".
        let isContracted = tags.contains(.opener) && tags.contains(.auxiliary)
        let follows = unit(index - 1)?.tags ?? []
        if isContracted, next.tags.contains(.subject), follows.isDisjoint(with: .verbs) {
            return true
        }
        guard beginsClause(at: index) else { return false }
        if tags.contains(.opener) { return isAsked || asksSomething(from: index, next) }
        // "Sao là tên con mèo": a name.
        return tags.contains(.why)
            && (tags.contains(.indefinite) || !next.tags.contains(.being))
    }

    /// "what happened" asks; "what I like", "what the dog ate", "what fun" do not.
    private func asksSomething(from index: Int, _ next: Unit) -> Bool {
        let tags = units[index].tags
        if tags.contains(.auxiliary) || next.tags.contains(.auxiliary) { return true }
        if next.tags.contains(.brief) {
            return unit(index + 2)?.tags.isDisjoint(with: [.subject, .firstPerson]) ?? true
        }
        if !next.tags.isDisjoint(with: [.subject, .firstPerson]) { return tags.contains(.reason) }
        if next.tags.contains(.event) { return !tags.contains(.conjunction) }
        for unit in units[(index + 1)...] {
            if unit.tags.contains(.nominative), unit.tags.isDisjoint(with: .objective) {
                return tags.contains(.reason)
            }
            if unit.tags.contains(.auxiliary) { return unit.words != units.last!.words }
        }
        return tags.contains(.reason) || units.endIndex - index > 2
    }

    /// "is it", "do robots": the verb before its subject.
    private func inverts(at index: Int, before next: Unit, isAsked: Bool) -> Bool {
        let tags = units[index].tags
        if next.tags.contains(.auxiliary) { return false }
        let begins = beginsClause(at: index)
        if begins && isAsked { return true }
        let length = units.endIndex - index
        let before = unit(index - 1)?.tags ?? []
        if next.tags.contains(.nominative) {
            if begins || before.contains(.opener) { return length > 2 || before.contains(.opener) }
            // "I do it", "that is it" tell; "if I push it would it fall" asks.
            let isSubject = before.contains(.nominative) && !before.contains(.objective)
            // "You did you did" insists.
            if !begins, units.count < 7, units.map(\.hash).period.count < 3 { return false }
            let isLong = length > 2 || index > units.startIndex && next.tags.contains(.objective)
            // "It's not real is it".
            let isTagged = length == 2 && index - units.startIndex > 2
            return isLong && (isTagged || tags.contains(.helper)) && !isSubject
        }
        if before.contains(.opener) { return true }
        // "Don't the …" orders, "isn't that …" asks.
        guard begins, length > 2, !tags.isSuperset(of: [.negator, .helper]) else { return false }
        if next.tags.contains(.progressive) { return false }
        if !next.tags.isDisjoint(with: [.subject, .family]) { return true }
        return (length > 3 || !tags.isDisjoint(with: [.helper, .plural]))
            && next.tags.isDisjoint(
                with: Tags.verbs.union([.negator, .adverb, .bareVerb, .opener])
            )
    }

    /// Whether a word asks where it stands.
    private func asks(at index: Int, isAsked: Bool) -> Bool {
        let tags = units[index].tags
        let rest = units.endIndex - 1 - index
        // "And you?", not "… and you know it".
        if tags.contains(.asking) { return rest == 0 || !tags.contains(.brief) }
        if tags.contains(.why) {
            return rest == 0 && units.count > 1 && !units[index - 1].tags.contains(.number)
        }
        if tags.contains(.indefinite) {
            if isAsked { return true }
            if units.count < 2 { return false }
            // "con có khóc đâu", "con không muốn học đâu" say no, "con cá đâu" asks.
            if tags.contains(.some) {
                let saysNo: Tags = [.has, .bareVerb, .negator, .passing]
                return rest == 0 && units[..<index].allSatisfy { $0.tags.isDisjoint(with: saysNo) }
            }
            if tags.contains(.plural) { return rest > 0 && rest < 3 }
            guard let before = unit(index - 1) else { return false }
            // "chơi nào" calls for it.
            return !tags.contains(.tag) || rest > 0 && before.tags.isDisjoint(with: .verbs)
        }
        let isSplit =
            rest > 0
            && !units[index + 1].tags.isDisjoint(with: [.anaphor, .robot, .firstPerson])
            && units[..<index].contains { $0.tags.contains(.has) }
        let ends = rest == 0 || units[index + 1].beginsClause || isSplit
        if tags.contains(.yesNo), units.count > 1, ends {
            if isAsked { return true }
            guard let before = unit(index - 1) else { return false }
            // "Tớ thì không" says no.
            let saysNo: Tags = index - units.startIndex > 1 ? [] : [.firstPerson, .minimal]
            return before.tags.isDisjoint(with: saysNo.union([.adverb, .negator, .filler]))
        }
        return false
    }

    /// "gì đó", "ai mà": anything, whichever.
    private func isAny(at index: Int) -> Bool {
        guard let next = unit(index + 1) else { return false }
        return next.tags.contains(.some) && !next.beginsClause
    }

    /// "con này hay con kia": the same word begins both.
    private func hasAlternative(at index: Int) -> Bool {
        guard units[index].tags.contains(.or), !units[index].tags.contains(.conjunction),
            let next = unit(index + 1), index > units.startIndex
        else { return false }
        if units.last!.tags.contains(.brief) { return true }
        if units[..<index].dropLast().last?.hash == next.hash { return true }
        return units[..<index].suffix(4).contains { $0.hash == next.hash }
            && next.tags.isDisjoint(with: [.firstPerson, .negator, .hollow])
    }

    // MARK: What is none for all its form

    /// "What là cái gì": says what a word means.
    private var isDefinition: Bool {
        units.count > 1 && units.first!.tags.contains(.opener)
            && units[units.startIndex + 1].tags.contains(.being)
            && units[units.startIndex + 1].tags.isDisjoint(with: [.auxiliary, .firstPerson])
    }

    private func isGuess(after robot: borrowing RobotUtterance) -> Bool {
        guard robot.isRiddling || robot.asks && !robot.isAnswered else { return false }
        return units.count > 1 && units.first!.tags.contains(.auxiliary)
            && units[units.startIndex + 1].tags.contains(.pronoun)
    }

    /// "Why? Because …", "who flies a plane is a pilot": an answer that begins as the question.
    private func takesUp(_ robot: borrowing RobotUtterance, of child: borrowing Utterance) -> Bool {
        guard let first = units.first, units.count > 1, hasSaid(first, robot, of: child),
            first.tags.contains(.opener), first.tags.isDisjoint(with: .auxiliary)
        else { return false }
        return units[units.startIndex + 1].tags.isDisjoint(with: .auxiliary)
    }

    /// Whether the word was the robot's in the question that is answered.
    private func hasSaid(
        _ unit: Unit,
        _ robot: borrowing RobotUtterance,
        of child: borrowing Utterance
    ) -> Bool {
        robot.asks && !robot.isAnswered && robot.hasSaid(child.words[unit.words.lowerBound])
    }

    private func isMereMark(of child: borrowing Utterance, after robot: borrowing RobotUtterance)
        -> Bool
    {
        if robot.asks && !robot.isAnswered || robot.isRiddling { return true }
        let empty: Tags = [.firstPerson, .tag, .filler, .opener]
        for unit in units where unit.tags.isDisjoint(with: empty) {
            for word in child.words[unit.words] where !robot.hasSaid(word) { return false }
        }
        return true
    }
}

extension Tags {
    /// Of what may ask by the form of its clause.
    fileprivate static let asks: Tags = [
        .opener, .auxiliary, .why, .asking, .indefinite, .yesNo, .or,
    ]
}
