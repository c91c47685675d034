/// Counts what the child asks of its own accord.
///
/// 1. A sentence asks by its form ("why …", "do you …", "tại sao", "… không" at the end), with or
///    without a question mark; or by the mark or a tag ("hả", "right") alone.
/// 2. What only a mark makes a question is a guess where the robot has just asked, and astonishment
///    where it says what the robot said.
/// 3. Repeated after the robot, quoted, reported, said of something known, or one of the phrases
///    that ask nothing: no question.
/// 4. While the robot lets the child guess, "is it …?" and "… ?" are guesses. In a game of pretence
///    a question is the role's, but for what the child asks about itself ("do we need eggs?").
/// 5. Halves that want one answer are one question ("where'd he go, did he move out?").
/// 6. The same words count once in a conversation, and a bare "why" not next to a full one.
struct Questions {
    /// Each with its first word, and the place of its item.
    private var asked: [(question: UInt64, opening: UInt64, place: Int)] = []
    /// Words that were asked alone.
    private var bare: [(word: UInt64, place: Int)] = []

    /// Most different questions that are remembered; past them nothing counts.
    private static let limit = 64

    /// Of those counted, how many want to know something, not to be allowed something.
    private(set) var curious = 0

    var count: Int { asked.count + bare.count { !isOpening($0.word) } }

    /// Of the items that are counted, in order.
    var places: [Int] {
        (asked.map(\.place) + bare.filter { !isOpening($0.word) }.map(\.place)).sorted()
    }

    private func isOpening(_ word: UInt64) -> Bool { asked.contains { $0.opening == word } }

    /// The place of the last item that asked.
    private var lastPlace = -1

    /// - Returns: what stands before the question, whether that counts or not; else all of it.
    mutating func read(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance,
        isRepeated: Bool,
        place: Int
    ) -> Range<Int> {
        let form = QuestionForm(sentence, of: child, after: robot)
        let telling = sentence.units.lowerBound..<form.begin
        switch form.kind {
        case .none: return sentence.units
        case .idle: return telling
        case .full, .bare: break
        }
        if isRepeated || robot.isPretending && !form.isAboutTheGame { return telling }
        // "Are there crocodiles? Real ones?": one question.
        if form.isMark, lastPlace == place { return telling }
        lastPlace = place
        for clause in form.asking where asked.count < Self.limit {
            let words = clause.map(\.hash).period
            if words.count == 1 && form.kind == .bare
                || QuestionForm.isCut(clause.prefix(words.count))
            {
                if !bare.contains(where: { $0.word == words[0] }) { bare.append((words[0], place)) }
            } else {
                let question = words.reduce(Word.start, Word.combine)
                if asked.contains(where: { $0.question == question }) { continue }
                asked.append((question, words[0], place))
                if QuestionForm.isCurious(clause) { curious += 1 }
            }
        }
        return telling
    }
}
