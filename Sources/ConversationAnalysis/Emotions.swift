/// Tells the child's mood of a whole session.
///
/// 1. Words of a mood count once each, and not behind a "not"; those with a "not" in them are known
///    as such. Sorrow and anger in a question or behind "he" are another person's.
/// 2. Anger wins, then sorrow, then saying that one is bored.
/// 3. Without words: three answers or more, nearly all of the shortest kind, and one question at
///    most, is boring, unless the child is tired or ill.
/// 4. Wonder with questions, several questions, or long tales: interesting. Then joy: happy.
/// 5. Else neutral. Saying the same again changes nothing, so repetition earns no points.
struct Emotions {
    enum Emotion: String { case interesting, boring, neutral, angry, happy, sad }

    private var seen: [UInt64] = []
    private(set) var angry = 0
    private(set) var sad = 0
    private(set) var bored = 0
    private(set) var wonder = 0
    private(set) var joy = 0
    private var exclamations = 0
    /// Whether the child says that it is tired or ill.
    private var isUnwell = false
    /// Of the item that is being read.
    private var hasZest = false
    private var hasJoy = false
    private var joyfulItems = 0
    private var longItems = 0
    /// Items that answer a question of the robot's; the shortest of them; those of two words.
    private var answers = 0
    private var minimalAnswers = 0
    private var shortAnswers = 0

    /// Most different words of moods that are remembered.
    private static let limit = 256
    /// Words of an item that tells a tale. Chosen on the labelled set.
    private static let taleWords = 18
    /// The same where it tells of the child's life.
    private static let factWords = 14

    /// - Returns: whether the sentence is angry.
    mutating func read(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        isQuestion: Bool
    ) -> Bool {
        // "What is the opposite of happy?" "Sad."
        let isQuizAnswer =
            robot.asks && !robot.isAnswered && !robot.addressesChild
            && child.words(of: sentence.units).count == 1
        if isQuizAnswer { return false }
        let feelings = Lexicon.Pair.feelings
        let lexicon = child.isPlain ? feelings.plain : feelings.marked
        let words = child.words(of: sentence.units)
        var (index, isNegated, found, isAngry) = (words.lowerBound, false, false, false)
        // Of the last "not" before no feeling.
        var (negator, refused) = (-8, -8)
        var unit = sentence.units.lowerBound
        while index < words.upperBound {
            let (length, tags) = lexicon.longestMatch(
                in: child.words,
                from: index,
                to: words.upperBound
            )
            defer { index += length }
            if child.words[index].isQuoted { continue }
            if tags.contains(.passing) { isUnwell = true }
            if tags.isEmpty {
                isNegated = false
                continue
            }
            var feelings = tags.intersection(.feelings)
            // "Why does he cry?", "he cried" are not the child's own sorrow.
            if !feelings.isDisjoint(with: [.angry, .sad]) {
                while child.units[unit].words.upperBound <= index { unit += 1 }
                if isQuestion || unit > sentence.units.lowerBound && child.units[unit - 1].isOthers
                {
                    feelings.subtract([.angry, .sad])
                }
            }
            if !feelings.isEmpty && !isNegated {
                found = true
                isAngry = isAngry || feelings.contains(.angry)
                hasZest = hasZest || !feelings.isDisjoint(with: [.wonder, .joy, .delight])
                hasJoy = hasJoy || !feelings.isDisjoint(with: [.joy, .delight])
                let hash = child.hash(of: index..<index + length)
                if seen.count < Self.limit, !seen.contains(hash) {
                    seen.append(hash)
                    count(feelings)
                }
            }
            // "Không học nữa" wants an end of it.
            if tags.contains(.activity), index - negator < 3 { refused = index }
            if tags.contains(.again), index - refused < 3, !isQuestion { bored += 1 }
            if tags.contains(.negator) { negator = index }
            if !tags.isDisjoint(with: .feelings) { negator = -8 }
            isNegated = tags.contains(.negator) || isNegated && tags.contains(.adverb)
        }
        if sentence.isExclaimed && !isQuestion && !found { exclamations += 1 }
        return isAngry
    }

    private mutating func count(_ feelings: Tags) {
        if feelings.contains(.angry) { angry += 1 }
        if feelings.contains(.sad) { sad += 1 }
        if feelings.contains(.bored) { bored += 1 }
        if feelings.contains(.wonder) { wonder += 1 }
        if feelings.contains(.joy) { joy += 1 }
        if feelings.contains(.delight) { joy += 2 }
    }

    mutating func endItem(
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        tells: Bool,
        asks: Bool
    ) {
        defer { (hasZest, hasJoy) = (false, false) }
        if hasJoy { joyfulItems += 1 }
        let words = child.words.count
        if words >= Self.taleWords || tells && words >= Self.factWords { longItems += 1 }
        // A listener's "mhm" is no answer.
        guard robot.asks || robot.invites, !robot.isAnswered else { return }
        answers += 1
        if tells || asks || hasZest { return }
        let isRefusal = words <= 4 && child.units.first!.tags.contains(.negator)
        let isMinimal =
            isRefusal
            || child.units.allSatisfy { !$0.tags.isDisjoint(with: [.minimal, .filler]) }
        if isMinimal { minimalAnswers += 1 }
        if words <= 2 { shortAnswers += 1 }
    }

    /// - Parameter questions: those that want to know something.
    func verdict(questions: Int) -> Emotion {
        if angry > 0 { return .angry }
        if sad > 0 { return .sad }
        let isShort =
            !isUnwell && answers >= 3 && minimalAnswers > 1 && questions < 2
            && (minimalAnswers + shortAnswers) * 3 >= answers * 4
        if bored > 0 && joy + wonder == 0 || isShort { return .boring }
        let tellsWithZest = longItems > 1 && joyfulItems < 2
        let isCaught = wonder > 0 && questions > 0 || wonder > 1 || questions > 2 || tellsWithZest
        if isCaught { return .interesting }
        return joy > 1 || joyfulItems > 1 || joy == 1 && exclamations > 1 ? .happy : .neutral
    }
}

extension Utterance.Unit {
    /// "he", "nó": what follows is said of another.
    fileprivate var isOthers: Bool {
        tags.contains(.anaphor) && tags.isDisjoint(with: [.objective, .firstPerson])
    }
}
