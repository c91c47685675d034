import FriendshipScoring
import Testing

/// The rules of `Questions`, one by one, on sentences that are not in the labelled set.
struct QuestionTests {
    @Test(arguments: [
        "Why do cats purr?", "why do cats purr", "what happens next", "how big is a whale",
        "where do penguins live", "who made you", "is it raining", "do you like me",
        "can we sing together", "okay can we sing together", "I like trains. Do you like trains?",
        "when will the rain stop", "which planet is the biggest", "what is your favourite song",
        "hey pika how do you say quả cam", "and you?", "what about you?",
    ])
    func englishAsksByItsFormWithOrWithoutAMark(text: String) { #expect(questions(text) == 1) }

    @Test(arguments: [
        "Tại sao mèo sợ nước?", "tại sao mèo sợ nước", "Sao lá cây màu xanh thế?",
        "sao lá cây lại rụng", "Pika thích ăn gì?", "con hổ sống ở đâu", "bao giờ thì đến Tết",
        "Pika có biết nhảy không", "Pika có biết nhảy không ạ?", "Pika ăn cơm chưa",
        "cá voi nặng bao nhiêu", "ai làm ra Pika", "con cá này là con gì",
        "Thế còn cá heo thì sao?",
        "tai sao troi mua", "pika thich an gi", "con ho song o dau", "Pika mấy tuổi rồi?",
        "Bạn tên gì vậy?", "trái đất có quay không",
    ])
    func vietnameseAsksByItsWordsWithOrWithoutMarks(text: String) { #expect(questions(text) == 1) }

    /// Fault: "không" at the end is a question after a predicate and a no after a subject.
    @Test(arguments: [
        "Không.", "tớ không", "con thì không", "Tớ không thích.", "tớ không biết gì",
        "chơi gì cũng được",
        "không có gì", "ai cũng thích", "Tớ không sợ đâu.", "tớ không biết tại sao",
        "chẳng có ai ở nhà",
        "ừ thế à", "mình chơi nhé",
    ])
    func vietnameseWordsThatAskNothingHere(text: String) { #expect(questions(text) == 0) }

    @Test(arguments: [
        "what a big dog", "how I wonder what you are", "what I like is cake", "I know why it rains",
        "my mom asked why I was late", "when I was little I had a fish", "do it again",
        "I can swim",
        "The sun is hot.", "mẹ hỏi con ăn cơm chưa",
    ])
    func statementsWithQuestionWordsAskNothing(text: String) { #expect(questions(text) == 0) }

    /// Fault: what was not heard, astonishment and empty phrases are not curiosity.
    @Test(arguments: [
        "what?", "huh?", "pardon?", "hả?", "gì cơ?", "really?", "thật không?", "vậy hả?",
        "who cares?",
        "how should I know?", "you know what?", "Ai mà biết được?", "Can you say that again?",
        "???",
        "Không?", "ok?",
    ])
    func phrasesThatAskNothing(text: String) { #expect(questions(text) == 0) }

    @Test func aQuotedQuestionIsNotTheChilds() {
        #expect(questions(#"My teacher said "where is your book?""#) == 0)
        #expect(questions("Cô giáo bảo “con làm bài chưa?”") == 0)
        #expect(questions(#"She said "hi". Why did she say that?"#) == 1)
    }

    /// Fault: "and you" asks wherever it stands, "is" behind a name for Pika begins a question, and
    /// "đâu" asks behind a "not".
    @Test(arguments: [
        "you are slow and you can't even swim", "if you like it and you know it shout hooray",
        "the robot is broken, look at it", "con không muốn vẽ đâu", "tớ chưa ăn đâu",
    ])
    func statementsWithTheWordsOfAQuestion(text: String) { #expect(questions(text) == 0) }

    /// Fault: a guess with a question mark is an answer.
    @Test(arguments: [
        "a lion?", "Is it a lion?", "Maybe a lion?", "Con hổ hả?", "Con hổ đúng không?", "hổ à?",
        "It's a lion, right?",
    ])
    func aGuessAfterTheRobotsQuestionIsAnAnswer(text: String) {
        #expect(questions(text, after: "Which animal roars? Con gì gầm?") == 0)
    }

    @Test(arguments: [
        "Why do lions roar?", "can you roar?", "Thế Pika có sợ hổ không?", "How about you?",
    ])
    func aQuestionBackIsNoGuess(text: String) {
        #expect(questions(text, after: "Which animal roars?") == 1)
    }

    @Test func aTagOutsideAQuizAsks() { #expect(questions("You are a robot, right?") == 1) }

    @Test func whatTheRobotHasSaidIsAnEcho() {
        #expect(questions("where is the cat?", after: "Repeat after me: Where is the cat?") == 0)
        #expect(questions("Where is the cat?", after: "Where is the cat?") == 0)
        #expect(questions("A whale?", after: "This is a whale.") == 0)
        #expect(questions("Bạn có khỏe không", after: "Nói theo tớ: bạn có khỏe không?") == 0)
        #expect(questions("I'm fine. How are you?", after: "How are you?") == 1)
    }

    @Test func everySentenceCounts() {
        #expect(questions("Where is it? Is it far? What colour is it?") == 3)
        #expect(questions("Nó ở đâu? Nó ăn gì?") == 2)
    }

    /// Fault: points for saying the same again.
    @Test func theSameQuestionCountsOnce() {
        #expect(questions("why is it red why is it red why is it red. why is it red") == 1)
        #expect(questions("Why is it red? WHY IS IT RED?! why is it red") == 1)
        #expect(questions("Tại sao? Tại sao nó đỏ? tai sao no do") == 1)
        #expect(questions("Why? Why? Why is it red?") == 1)
        #expect(questions("why why why") == 1)
    }

    /// Fault: ten guesses at a riddle are ten questions.
    @Test func aGuessAtARiddleIsNoQuestion() {
        let riddle: [(Speaker, String)] = [
            (.pika, "I hid a toy. Guess what it is!"), (.user, "is it a bear"),
            (.pika, "No, smaller."), (.user, "a mouse?"),
            (.pika, "Smaller still."), (.user, "does it have wings? is it a fly?"),
        ]
        #expect(analysis(riddle).userInitiatedQuestions == 0)
    }

    @Test(arguments: [
        "where'd she go, did she run away", "are there wolves? real ones?",
        "do you tell or do you keep it",
    ])
    func halvesThatWantOneAnswerAreOne(text: String) { #expect(questions(text) == 1) }

    @Test func inAGameARoleAsksNothing() {
        let game = "Let's pretend we are at the doctor."
        #expect(questions("where does it hurt", after: game) == 0)
        #expect(questions("do we need a bandage", after: game) == 1)
        #expect(questions("chị mua mấy bó", after: "Mình chơi bán hàng nhé.") == 0)
    }

    @Test(arguments: [
        ("Who flies a plane?", "who flies a plane is a pilot"),
        ("Where do planes land?", "where... um on the roof"),
        ("How do you spell dog?", "how do you spell... d o g"),
    ])
    func anAnswerMayBeginAsTheQuestion(robot: String, answer: String) {
        #expect(questions(answer, after: robot) == 0)
    }

    /// Fault: "we're" is taken for "were", "don't" for an order of an answer.
    @Test func anApostropheMakesAnotherWord() {
        #expect(questions("we're all big bears") == 0)
        #expect(questions("were all big bears brown") == 1)
    }
}
