/// Tells the child's mood of a whole session.
///
/// 1. Words of a mood count once each, and not behind a "not"; those with a "not" in them are known
///    as such. Sorrow and anger in a question are another person's.
/// 2. Anger wins, then sorrow, then saying that one is bored.
/// 3. Without words: three answers or more, nearly all of the shortest kind, and no question, is
///    boring.
/// 4. Wonder with questions, several questions, or long tales: interesting. Then joy: happy.
/// 5. Else neutral. Saying the same again changes nothing, so repetition earns no points.
struct Emotions {
    enum Emotion: String { case interesting, boring, neutral, angry, happy, sad }

    private var seen: Set<UInt64> = []
    private(set) var angry = 0
    private(set) var sad = 0
    private(set) var bored = 0
    private(set) var wonder = 0
    private(set) var joy = 0
    private var exclamations = 0
    /// Of the item that is being read.
    private var hasZest = false
    private var items = 0
    private var minimalItems = 0
    private var longItems = 0

    /// Most different words of moods that are remembered.
    private static let limit = 256
    /// Words of an item that tells a tale. Chosen on the labelled set.
    private static let taleWords = 18

    mutating func read(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        isQuestion: Bool
    ) {
        // "What is the opposite of happy?" "Sad."
        let isQuizAnswer =
            robot.asks && !robot.isAnswered && !robot.addressesChild && sentence.units.count == 1
        if isQuizAnswer { return }
        let feelings = Lexicon.Pair.feelings
        let lexicon = child.isPlain ? feelings.plain : feelings.marked
        let words = child.words(of: sentence)
        var (index, isNegated, found) = (words.lowerBound, false, false)
        while index < words.upperBound {
            let (length, tags) = lexicon.longestMatch(
                in: child.words,
                from: index,
                to: words.upperBound
            )
            defer { index += length }
            if child.words[index].isQuoted { continue }
            var feelings = tags.intersection(.feelings)
            // "Why does he cry?" is not the child's own sorrow.
            if isQuestion { feelings.subtract([.angry, .sad]) }
            if !feelings.isEmpty && !isNegated {
                found = true
                hasZest = hasZest || !feelings.isDisjoint(with: [.wonder, .joy, .delight])
                let hash = child.words[index..<index + length]
                    .reduce(Word.start) { Word.combine($0, $1.plain) }
                if seen.count < Self.limit, seen.insert(hash).inserted { count(feelings) }
            }
            isNegated = tags.contains(.negator) || isNegated && tags.contains(.adverb)
        }
        if sentence.isExclaimed && !isQuestion && !found { exclamations += 1 }
    }

    private mutating func count(_ feelings: Tags) {
        if feelings.contains(.angry) { angry += 1 }
        if feelings.contains(.sad) { sad += 1 }
        if feelings.contains(.bored) { bored += 1 }
        if feelings.contains(.wonder) { wonder += 1 }
        if feelings.contains(.joy) { joy += 1 }
        if feelings.contains(.delight) { joy += 2 }
    }

    mutating func endItem(of child: borrowing Utterance, hasAsked: Bool) {
        if child.units.isEmpty { return }
        items += 1
        if child.words.count >= Self.taleWords { longItems += 1 }
        let isMinimal = child.units.allSatisfy { unit in
            !unit.tags.isDisjoint(with: [.minimal, .filler])
        }
        if isMinimal && !hasAsked && !hasZest { minimalItems += 1 }
        hasZest = false
    }

    func verdict(questions: Int) -> Emotion {
        if angry > 0 { return .angry }
        if sad > 0 { return .sad }
        let isShort = items >= 3 && minimalItems * 4 >= items * 3 && questions == 0
        if bored > 0 && joy + wonder == 0 || isShort { return .boring }
        let isCaught = wonder > 0 && questions > 0 || wonder > 1 || questions > 2 || longItems > 1
        if isCaught { return .interesting }
        return joy > 1 || joy == 1 && exclamations > 1 ? .happy : .neutral
    }
}
