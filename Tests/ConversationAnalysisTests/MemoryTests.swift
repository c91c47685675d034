import FriendshipScoring
import Testing

/// The rules of `Memories`, one by one.
struct MemoryTests {
    @Test(arguments: [
        "My name is Peter", "I am five years old", "i'm five", "I live in Hue", "I have a rabbit",
        "I like pancakes", "I don't like spiders", "I really love trains", "my grandpa is a farmer",
        "I want to be a pilot", "I can ride a bike", "I go to school by bus", "I'm from Vietnam",
        "yesterday I saw a rainbow", "we went to the park", "My dog can jump",
    ])
    func englishFactsAndEvents(text: String) { #expect(memories(text) == 1) }

    @Test(arguments: [
        "Tớ tên là Nam", "Con năm tuổi", "Nhà tớ ở Huế", "Tớ có một con thỏ", "Tớ thích ăn phở",
        "Con không thích cà rốt", "Ông con là nông dân", "Tớ muốn làm phi công",
        "Tớ biết bơi rồi đấy nhé bạn",
        "hôm qua tớ thấy cầu vồng", "Em tớ ba tuổi", "to thich an pho", "to co mot con tho",
        "Con mèo nhà tớ tên là Mun", "Chị con học lớp năm",
    ])
    func vietnameseFactsAndEvents(text: String) { #expect(memories(text) == 1) }

    @Test(arguments: [
        "I am tired", "I'm fine", "I want to play", "I don't know", "I like it", "I love you Pika",
        "I have to go", "I feel sick", "let's pretend I have a sword", "The lion has a mane",
        "Tớ mệt", "Con nhớ mẹ", "tớ muốn chơi nữa", "tớ không biết", "Con thích quá", "Tớ đang vẽ",
        "con mèo kêu meo meo", "I don't want to be sad", "My mom said no", "mẹ bảo đi ngủ",
    ])
    func whatPassesIsNoMemory(text: String) { #expect(memories(text) == 0) }

    @Test func aQuestionIsNoMemory() {
        #expect(memories("Do I have a name?") == 0)
        #expect(memories("tớ có giỏi không?") == 0)
    }

    @Test func eachFactOfASentenceCounts() {
        #expect(memories("My name is Peter and I am five") == 2)
        #expect(memories("Tớ tên là Nam, tớ năm tuổi") == 2)
        #expect(memories("I have a turtle. Its name is Speedy. I like turtles.") == 3)
    }

    @Test func anEventInSeveralClausesIsOne() {
        #expect(memories("We went to the zoo and we saw a bear and I ate ice cream") == 1)
    }

    @Test(arguments: [
        ("How old are you?", "seven"), ("What is your favourite colour?", "Purple!"),
        ("Bạn mấy tuổi?", "tám"), ("Bạn thích con vật nào nhất?", "con thỏ"),
        ("What's your name?", "Peter"),
    ])
    func aShortAnswerAboutTheChildIsAFact(robot: String, answer: String) {
        #expect(memories(answer, after: robot) == 1)
    }

    @Test(arguments: [
        ("How old are you?", "I don't know"), ("Do you have a pet?", "yes"),
        ("Bạn mấy tuổi?", "không biết"),
        ("What is this?", "a banana"), ("How are you today?", "super"),
        ("Con gì kêu meo?", "con mèo"),
        ("What is your favourite colour?", "what?"),
        ("Do you want to hear a story?", "the lion one"),
    ])
    func noOtherAnswerIs(robot: String, answer: String) {
        #expect(memories(answer, after: robot) == 0)
    }

    /// Fault: a lesson's sentences become facts about the child.
    @Test func whatWasRepeatedIsNoMemory() {
        #expect(memories("I have a red car", after: "Repeat after me: I have a red car.") == 0)
        #expect(memories("I like bananas.", after: "Say: I like bananas!") == 0)
        #expect(memories("Tớ thích ăn cá", after: "Nói theo tớ: Tớ thích ăn cá.") == 0)
    }

    @Test func theSameFactCountsOnce() {
        #expect(memories("I like dogs. I LIKE DOGS! I really like dogs.") == 1)
        #expect(memories("Tớ thích mèo. tớ rất thích mèo") == 1)
    }

    /// Fault: what has no verb of the tables is not heard, though the child was asked to tell.
    @Test func whileTheChildTellsAnyFormCounts() {
        let tale: [(Speaker, String)] = [
            (.pika, "What did you do on your birthday?"), (.user, "me and Kai raced snails"),
            (.pika, "Snails!"), (.user, "tons of them in the wet grass behind grandma's shed"),
        ]
        #expect(analysis(tale).newMemoriesCount == 2)
        // Nor does it all: moods, orders, praise, the robot.
        for text in ["show me another", "it was so good", "I'm tired", "you are funny", "ok"] {
            #expect(analysis(tale + [(.pika, "Ha!"), (.user, text)]).newMemoriesCount == 2)
        }
    }

    /// Fault: "she" is known where the child named her, not where the robot did.
    @Test(arguments: [
        ("What does your aunt do?", "she bakes bread"), ("What is your dog like?", "he has spots"),
        ("Who will you visit?", "grandpa"), ("What will you call it?", "Pumpkin"),
    ])
    func whatTheRobotAsksAboutIsTheChilds(robot: String, answer: String) {
        #expect(memories(answer, after: robot) == 1)
    }

    @Test func howABodyIsPassesAndWhatHappensToItDoesNot() {
        #expect(memories("my eyes are heavy") == 0)
        #expect(memories("my tooth fell out") == 1)
    }

    @Test(arguments: [
        ("If you had a magic wand, what would you do?", "I have a castle and a dragon"),
        ("Nếu con có phép thuật thì con làm gì?", "con có lâu đài bằng kẹo"),
    ])
    func whatIsMadeUpIsNoMemory(robot: String, answer: String) {
        #expect(memories(answer, after: robot) == 0)
    }

    @Test func anAnswerOfTheQuestionsWordsIsAYes() {
        #expect(memories("vui lắm", after: "Giờ ra chơi của con có vui không?") == 0)
        #expect(memories("tea", after: "What do you like, tea or milk?") == 1)
    }
}
