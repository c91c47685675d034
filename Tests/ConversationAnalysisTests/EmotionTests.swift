import Testing

/// The rules of `Emotions`, one by one.
struct EmotionTests {
    @Test(arguments: [
        "I'm angry with you", "this is not fair", "tớ bực mình lắm", "Im đi!", "you are stupid",
    ])
    func angerIsHeard(text: String) { #expect(emotion(text) == "angry") }

    @Test(arguments: [
        "I feel sad", "I miss my grandma", "tớ buồn quá", "to buon lam", "con nhớ mẹ", "huhuhu",
    ])
    func sorrowIsHeard(text: String) { #expect(emotion(text) == "sad") }

    @Test(arguments: [
        "this is boring", "I'm bored", "chán ngắt", "I don't want to", "I'm tired of this game",
        "con mệt rồi, không học nữa đâu", "con không chơi nữa", "can we stop",
    ])
    func boredomIsHeard(text: String) { #expect(emotion(text) == "boring") }

    /// Fault: "I'm tired" took fifteen points, "I am sleepy" took none.
    @Test(arguments: [
        "I'm tired", "I am sleepy", "so tired", "con buồn ngủ", "con mệt rồi", "con muốn đi ngủ",
        "con buon ngu qua", "I'm hungry", "con đói bụng", "I feel sick",
    ])
    func tirednessIsNoMood(text: String) { #expect(emotion(text) == "neutral") }

    @Test(arguments: [
        "yay I won", "vui quá đi", "Hoan hô!", "this is so much fun", "sooooo happy", "😂😂😂",
    ])
    func joyIsHeard(text: String) { #expect(emotion(text) == "happy") }

    /// Fault: all words that are said twice have one hash, so that only the first of them counts.
    @Test func wordsSaidTwiceAreToldApart() {
        #expect(analysis([(.user, "hí hí"), (.user, "hu hu")]).sessionEmotion == "sad")
    }

    /// Fault: "buồn ngủ" is sleepy and "buồn cười" funny; "buồn" alone is sad.
    @Test func theLongestPhraseWins() {
        #expect(emotion("buồn cười quá") == "happy")
        #expect(emotion("chân tớ đây") == "neutral")
        #expect(emotion("chan to day") == "neutral")
    }

    @Test(arguments: [
        "I'm not angry", "I am not sad", "tớ không buồn", "tớ không buồn đâu", "no it isn't boring",
    ])
    func aNotTakesTheWordAway(text: String) { #expect(emotion(text) == "neutral") }

    @Test(arguments: ["not fun", "không vui", "it's not fair"])
    func aNotMayBePartOfTheWord(text: String) { #expect(emotion(text) != "neutral") }

    @Test func aQuotedOrAskedMoodIsNotTheChilds() {
        #expect(emotion(#"The wolf said "I am angry""#) == "neutral")
        #expect(emotion("Why is the princess sad?") == "neutral")
    }

    /// Fault: the right answer in a quiz is no mood.
    @Test func aQuizAnswerIsNoMood() {
        #expect(emotion("sad", after: "What is the opposite of happy?") == "neutral")
        #expect(emotion("sad", after: "How do you feel?") == "sad")
    }

    @Test func theShortestAnswersAreBoredom() {
        #expect(emotion("ok", "yes", "no", "ok") == "boring")
        #expect(emotion("ừ", "không", "ko bik") == "boring")
        // Too short to tell, and a quiz that is answered.
        #expect(emotion("ok", "yes") == "neutral")
        #expect(emotion("a lion", "three", "blue", "ok") == "neutral")
    }

    @Test func wonderWithAQuestionIsInterest() {
        #expect(emotion("Wow!", "How does it fly?") == "interesting")
        #expect(emotion("Hay quá! Kể tiếp đi!") == "interesting")
        #expect(
            emotion("How does it fly?", "Where does it sleep?", "What does it eat?")
                == "interesting"
        )
        #expect(emotion("How does it fly?") == "neutral")
    }

    @Test func longTalesAreInterest() {
        let tale =
            "then we went up the hill and there was a house with a red door and inside we found "
        #expect(emotion(tale + "a box", tale + "a key") == "interesting")
    }

    @Test func angerWinsThenSorrowThenInterest() {
        #expect(emotion("I'm sad", "I'm angry") == "angry")
        #expect(emotion("wow cool", "yay", "I'm sad") == "sad")
        #expect(emotion("wow amazing", "yay haha") == "interesting")
    }

    /// Fault: a child who says "wow" ten times earns the points of an interesting conversation.
    @Test func sayingItAgainChangesNothing() {
        #expect(emotion("wow", "wow", "wow wow wow", "wow") == emotion("wow"))
    }

    @Test func silenceIsNeutral() {
        #expect(analysis([]).sessionEmotion == "neutral")
        #expect(analysis([(.pika, "I'm angry! Wow! Haha!")]).sessionEmotion == "neutral")
        #expect(analysis([(.other, "I'm angry!")]).sessionEmotion == "neutral")
    }

    @Test func anothersSorrowIsNotTheChilds() {
        #expect(emotion("he cried") == "neutral")
        #expect(emotion("I cried") == "sad")
    }

    @Test func aChildThatIsIllMayBeShort() {
        #expect(emotion("con nhức đầu", "dạ", "không", "có") == "neutral")
        #expect(emotion("không thích môn nào", "dạ", "không", "chả có") == "boring")
    }
}
