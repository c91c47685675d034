import Foundation
import Testing

@testable import FriendshipScoring

private func parsed(_ json: String) throws -> ConversationLog {
    try ConversationLog(json: Data(json.utf8))
}

private func spoken(by speakers: [Speaker]) -> ConversationLog {
    .init(
        items: speakers.map { .init(speaker: $0, text: "") }
    )
}

struct ConversationLogTests {
    @Test(arguments: [
        ("{}", ConversationLogError.notAList),
        (#""text""#, .notAList),
        ("null", .notAList),
        (#"[{"speaker": "pika"}, 7]"#, .itemNotAnObject(index: 1)),
        ("[null]", .itemNotAnObject(index: 0)),
        (#"[{"character": "USER", "content": 7}]"#, .contentNotText(index: 0)),
        (String(repeating: "[", count: 10_000), .unreadable),
        ("", .unreadable),
        (#"{"a": 1} x"#, .unreadable),
        (#"[7, {"\ud800": 1}, null]"#, .itemNotAnObject(index: 0)),
        (#"[{"\ud800": 1}, 7]"#, .unreadable),
        ("[7, 01]", .unreadable),
        (#"[{"character": "USER", "content": 7}, 7]"#, .itemNotAnObject(index: 1)),
        (
            #"[{"character": "BOT", "content": "a"}, {"content": "\ud800"}]"#,
            .contentNotText(index: 1)
        ),
        (#"[{"character": "USER", "content": {}}, {"content": ""},]"#, .unreadable),
    ])
    func refusesWhatIsNotALogWithoutQuotingIt(json: String, error: ConversationLogError) {
        #expect(throws: error) { try parsed(json) }
    }

    @Test func anEmptyLogIsALog() throws {
        #expect(try parsed("[]").items.isEmpty)
    }

    @Test func aSpeakerThatIsMissingOrStrangeBelongsToNeitherSide() throws {
        let read = try parsed(
            #"[{"speaker":"PIKA"},{"text":"?"},{"speaker":7},{"speaker":" user"},"#
                + #"{"speaker":"User"}]"#
        )
        #expect(read.items.map(\.speaker) == [.pika, .other, .other, .other, .user])
        #expect(read.turnCount == 0)
    }

    @Test func namesAndTextsAreReadWithTheirEscapesUndone() throws {
        let read = try parsed(
            #"[{"speak\u0065r":"p\u0069ka","text":"\ud83d\ude00\n"},"#
                + #"{"speaker":"user","text":"\ud83d"}]"#
        )
        #expect(
            read.items == [.init(speaker: .pika, text: "😀\n"), .init(speaker: .user, text: "")]
        )
    }

    /// As the database keeps no second member of a name, this is about nothing but certainty.
    @Test func ofSeveralMembersWithOneNameTheFirstCounts() throws {
        let read = try parsed(#"[{"speaker":"user","text":null,"speaker":"pika","text":"b"}]"#)
        #expect(read.items == [.init(speaker: .user, text: "")])
    }

    /// Case mapping is Unicode's, not ASCII's: the Kelvin sign, the dotless ı and the long ſ match.
    @Test func speakersAreToldWhateverTheirCase() throws {
        let standard = try parsed(
            #"[{"speaker":"uSeR"},{"speaker":"PI\u212aA"},{"speaker":"other"}]"#
        )
        #expect(standard.items.map(\.speaker) == [.user, .pika, .other])
        let api = try parsed(
            #"""
            [{"character":"uſer","content":"a"},{"character":"user-robot","content":"b"},
             {"character":7,"content":"c"},{"character":"user","content":"d"}]
            """#
        )
        #expect(api.items.map(\.speaker) == [.user, .pika, .pika, .user])
    }

    /// The service looks for the words by code points. A comparison by characters would not find a
    /// word that a combining mark follows.
    @Test(arguments: [
        ("BOT_RESPONSE", Speaker.pika), ("fast_bot", .pika), ("Pika", .pika), ("USER", .user),
        ("user_x", .user), ("USER_BOT", .pika), ("BOT\u{301}", .pika), ("USER\u{301}", .user),
        ("US", .pika), ("", .pika), ("USER_RESPONSE_CONVERSATION", .user),
        ("BOT_RESPONSE_CONVERSATION", .pika),
    ])
    func aCharacterIsKnownByTheWordsInIt(character: String, speaker: Speaker) throws {
        let json = #"[{"character":"\#(character)","content":"a"}]"#
        #expect(try ConversationLog(json: Data(json.utf8)).items.map(\.speaker) == [speaker])
    }

    /// The first item decides the shape; one that has all standard members is standard.
    @Test func theFirstItemDecidesTheShape() throws {
        let both = #"{"speaker":"user","turn_id":1,"text":"a","character":"BOT","content":"b"}"#
        #expect(try parsed("[\(both)]").items.map(\.speaker) == [.user])
        let partly = #"{"speaker":"user","text":"a","character":"BOT","content":"b"}"#
        #expect(try parsed("[\(partly)]").items.map(\.speaker) == [.pika])
    }

    @Test func blankAPIItemsAreDroppedAndTheRestIsTrimmed() throws {
        let read = try parsed(
            #"""
            [{"character":"user_a","content":" hi\n"},{"character":"PIKA","content":" \t "},
             {"character":"robot","content":"ok"},{"character":"USER","content":null},
             {"content":"no speaker's"}]
            """#
        )
        #expect(read.items.map(\.text) == ["hi", "ok", "no speaker's"])
        #expect(read.items.map(\.speaker) == [.user, .pika, .pika])
    }

    @Test(arguments: [
        #"[{"speaker":"USER","turn_id":1,"text":"a"},{"speaker":"pika"},{"speaker":"user"}]"#,
        #"[{"character":"user","content":" \u0020"},{"character":"USER","content":"\u0061"}]"#,
        #"[{"character":"bot","content":"\u00e9"},{"character":"USER","content":"\u2003"}]"#,
    ])
    func whoReadsNoTextsSeesTheSameSpeakers(json: String) throws {
        let short = try ConversationLog(json: Data(json.utf8), readsTexts: false)
        let long = try parsed(json)
        #expect(short.items.map(\.speaker) == long.items.map(\.speaker))
        #expect(short.items.map(\.text).joined().isEmpty)
    }
}

struct TrimmingTests {
    /// What Python's strip() takes for white space, and what it does not.
    @Test(arguments: [
        (" \u{1C}\u{1F}\u{85}\u{A0}\u{3000}\u{2028}x\u{200A}\t", "x"), ("\u{200B}", "\u{200B}"),
        ("\u{FEFF}x", "\u{FEFF}x"), ("a \u{1C} b", "a \u{1C} b"),
    ])
    func trimsAsTheServiceDid(content: String, kept: String) throws {
        let item = try JSONEncoder().encode([["character": "USER", "content": content]])
        #expect(try ConversationLog(json: item).items.map(\.text) == [kept])
    }
}

struct ScoreTests {
    /// p is pika, u the user, - neither.
    @Test(arguments: [
        ("", 0), ("p", 0), ("pu", 1), ("up", 1), ("pup", 1), ("ppuup", 2), ("p-u", 0), ("uuu", 0),
    ])
    func countsTurnsByConsumingBothItems(speakers: String, turns: Int) {
        let names: [Character: Speaker] = ["p": .pika, "u": .user, "-": .other]
        #expect(spoken(by: speakers.compactMap { names[$0] }).turnCount == turns)
    }

    @Test func aChangeIsNeverNegative() {
        let bored = Analysis(
            userInitiatedQuestions: 0,
            sessionEmotion: "BORING",
            newMemoriesCount: 0
        )
        #expect(ConversationScore(of: spoken(by: [.pika, .user]), analysis: bored).change == 0)
    }

    @Test func theWeightsAreSettings() {
        let weights = ScoreWeights(
            perTurn: 2,
            perQuestion: 10,
            perMemory: 100,
            interesting: 0.5,
            boring: 0
        )
        let analysis = Analysis(
            userInitiatedQuestions: 3,
            sessionEmotion: "Interesting",
            newMemoriesCount: 4
        )
        let score = ConversationScore(
            of: spoken(by: [.pika, .user]),
            analysis: analysis,
            weights: weights
        )
        #expect(score.change == 432.5)
    }
}

struct FriendshipTests {
    @Test(arguments: [
        (0, FriendshipLevel.stranger), (499.9, .stranger), (500, .acquaintance),
        (2999.9, .acquaintance), (3000, .friend),
    ])
    func aLevelBeginsAtItsThreshold(score: Double, level: FriendshipLevel) {
        #expect(FriendshipLevel(score: score) == level)
    }

    /// The rows of the rule: score reached, user's level, level before, level after.
    @Test(arguments: [
        (150, FriendshipLevel.friend, FriendshipLevel.stranger, FriendshipLevel.friend),
        (149, .friend, .stranger, .acquaintance),
        (149, .friend, .friend, .friend),
        (150, .acquaintance, .friend, .friend),
        (50, .acquaintance, .stranger, .acquaintance),
        (50, .stranger, .acquaintance, .acquaintance),
        (200, .stranger, .friend, .friend),
        (49, .friend, .friend, .stranger),
    ])
    func aTopicsLevelFollowsTheUsers(
        score: Double,
        user: FriendshipLevel,
        before: FriendshipLevel,
        after: FriendshipLevel
    ) {
        var topic = TopicProgress(score: score - 1, level: before.rawValue)
        let oneTurn = ConversationScore(of: spoken(by: [.pika, .user]), analysis: .none)
        topic.apply(oneTurn, userLevel: user)
        #expect(topic.level == after.rawValue)
    }
}
