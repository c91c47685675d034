/// Knows which of the child's words are a line that the robot wanted repeated.
///
/// 1. "Repeat after me", "sing with me" begin a lesson; a question about the child ends it.
/// 2. What is mostly made of the robot's last words is a line, also where it is misspoken.
/// 3. Where the model is a sound, or is nowhere in the log, whatever comes next is a line. Praise
///    goes before the next line; but a lesson whose models are known has none where one is missing.
struct Lesson {
    private enum Models { case unknown, texts, sounds }

    private(set) var isOn = false
    private var models = Models.unknown
    /// Whether the next talk of the child's is a line, whatever it says.
    private var awaitsLine = false

    /// What is to be said once more where the robot says so.
    private var model: [UInt64] = []

    /// Words of a line that are remembered. Chosen.
    private static let modelWords = 24
    /// Words of a praise between two lines. Chosen.
    private static let praiseWords = 6

    mutating func hear(_ robot: borrowing RobotUtterance) {
        let isDrill = robot.isDrill || isOn && robot.isRepeatedDrill
        if isDrill {
            if !isOn { models = .unknown }
            isOn = true
            if robot.hasModel && models == .unknown { models = .texts }
            awaitsLine = !robot.hasModel && models != .texts
        }
        if robot.wantsSentence { (isOn, awaitsLine) = (true, true) }
        guard isOn, !robot.wantsSentence else { return }
        // "Once more" is of the line before, which is no longer the robot's last word.
        if !robot.isRepeatedDrill {
            model = robot.utterance.words.prefix(Self.modelWords).map(\.plain)
        }
        if robot.utterance.form == .sound {
            models = .sounds
            awaitsLine = true
        } else if !isDrill {
            let isPraise = robot.utterance.words.count <= Self.praiseWords && !robot.asks
            awaitsLine = isPraise && models == .unknown
        }
    }

    /// Whether the sentence is a line, or most of one.
    mutating func holds(
        _ sentence: Utterance.Sentence,
        of child: borrowing Utterance,
        after robot: borrowing RobotUtterance
    ) -> Bool {
        if !isOn { return false }
        // No line of a lesson talks to the robot.
        if awaitsLine && !sentence.tags.contains(.robot) { return true }
        let words = child.words(of: sentence.units)
        let isAgain = robot.isRepeatedDrill && !robot.isDrill
        let common = words.count {
            robot.hasSaid(child.words[$0]) || isAgain && model.contains(child.words[$0].plain)
        }
        let isLine = words.count < 3 ? common == words.count : common * 5 >= words.count * 3
        if isLine && models == .unknown { models = .texts }
        return isLine
    }

    /// - Parameter isOwn: whether nothing of the item was a line.
    mutating func endItem(after robot: borrowing RobotUtterance, isOwn: Bool) {
        awaitsLine = false
        if isOwn, !robot.isDrill, robot.isPersonal || robot.asksInPassing { isOn = false }
    }
}
