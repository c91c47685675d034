/// What the rules know of words. Each table of the two languages gives its phrases a tag; a phrase
/// may have several, and the longest phrase wins. A phrase with "=" before it counts only as it is
/// written, for without its marks it is another word ("=chán" is bored, "chân" is a leg).
struct Tags: OptionSet {
    var rawValue: UInt64

    private static func bit(_ number: UInt64) -> Tags { Tags(rawValue: 1 << number) }

    // Languages, to tell Vietnamese without marks from English.
    static let english = bit(0)
    static let vietnamese = bit(1)

    // Questions.
    /// "why", "what": asks at the beginning of a clause.
    static let opener = bit(2)
    /// "is", "do": asks there before a subject.
    static let auxiliary = bit(3)
    static let subject = bit(4)
    /// Asks wherever it stands: "do you", "tại sao", "bao nhiêu".
    static let asking = bit(6)
    /// "gì", "ai", "đâu": asks with a question mark or at the end, and may mean "any" elsewhere.
    static let indefinite = bit(7)
    /// "sao", "ai": asks at the beginning and at the end.
    static let why = bit(8)
    /// "không", "chưa": asks at the end.
    static let yesNo = bit(9)
    /// "hả", "right": makes a statement a question, or a guess.
    static let tag = bit(10)
    /// "it", "they": "is it …" is a guess where the robot has asked.
    static let pronoun = bit(11)
    /// Stands before or behind a question without being part of it.
    static let filler = bit(12)
    /// "what?", "really?", "who cares", "gì cũng được": asks nothing.
    static let idle = bit(13)
    /// What follows is another speaker's: "mẹ hỏi", "she said".
    static let reporting = bit(14)
    /// "how I …", "what a …": no question.
    static let exclaiming = bit(15)

    // Memories.
    static let firstPerson = bit(16)
    /// "my", "our".
    static let possessive = bit(17)
    /// "he", "nó": one that was just spoken of.
    static let anaphor = bit(18)
    static let negator = bit(19)
    /// Stands between a subject and its verb, or says when.
    static let adverb = bit(20)
    /// "like", "thích", "have": with an object it is a fact.
    static let fact = bit(21)
    /// "went", "được": something happened.
    static let event = bit(22)
    /// "am", "là": a fact before `identity` or a number, else a state.
    static let being = bit(23)
    /// "from", "a", "called".
    static let identity = bit(24)
    static let number = bit(25)
    /// "want to be", "muốn làm": a wish that lasts.
    static let wish = bit(26)
    /// "mom", "mẹ": the child's own without a "my".
    static let family = bit(27)
    /// Nothing that one could remember: "it", "you", "lắm".
    static let hollow = bit(28)
    static let conjunction = bit(29)
    /// "feel", "đang", "I don't know": whatever follows, it is not for long.
    static let passing = bit(30)

    // What the robot said.
    /// "repeat after me".
    static let drill = bit(31)
    /// "say": the same, where it begins.
    static let imperative = bit(5)
    /// "how old are you", "bạn thích … nào": a short answer is a fact.
    static let personal = bit(32)
    /// "do you want to hear", "how are you": it is not.
    static let passingQuestion = bit(33)
    /// "you", "your", "bạn".
    static let child = bit(34)

    // Emotions.
    static let angry = bit(35)
    static let sad = bit(36)
    static let bored = bit(37)
    static let wonder = bit(38)
    static let joy = bit(39)
    /// Joy that needs no second sign.
    static let delight = bit(40)
    /// "ok", "không", "fine": the shortest answers.
    static let minimal = bit(41)

    /// What follows is known, or is not, where the child speaks of itself: "I know", "không biết".
    static let knowing = bit(42)
    /// Pets and others that are the child's only where it says so: "my dog", "con chó nhà tớ".
    static let pet = bit(43)

    /// "do", "can": asks before any subject, not only before a pronoun.
    static let helper = bit(44)

    /// "cũng": any question word before it means "any".
    static let also = bit(45)
    /// "đó", "mà" behind a question word: it means "some" or nothing.
    static let some = bit(46)
    /// "hay": between two things to choose from.
    static let or = bit(47)
    /// "I", "you", "they": subjects that a verb may precede anywhere.
    static let nominative = bit(48)
    /// "it", "you": may as well end the clause before.
    static let objective = bit(49)
    /// "are", "mấy": with many of something.
    static let plural = bit(50)
    /// "be", "go": no subject of the verb before.
    static let bareVerb = bit(51)
    /// "why": asks in whatever order the words stand.
    static let reason = bit(52)
    /// "time" behind "what": asks though no verb follows.
    static let brief = bit(53)
    /// "à": a tag of questions, and of statements.
    static let softTag = bit(54)

    /// "was": others may have done it.
    static let past = bit(55)
    /// "đây" at the end: the child is about to do it.
    static let now = bit(56)
    /// "tell me about": the robot wants the child to tell of its life.
    static let invitation = bit(57)

    /// "making": goes on just now.
    static let progressive = bit(58)

    /// "nữa" behind a "not": no more of it.
    static let again = bit(59)

    /// "you be the shopkeeper": what the child says of itself is made up from here on.
    static let pretence = bit(60)

    /// "pika": the one who is asked.
    static let robot = bit(61)
    /// "có": begins what "không" makes a question.
    static let has = bit(62)

    /// "can": before "you" it requests. Tables of the robot's words have no use for it.
    static let able = Tags.pretence
    /// "this one": it asks of something to be seen. No word of the child's is one.
    static let quiz = Tags.identity
    /// "học", "chơi": what the child may have had enough of.
    static let activity = Tags.fact
    /// "make a sentence with": whatever comes next is one. No word of the child's is one.
    static let exercise = Tags.bored
    /// "eyes", "throat": how they are passes. No robot's word is one.
    static let body = Tags.drill
    /// "guess what it is": what the child asks next may be guesses. No word of the child's is one.
    static let riddle = Tags.knowing
    /// "you": the one who is spoken to, in the child's words as in the robot's.
    static let addressee = Tags.child

    /// A longer phrase may follow.
    fileprivate static let continues = bit(63)

    static let verbs: Tags = [.fact, .event, .being, .wish]
    static let feelings: Tags = [.angry, .sad, .bored, .wonder, .joy, .delight]
}

/// Finds the longest phrase of the tables at a place of a text, in time that does not grow with
/// them.
///
/// A hash of the words so far leads from prefix to prefix in one table of open addresses.
struct Lexicon: Sendable {
    /// The same tables twice: by what is written, and by base letters alone.
    struct Pair: Sendable {
        let marked, plain: Lexicon

        fileprivate init(_ english: [(Tags, String)], _ vietnamese: [(Tags, String)]) {
            marked = Lexicon(english, vietnamese, isPlain: false)
            plain = Lexicon(english, vietnamese, isPlain: true)
        }
    }

    private struct Slot {
        /// 0 where it is free.
        var key: UInt64 = 0
        /// Nothing but `continues` for a mere prefix.
        var tags: Tags = []
    }

    private var slots: [Slot]
    private let mask: Int
    private let isPlain: Bool

    private init(_ english: [(Tags, String)], _ vietnamese: [(Tags, String)], isPlain: Bool) {
        self.isPlain = isPlain
        let tables = english + vietnamese
        // Less than half of it is used, so that most searches end at the first slot.
        let bytes = tables.reduce(0) { $0 + $1.1.utf8.count }
        mask = max(256, bytes / 2).nextPowerOfTwo - 1
        slots = [Slot](repeating: Slot(), count: mask + 1)
        var builder = WordBuilder()
        var squeezed: [([UInt64], Tags)] = []
        var long: [[UInt64]] = []
        for (index, (tags, phrases)) in tables.enumerated() {
            let spellings = phrases.split(whereSeparator: { $0 == "," || $0 == "\n" })
                .flatMap(Self.spellings)
            for phrase in spellings.map(\.unicodeScalars) {
                if isPlain && phrase.contains("=") { continue }
                let texts = phrase.split(separator: " ")
                // Among Vietnamese without marks, "do" and "to" are Vietnamese.
                if isPlain, index < english.count,
                    texts.allSatisfy({ Self.word($0, &builder).isSyllable })
                {
                    continue
                }
                let words = texts.map { text in
                    (hash(of: Self.word(text, &builder)), hash(of: Self.word(text, &builder, true)))
                }
                insert(words.map(\.0), tags)
                if words.count > 1 { long.append(words.map(\.0)) }
                if words.contains(where: { $0 != $1 }) { squeezed.append((words.map(\.1), tags)) }
            }
        }
        // "I see" has the subject that "I" is.
        for words in long {
            insert(words, (find([words[0]]) ?? []).intersection([.subject, .nominative]))
        }
        for (words, tags) in squeezed where find(words) == nil { insert(words, tags) }
        precondition(slots.count { $0.key != 0 } * 2 < slots.count)
    }

    /// "Không" before another word is spelt in many ways.
    private static func spellings(of phrase: Substring) -> [Substring] {
        let words = phrase.split(separator: " ")
        guard words.count > 1, words[0] == "không" else { return [phrase] }
        let rest = words.dropFirst().joined(separator: " ")
        return VietnameseTables.negations.map { "\($0) \(rest)" }
    }

    private static func word(
        _ text: Substring.UnicodeScalarView,
        _ builder: inout WordBuilder,
        _ isSqueezed: Bool = false
    ) -> Word {
        for scalar in text {
            if let letter = Letter(scalar, in: Letter.table) {
                builder.add(letter)
            } else if scalar == "'" {
                builder.contract()
            } else if scalar != "=" {
                let hash = Word.combine(Word.start, UInt64(scalar.value))
                return Word(marked: hash, plain: hash)
            }
        }
        if isSqueezed { builder.squeeze() }
        return builder.finish()
    }

    private mutating func insert(_ words: [UInt64], _ tags: Tags) {
        var key: UInt64 = 0
        for (index, word) in words.enumerated() {
            key = Self.next(key, word)
            let place = place(of: key)
            slots[place].key = key
            if index < words.count - 1 {
                slots[place].tags.formUnion(.continues)
            } else {
                slots[place].tags.formUnion(tags)
            }
        }
    }

    private func find(_ words: [UInt64]) -> Tags? {
        let slot = slots[place(of: words.reduce(0, Self.next))]
        return slot.key == 0 ? nil : slot.tags
    }

    @inline(__always)
    private static func next(_ key: UInt64, _ word: UInt64) -> UInt64 {
        key == 0 ? word : Word.combine(key &* 31, word)
    }

    /// Where the key is, or the free slot where it would be.
    @inline(__always)
    private func place(of key: UInt64) -> Int {
        var place = Int(truncatingIfNeeded: key) & mask
        while slots[place].key != key && slots[place].key != 0 { place = (place + 1) & mask }
        return place
    }

    @inline(__always)
    private func hash(of word: Word) -> UInt64 { isPlain ? word.plain : word.marked }

    func tags(of word: Word) -> Tags {
        slots[place(of: hash(of: word))].tags
    }

    /// - Returns: one word without tags where nothing is known.
    @inline(__always)
    func longestMatch(in words: [Word], from first: Int, to end: Int) -> (length: Int, tags: Tags) {
        var slot = slots[place(of: hash(of: words[first]))]
        if slot.key == 0 { return (1, words[first].kind.tags) }
        var match = (length: 1, tags: slot.tags == .continues ? words[first].kind.tags : slot.tags)
        var (key, index) = (slot.key, first + 1)
        while slot.tags.contains(.continues), index < end {
            key = Self.next(key, hash(of: words[index]))
            slot = slots[place(of: key)]
            if slot.key == 0 { break }
            index += 1
            if slot.tags != .continues { match = (index - first, slot.tags) }
        }
        return match
    }
}

extension Lexicon.Pair {
    /// What shows which of the two it is.
    static let languages = Self([], EnglishTables.language + VietnameseTables.language)
    /// What shows how a sentence of the child's is built.
    static let grammar = Self(EnglishTables.grammar, VietnameseTables.grammar)
    /// What shows its mood.
    static let feelings = Self(EnglishTables.feelings, VietnameseTables.feelings)
    /// What shows which kind of answer the robot wants.
    static let robot = Self(EnglishTables.robot, VietnameseTables.robot)
}

extension Int {
    fileprivate var nextPowerOfTwo: Int { 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
