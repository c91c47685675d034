import Foundation
import FriendshipScoring
import Testing

@testable import ConversationAnalysis

/// What is not the child's own talk: lines to repeat, silence, buttons and sounds.
struct LessonTests {
    /// Fault: a line of a song, its model a sound file, cost the whole lesson: seven turns were
    /// worth 0, for "I'm tired" was taken for boredom.
    @Test func aSongWithItsModelsAsSoundsScoresItsTurns() {
        let log: [(Speaker, String)] = [
            (.pika, "Let's sing together! Listen and sing with me."),
            (.pika, "song_01.mp3"), (.user, "I'm tired, I'm so tired, the sun has gone to bed"),
            (.pika, "Great!"), (.pika, "song_02.mp3"), (.user, "do you want a pillow"),
            (.pika, "song_03.mp3"), (.user, "I have a pillow and a blanket"),
            (.pika, "Well done!"), (.pika, "song_04.mp3"), (.user, "-"),
            (.pika, "song_04.mp3"), (.user, "I am sad, where is the moon"),
            (.pika, "song_05.mp3"), (.user, "I hate this, I want to go home"),
            (.pika, "Wonderful singing!"), (.user, "[NEXT]"),
        ]
        let analysis = analysis(log)
        #expect(analysis == Analysis(.neutral, questions: 0, memories: 0))
        let conversation = ConversationLog(items: log.map { .init(speaker: $0.0, text: $0.1) })
        let score = ConversationScore(of: conversation, analysis: analysis)
        #expect(score.totalTurns == 7 && score.change == 7)
    }

    /// Fault: the same where the models are in no log at all.
    @Test(arguments: [
        "Repeat after me!", "Con nhắc lại nhé.", "Listen and say.", "Con đọc theo nào.",
    ])
    func whatHasNoModelIsALineAllTheSame(opening: String) {
        let log: [(Speaker, String)] = [
            (.pika, opening), (.user, "how are you"), (.pika, "Good!"),
            (.user, "I have a red bike"), (.pika, "Giỏi quá!"), (.user, "con buồn lắm"),
        ]
        #expect(analysis(log) == Analysis(.neutral, questions: 0, memories: 0))
    }

    /// Fault: a line that is not said as it should be becomes the child's own.
    @Test(arguments: [
        ("Say: Have you seen my hat?", "have you seen my cat"),
        ("Repeat after me: I have a rabbit.", "I have a rabit"),
        ("Nói theo mình: Tớ thích ăn táo đỏ.", "tớ thích ăn táo"),
        ("Sing with me: I'm so sad, so sad today.", "im so sad so sad"),
    ])
    func aLineMayBeMisspoken(model: String, line: String) {
        #expect(
            analysis([(.pika, model), (.user, line)])
                == Analysis(.neutral, questions: 0, memories: 0)
        )
    }

    /// Fault: a line said once more is the child's own, for the robot's last words are others.
    @Test func aLineMayBeSaidOnceMore() {
        let lesson: [(Speaker, String)] = [
            (.pika, "Repeat after me: I am bored."), (.user, "I am bo"),
            (.pika, "Try again!"), (.user, "I am bored"),
        ]
        #expect(analysis(lesson) == Analysis(.neutral, questions: 0, memories: 0))
        let quarrel = lesson + [(.pika, "Once more."), (.user, "stupid robot I said it")]
        #expect(analysis(quarrel).sessionEmotion == "angry")
    }

    @Test func aSentenceMadeUpForAWordIsALine() {
        let exercise = "Make a sentence with the word sad."
        #expect(emotion("I am sad", after: exercise) == "neutral")
    }

    @Test func ownTalkInALessonIsTheChilds() {
        let own: [(Speaker, String)] = [
            (.pika, "Say: This is a dog."), (.user, "this is a dog. I have a dog. do dogs dream"),
            (.pika, "They do! Say: The dog sleeps."), (.user, "pika do you sleep"),
        ]
        #expect(analysis(own) == Analysis(.neutral, questions: 2, memories: 1))
        // Between two sounds, an answer to what the robot says.
        let between: [(Speaker, String)] = [
            (.pika, "Listen and repeat."), (.pika, "<audio>"), (.user, "I am a cat"),
            (.pika, "Very good!"), (.user, "how many more are there"),
        ]
        #expect(analysis(between) == Analysis(.neutral, questions: 1, memories: 0))
    }

    @Test(arguments: [
        "-", "...", "…", "", "  ", "[NEXT]", "[SKIP]", "<audio>", "a_1.mp3", "*sings*",
    ])
    func silenceAndButtonsAreNoTalk(text: String) {
        let asked: [(Speaker, String)] = [
            (.pika, "What is your favourite animal?"), (.user, text),
            (.pika, "Do you like school?"), (.user, text), (.pika, "Who is your friend?"),
            (.user, text),
        ]
        #expect(analysis(asked) == Analysis(.neutral, questions: 0, memories: 0))
    }

    /// Fault: question marks of other scripts count for nothing, or a semicolon for one.
    @Test(arguments: [
        ("你喜欢我吗？", 1), ("هل تحبني؟", 1), ("Με αγαπάς;", 1), ("Με αγαπάς\u{37E}", 1),
        ("どこ⁇", 1), ("cats; dogs", 0), ("你好。", 0),
    ])
    func questionMarksOfAllScriptsAsk(text: String, count: Int) {
        #expect(questions(text) == count)
    }

    /// Those of real talk that were false.
    @Test(arguments: [
        "Don't worry, it will be fine.", "ngôi sao", "con vẽ ngôi sao", "What fun",
        "Would be nice", "Will is my brother.", "Sao là tên con mèo", "ai cũng vui",
        "thế nào rùa cũng thắng", "mấy bạn kia chạy nhanh lắm",
    ])
    func theseAskNothing(text: String) { #expect(questions(text) == 0) }

    /// Of their items: what an operator is shown.
    @Test func theItemsThatCountAreKnown() {
        let log = ConversationLog(items: [
            .init(speaker: .pika, text: "The moon is far away."),
            .init(speaker: .user, text: "Why? I have a cat. Why is it far?"),
            .init(speaker: .other, text: "Is it?"),
            .init(speaker: .user, text: "Who lives there? Is it cold?"),
            .init(speaker: .user, text: "Who lives there? My name is Mia."),
        ])
        let counted = CountedItems(reading: log)
        #expect(counted == CountedItems(questions: [1, 3, 3], memories: [1, 4]))
    }

    @Test func asManyItemsAreKnownAsCount() {
        for labelled in Labelled.all {
            let log = labelled.conversation()
            let (analysis, counted) = (Analysis(reading: log), CountedItems(reading: log))
            #expect(counted.questions.count == analysis.userInitiatedQuestions)
            #expect(counted.memories.count == analysis.newMemoriesCount)
        }
    }

    /// Fault: time grows with the square of a log or of an item, and one message holds up a worker.
    @Test(arguments: [
        "why do you like my cat, ", "x", "你", ",", "? ", "\" ", "<", "[",
        "nó có răng không nó ăn gì ",
        "and my cat ",
    ])
    func timeGrowsWithTheTextAndNoFaster(piece: String) {
        func seconds(_ size: Int, items: Int) -> Double {
            let text = String(repeating: piece, count: size / items / piece.utf8.count)
            let pair = [Speaker.pika, .user].map { ConversationLog.Item(speaker: $0, text: text) }
            let log = ConversationLog(items: (0..<items).flatMap { _ in pair })
            // Of this thread alone: other tests run at the same time.
            let begin = threadNanoseconds()
            _ = Analysis(reading: log)
            return Double(threadNanoseconds() - begin) / 1e9
        }
        // Four times as much takes four times as long; squared it would be sixteen.
        let (text, longText) = (seconds(40_000, items: 1), seconds(160_000, items: 1))
        #expect(longText <= 10 * text + 0.005)
        let (log, longLog) = (seconds(40_000, items: 400), seconds(160_000, items: 1_600))
        #expect(longLog <= 10 * log + 0.005)
    }

    private func threadNanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

extension Analysis {
    fileprivate init(_ emotion: Emotions.Emotion, questions: Int, memories: Int) {
        self.init(
            userInitiatedQuestions: questions,
            sessionEmotion: emotion.rawValue,
            newMemoriesCount: memories
        )
    }
}
